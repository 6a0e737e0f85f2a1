/*
 * profile: what people change of themselves, and which of their tokens count.
 *
 * A token names a generation; the user's own is how often all tokens of before were ended. So what
 * an old token asked for is refused at commit too, where the end overtook it.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

struct bytes user_display_name(const struct user *u)
{
    return u->profile != NULL ? u->profile->display_name : bytes_of(NULL, 0);
}

uint32_t user_tokens(const struct user *u)
{
    return u->profile != NULL ? u->profile->tokens : 0;
}

struct profile *state_profile(struct user *u)
{
    if (u->profile == NULL)
        u->profile = xcalloc(1, sizeof *u->profile);
    return u->profile;
}

bool user_takes_token(const struct user *u, uint32_t generation)
{
    return u->erasure == ERASURE_NONE && user_tokens(u) == generation;
}

enum err state_check_tokens(const struct user *u, uint32_t tokens)
{
    if (u == NULL)
        return ERR_refused;
    return user_takes_token(u, tokens) ? ERR_ok : ERR_unauthorized;
}

/* ---- texts: what is replaced is wiped, wherever it is ------------------------------------------
 */

static void wipe(struct bytes s)
{
    if (s.len > 0)
        explicit_bzero((void *)(uintptr_t)s.p, s.len);
}

static uint8_t *copy(uint8_t *to, struct bytes s)
{
    if (s.len == 0)
        return to;
    memcpy(to, s.p, s.len);
    return to + s.len;
}

void state_set_display_name(struct user *u, struct bytes name)
{
    struct profile *p = state_profile(u);
    uint8_t *text = name.len > 0 ? xmalloc(name.len) : NULL;

    copy(text, name);
    wipe(p->display_name);
    free((void *)(uintptr_t)p->display_name.p);
    p->display_name = bytes_of(text, name.len);
}

static void set_email(struct model *m, struct user *u, struct bytes email, struct bytes key)
{
    struct profile *p = state_profile(u);
    uint8_t *texts = xmalloc(email.len + key.len + 1);

    copy(copy(texts, email), key);
    if (u->email_key.len > 0)
        map_remove(&m->users_by_email, crypto_siphash(u->email_key), &u->email_key);
    wipe(u->email);
    wipe(u->email_key);
    free(p->email);
    p->email = texts;
    u->email = bytes_of(texts, email.len);
    u->email_key = bytes_of(texts + email.len, key.len);
    if (key.len > 0)
        map_add(&m->users_by_email, crypto_siphash(u->email_key), u);
}

static void set_password(struct user *u, struct bytes password)
{
    struct profile *p = state_profile(u);
    uint8_t *text = xmalloc(password.len + 1);

    copy(text, password);
    wipe(u->password);
    free(p->password);
    p->password = text;
    u->password = bytes_of(text, password.len);
}

void state_free_profile(struct user *u)
{
    struct profile *p = u->profile;

    if (p == NULL)
        return;
    wipe(p->display_name);
    free((void *)(uintptr_t)p->display_name.p);
    free(p->email);
    free(p->password);
    free(p->blocks);
    free(p);
    u->profile = NULL;
}

/* ---- user_update -----------------------------------------------------------------------------
 */

/* Is it so already? A password is always another: its hash has a salt of its own. */
static bool changes_nothing(const struct user *u, const struct record_user_update *r)
{
    return !(r->fields & PROFILE_PASSWORD) &&
           (!(r->fields & PROFILE_NAME) || bytes_equal(r->display_name, user_display_name(u))) &&
           (!(r->fields & PROFILE_EMAIL) ||
            (bytes_equal(r->email, u->email) && bytes_equal(r->email_key, u->email_key)));
}

enum err check_user_update(const struct model *m, const struct record_user_update *r)
{
    const struct user *u = model_user(m, r->user);
    enum err err = state_check_tokens(u, r->tokens);

    if (err != ERR_ok)
        return err;
    if (r->fields > PROFILE_ALL || ((r->fields & PROFILE_PASSWORD) && r->password.len == 0) ||
        (r->email.len == 0) != (r->email_key.len == 0))
        return ERR_refused;
    if ((r->fields & PROFILE_EMAIL) && r->email_key.len > 0) {
        const struct user *who = model_user_by_email(m, r->email_key);
        if (who != NULL && who != u)
            return ERR_email_taken;
    }
    return changes_nothing(u, r) ? ERR_duplicate : ERR_ok;
}

void apply_user_update(struct model *m, const struct record_user_update *r, const struct commit *c)
{
    struct user *u = state_user(m, r->user);

    if (r->fields & PROFILE_NAME)
        state_set_display_name(u, r->display_name);
    if (r->fields & PROFILE_EMAIL)
        set_email(m, u, r->email, r->email_key);
    if (!(r->fields & PROFILE_PASSWORD))
        return;
    set_password(u, r->password);
    u->profile->tokens++;
    apply_sessions_end(m, &(struct record_sessions_end){r->time, r->user, r->except}, c);
    commit_tell(c, (struct event){.type = EVENT_tokens_ended, .user = u});
}

/* ---- session_open ----------------------------------------------------------------------------
 */

static struct record_session_create as_create(const struct record_session_open *r)
{
    return (struct record_session_create){.time = r->time,
                                          .id = r->id,
                                          .user = r->user,
                                          .token = r->token,
                                          .replaces = r->replaces,
                                          .sessions_max = r->sessions_max,
                                          .platform = r->platform,
                                          .build = r->build,
                                          .device_id = r->device_id,
                                          .model = r->model,
                                          .name = r->name};
}

enum err check_session_open(const struct model *m, const struct record_session_open *r)
{
    struct record_session_create create = as_create(r);
    enum err err = state_check_tokens(model_user(m, r->user), r->tokens);

    return err == ERR_ok ? check_session_create(m, &create) : err;
}

void apply_session_open(struct model *m, const struct record_session_open *r,
                        const struct commit *c)
{
    struct record_session_create create = as_create(r);

    apply_session_create(m, &create, c);
}
