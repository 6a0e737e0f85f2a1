/*
 * rest: from an HTTP request to a handler, and from a result to an answer.
 */
#ifndef API_REST_H
#define API_REST_H

#include "api/api.h"

/* TAKES_JSON: the body may be there or not. AT_EVERY_DOOR: also while the server goes away, and
 * however often somebody asks. AT_APP_DOOR: there and nowhere else, whoever asks. */
enum route_needs {
    NEEDS_NOTHING = 0,
    NEEDS_AUTH = 1,
    NEEDS_JSON = 2,
    NEEDS_APP = 4,
    TAKES_JSON = 8,
    AT_EVERY_DOOR = 16,
    AT_APP_DOOR = 32,
    MAY_WAIT = 64
};

/* One request, for the time of its handler. */
struct call {
    struct api *api;
    struct conn *conn;
    const struct http_request *request;
    struct json body;         /* NEEDS_JSON: an object; TAKES_JSON: that or JSON_NONE */
    const struct user *user;  /* NEEDS_AUTH */
    int64_t now_ms;           /* clock_mono_ms */
    uint32_t tokens;          /* the generation of their tokens */
    bool app_token;           /* it came with a token that the app has signed */
    bool is_app;              /* it came with the app's key, through its door */
    struct uuid id;           /* the ":id" of the path */
    struct uuid user_id;      /* the ":user_id" */
    struct bytes external_id; /* the ":external_id" */
    struct conn_address who;  /* the client's address, as rates count it */
};

/*
 * A handler answers through rest_answer or conn_upgrade and returns ERR_ok; or keeps the connection
 * in a pending, to answer later, and returns ERR_ok; or returns an error, and rest answers it, with
 * what the handler wrote into *problem.
 */
#define ROUTE(method, path, handler, needs)                                                        \
    enum err handler(struct call *call, struct problem *problem) MUST_CHECK;
#include "api/route.def"
#undef ROUTE

/* Answers with the JSON in `body`. */
void rest_answer(struct api *a, struct conn *c, int status, struct bytes body);

/* Answers 200 with what is not JSON. */
void rest_answer_as(struct api *a, struct conn *c, struct bytes type, struct bytes body);

/* Answers with an error. */
void rest_refuse(struct api *a, struct conn *c, enum err err, const struct problem *problem);

/* The same where the error is rendered already, in a->body; `retry_ms` as in a problem. */
void rest_refuse_rendered(struct api *a, struct conn *c, enum err err, uint32_t retry_ms);

/* Proposes a change whose answer is 200 {} once it is on disk, or what the law says against it;
 * where it is so already, 200 {} too. */
enum err rest_propose(struct call *call, const struct record *r) MUST_CHECK;

/* Counts the answer that is about to go out; rest_answer and the others do. */
void rest_count(struct api *a, const struct conn *c, int status);

/* The net's hooks. */
void rest_on_request(void *ctx, struct conn *c, const struct http_request *request);
void rest_on_bad_request(void *ctx, struct conn *c, enum err why);

#endif
