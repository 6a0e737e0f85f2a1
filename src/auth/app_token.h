/*
 * app_token: a bearer token that the app has signed for one of its users, with a key of its own: a
 * JWT (RFC 7519, 7515) of any library, so it is read as JSON and not compared as our own are.
 *
 * Header: "alg" is "HS256"; "typ", where it is there, "JWT"; no "crit". Claims: "sub", who it is;
 * "exp", in seconds since 1970, which lies ahead, but no further than a setting allows; "nbf",
 * where it is there, has passed; no "aud", since nobody told this server what it is called. Any
 * other field is ignored. JSON is strict (base/json_read), base64url too, and the signature is
 * compared in constant time before anything is parsed.
 */
#ifndef AUTH_APP_TOKEN_H
#define AUTH_APP_TOKEN_H

#include "auth/secret_file.h"
#include "base/arena.h"

/* Characters of the longest that is taken. */
#define APP_TOKEN_MAX 4096

/* Whose token is it? `key` is what signs (of length 0: none does); `ahead_s` how far away exp may
 * be. *sub is in the arena, 1 byte at least. ERR_unauthorized for any fault, with no more said. */
enum err app_token_verify(const struct secret *key, struct bytes token, int64_t now_s,
                          int64_t ahead_s, struct arena *arena, struct bytes *sub) MUST_CHECK;

#endif
