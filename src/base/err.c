#include "base/err.h"

#include "base/ensure.h"

struct err_info {
    const char *code;
    const char *sentence;
    int status;
};

static const struct err_info infos[ERR_COUNT] = {
    [ERR_ok] = {"ok", "All is well.", 200},
#define ERR(name, status, sentence) [ERR_##name] = {#name, sentence, status},
#include "base/err.def"
#undef ERR
};

static const struct err_info *err_info(enum err e)
{
    ENSURE((unsigned)e < ERR_COUNT);
    return &infos[e];
}

const char *err_code(enum err e)
{
    return err_info(e)->code;
}

const char *err_sentence(enum err e)
{
    return err_info(e)->sentence;
}

int err_status(enum err e)
{
    return err_info(e)->status;
}
