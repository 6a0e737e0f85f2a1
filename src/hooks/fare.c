#include "hooks/fare.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/diag.h"
#include "hooks/pause.h"

#include <stdio.h>

/* How often the log says of one hook that it fails. */
#define SAY_MS  60000
#define WHY_MAX 400

static const char *word_of(const struct post_result *result)
{
    switch (result->end) {
    case POST_ANSWERED:
        return result->status >= 300 && result->status < 400 ? "redirect" : "status";
    case POST_NO_NAME:
        return "no_name";
    case POST_NO_CONNECT:
        return "no_connection";
    case POST_TIMEOUT:
        return "timeout";
    case POST_TLS:
        return "tls";
    case POST_BROKEN:
        return "broken";
    }
    return "broken";
}

/* The same as a sentence. */
static void explain(const struct post_result *r, uint32_t timeout_ms, char out[static WHY_MAX])
{
    switch (r->end) {
    case POST_ANSWERED:
        (void)snprintf(out, WHY_MAX, "the answer was %d%s", r->status,
                       r->status == 410 ? ": if nobody wants it any more, delete the hook"
                       : r->status >= 300 && r->status < 400 ? ", and no redirect is followed"
                                                             : "");
        return;
    case POST_NO_NAME:
        (void)snprintf(out, WHY_MAX, "the name of its host leads to no address");
        return;
    case POST_NO_CONNECT:
        (void)snprintf(out, WHY_MAX, "nobody takes connections there");
        return;
    case POST_TIMEOUT:
        (void)snprintf(out, WHY_MAX, "no answer came within %u s", timeout_ms / 1000);
        return;
    case POST_TLS:
        (void)snprintf(out, WHY_MAX, "TLS: %s", r->why[0] != '\0' ? r->why : "it went wrong");
        return;
    case POST_BROKEN:
        (void)snprintf(out, WHY_MAX, "the connection broke, or what came is no HTTP");
        return;
    }
}

static void say(struct fare *f, const struct uuid *hook, const struct post_result *result,
                const struct fare_options *o)
{
    int64_t now = clock_mono_ms();
    char id[UUID_TEXT_LEN + 1] = "", why[WHY_MAX] = "";

    if (f->said == f->error || now < f->say_at_ms)
        return;
    uuid_format(hook, id);
    explain(result, o->timeout_ms, why);
    diag_warn("hook %s: nothing is delivered, it is tried again: %s", id, why);
    f->said = f->error;
    f->say_at_ms = now + SAY_MS;
}

/* What the receiver asks for counts, as far as the pauses go; one that is gone is not asked soon.
 */
static uint32_t rest_ms(const struct fare *f, const struct post_result *r,
                        const struct fare_options *o)
{
    uint32_t random;

    crypto_random(&random, sizeof random);
    if (r->end == POST_ANSWERED && r->status == 410)
        return pause_ms(o->pause_max_ms, o->pause_max_ms, 1, random);
    if (r->end != POST_ANSWERED || r->retry_after_s < 0 || (r->status != 429 && r->status != 503))
        return pause_ms(o->pause_min_ms, o->pause_max_ms, f->failures, random);
    int64_t wanted = r->retry_after_s * 1000;
    if (wanted < o->pause_min_ms)
        wanted = o->pause_min_ms;
    return wanted < o->pause_max_ms ? (uint32_t)wanted : o->pause_max_ms;
}

uint32_t fare_failed(struct fare *f, const struct uuid *hook, const struct post_result *result,
                     const struct fare_options *o)
{
    f->failures += f->failures < UINT32_MAX;
    f->error = word_of(result);
    f->status = result->end == POST_ANSWERED ? result->status : 0;
    say(f, hook, result, o);
    return rest_ms(f, result, o);
}

void fare_taken(struct fare *f, const struct uuid *hook)
{
    char id[UUID_TEXT_LEN + 1] = "";

    if (f->said != NULL) {
        uuid_format(hook, id);
        diag_info("hook %s: it is delivered again", id);
    }
    f->failures = 0;
    f->error = f->said = NULL;
    f->status = 0;
}
