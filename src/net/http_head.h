/*
 * http_head: the guard before http-parser. Two small state machines look at every raw byte of a
 * request's head and of a chunked body's framing, and refuse what RFC 9112 forbids and http-parser
 * takes: bare CR or LF, folds, control bytes, space before a colon, odd versions, odd chunk lines.
 *
 * They can stop at any byte, hold no memory and keep no text. A byte that was taken is never looked
 * at again; after an error or the end a machine takes nothing more.
 */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "base/bytes.h"
#include "base/err.h"

enum http_head_state {
    HEAD_START,
    HEAD_START_LF,
    HEAD_METHOD,
    HEAD_TARGET,
    HEAD_VERSION,
    HEAD_REQUEST_LF,
    HEAD_FIELD_START,
    HEAD_NAME,
    HEAD_VALUE,
    HEAD_FIELD_LF,
    HEAD_END_LF,
    HEAD_DONE,
    HEAD_FAILED
};

/* {0} with the two limits set is the start. */
struct http_head_scan {
    uint32_t size_max;  /* bytes of the whole head; over it ERR_uri_too_long, ERR_head_too_large */
    uint32_t field_max; /* fields; over it ERR_head_too_large */
    enum http_head_state state;
    enum err error;
    uint32_t size; /* bytes taken */
    uint32_t fields;
    uint32_t token;  /* bytes of the token that is being read */
    uint32_t method; /* where the method starts: behind an empty line, if there was one */
    uint32_t method_len;
    uint8_t version[8];
};

/* Takes bytes up to the end of the head; returns how many. Then state is HEAD_DONE, HEAD_FAILED
 * (see error) or one that wants more. */
size_t http_head_scan(struct http_head_scan *s, struct bytes in);

enum http_chunk_state {
    CHUNK_SIZE,
    CHUNK_BLANK,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
    CHUNK_FAILED
};

/* {0} with the limits set is the start. */
struct http_chunk_scan {
    uint32_t body_max; /* over it ERR_too_large, as soon as the chunk's size line says so */
    uint32_t
        trailer_max;    /* bytes of extensions and trailers together; over it ERR_head_too_large */
    uint32_t field_max; /* trailer fields */
    enum http_chunk_state state;
    enum err error;
    uint32_t digits;   /* of the size that is being read */
    uint32_t overhead; /* bytes of extensions and trailers so far */
    uint32_t fields;
    uint32_t name_len; /* of the trailer's name that is being read */
    uint8_t name[20];  /* its start: enough to know the names that a trailer may not have */
    uint64_t left;     /* bytes of the chunk that are to come */
    uint64_t body;     /* bytes of all chunks so far, the announced one included */
};

/* Takes bytes up to the end of the body; as http_head_scan. */
size_t http_chunk_scan(struct http_chunk_scan *s, struct bytes in);

/* Is `c` a character of a token (RFC 9110, 5.6.2)? */
bool http_is_token(uint8_t c);

#endif
