/*
 * contract: what this server speaks, as programs read it. The two files of docs/ are part of the
 * binary, so that it always serves those that it was built with.
 */
#include "api/rest.h"

/* TEXT(name, path): the file's bytes at name, up to name_end. */
#define TEXT(name, path)                                                                           \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n" #name                       \
            "_end:\n.popsection");                                                                 \
    extern const uint8_t name[] __attribute__((visibility("hidden")));                             \
    extern const uint8_t name##_end[] __attribute__((visibility("hidden")))

TEXT(contract_openapi_text, "docs/openapi.yaml");
TEXT(contract_asyncapi_text, "docs/asyncapi.yaml");

static enum err answer(struct call *call, const uint8_t *text, const uint8_t *end)
{
    rest_answer_as(call->api, call->conn, BYTES("application/yaml"),
                   bytes_of(text, (size_t)(end - text)));
    return ERR_ok;
}

enum err contract_openapi(struct call *call, struct problem *problem)
{
    (void)problem;
    return answer(call, contract_openapi_text, contract_openapi_text_end);
}

enum err contract_asyncapi(struct call *call, struct problem *problem)
{
    (void)problem;
    return answer(call, contract_asyncapi_text, contract_asyncapi_text_end);
}
