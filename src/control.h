/*
 * control: the unix socket DIR/control, through which the machine's operator speaks to a running
 * server. Who may open it is who may open the data directory: the same user, mode 0600.
 *
 * A client sends a line and gets a line back, as many as it likes, one after the other:
 *
 *   ping        ok
 *   snapshot    ok seq=1234 bytes=56789     when the snapshot is durable
 *               ok unchanged                where nothing was committed since the newest one
 *   turns       ok {"turns":1234,…}         what docs/operations.md shows; counting begins again
 *   …           error CODE: SENTENCE
 *
 * A line is at most 256 bytes; at most 8 clients at once, the ninth is told so and closed; a client
 * that sends no whole line for 10 seconds while nobody works for it is closed. Loop thread only;
 * depends on net/loop.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

#define CONTROL_NAME     "control"
#define CONTROL_LINE_MAX 256

struct control;

struct control_hooks {
    void *ctx;
    /* A client wants a snapshot. ERR_ok: one was begun, and control_snapshot_done will say how it
     * ended. ERR_busy: another is being written, which may lack what the client knows of; asked
     * again when control_snapshot_done tells of that one. ERR_refused: nothing has changed since
     * the newest. Anything else is an error for the client. */
    enum err (*snapshot)(void *ctx);
};

/* Makes the socket in the directory `data_dir`, whose lock the caller holds: what an earlier server
 * left there goes. There is no moment at which others could open it. NULL, and the reason for the
 * operator in `why`, where the system will not. */
struct control *control_new(struct loop *loop, const char *data_dir,
                            const struct control_hooks *hooks, char *why, unsigned long why_len);

/* A snapshot has ended, whoever began it: tells who waits for it, and calls the hook again for who
 * asked meanwhile. `text`: of a failure, or "". */
void control_snapshot_done(struct control *c, enum err err, uint64_t seq, uint64_t bytes,
                           const char *text);

/* Closes the clients that wait for too long; call now and then. */
void control_tick(struct control *c);

/* Closes all, removes the socket; harmless on NULL. */
void control_free(struct control *c);

#endif
