/*
 * ws: WebSocket messages in (RFC 6455). The only user of wslay, through its frame level.
 *
 * Almost all that comes are texts that are whole in one frame. For those there is nothing left that
 * wslay could do once their header is judged; all else goes through it.
 *
 * wslay's event level carries 8 KiB a context, allocates what a header declares and checks a close
 * reason piece by piece, so we take its frame level only, and take the mask off ourselves;
 * messages, control frames, UTF-8 and limits are decided here. One wslay context serves all
 * connections, since it is only ever fed whole frames: a partial frame waits in ws_state's buffer,
 * which has memory only while something is partial. No I/O: bytes are pushed in, and reading can
 * stop at any byte.
 */
#ifndef NET_WS_H
#define NET_WS_H

#include "base/buf.h"

#define WS_OPCODE_CONTINUATION 0
#define WS_OPCODE_TEXT         1
#define WS_OPCODE_BINARY       2
#define WS_OPCODE_CLOSE        8
#define WS_OPCODE_PING         9
#define WS_OPCODE_PONG         10

enum ws_close {
    WS_CLOSE_NONE = 0,
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,  /* a binary message */
    WS_CLOSE_INVALID_DATA = 1007, /* not UTF-8 */
    WS_CLOSE_POLICY = 1008,       /* a message that does not end; too many RPCs */
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_AGAIN = 1013, /* reader too slow: resume from the cursor */
    WS_CLOSE_SESSION_ENDED = 4001,
    WS_CLOSE_REPLACED = 4009 /* a newer socket took this one's place */
};

enum ws_event { WS_TEXT, WS_PING, WS_PONG, WS_CLOSED };

struct ws_hooks {
    /* A complete message or control frame. TEXT: valid UTF-8, borrowed for the call. PING: the
     * payload to send back. CLOSED: the peer closes; `code` is what to answer with (its own code;
     * 1000 where it gave none). Return false to stop reading: the rest of the input is dropped. */
    bool (*on_event)(void *ctx, enum ws_event event, struct bytes payload, enum ws_close code);
};

/* What a connection keeps: {0} at the start, all zero and without memory at rest. */
struct ws_state {
    struct buf *partial; /* a frame that is not complete; NULL at rest */
    struct buf *message; /* the fragments of a message that is not complete; NULL at rest */
    uint32_t fragments;
    uint32_t checked; /* bytes of the message that are known to be whole code points */
    uint32_t late_s;  /* the user's, for a deadline of what is partial; ws_read makes it 0 each time
                       * that nothing is */
};
/* Frees what is held; {0} afterwards. Not from inside on_event. */
void ws_state_release(struct ws_state *s);

/*
 * Reads `in` to its end (or until on_event returns false). WS_CLOSE_NONE, or the code to close
 * with: 1002 (reserved bits or opcodes, unmasked frames, control frames that are long or
 * fragmented, continuations out of place, lengths not in the shortest form, close codes that must
 * not be sent, a close body of one byte), 1003 (binary), 1007 (text or close reason not UTF-8; a
 * fragmented text fails with the first fragment that holds an invalid byte), 1009 (over
 * message_max, decided from the header's length; or more than WS_FRAGMENTS_MAX fragments, empty
 * ones included). What follows a close frame is not read. After a code other than 0 never call it
 * again.
 */
#define WS_FRAGMENTS_MAX 1024
enum ws_close ws_read(struct ws_state *s, struct bytes in, uint32_t message_max,
                      const struct ws_hooks *hooks, void *ctx);

/* Does the state hold memory (a deadline for what is partial may count)? */
static inline bool ws_is_partial(const struct ws_state *s)
{
    return s->partial || s->message;
}

#endif
