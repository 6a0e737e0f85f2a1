/*
 * Whose request it is that a proxy hands on. Up to the first NUL a list of trusted networks, then
 * the fields X-Forwarded-For, a line each. Who is not trusted is not believed, and what a client
 * writes in front of what proxies have added changes nothing.
 */
#include "base/buf.h"
#include "base/ensure.h"
#include "net/address.h"
#include "net/http.h"

#define FIELDS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conn_address peer = {
    .b = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [13] = 0, [14] = 0, [15] = 1}}; /* 10.0.0.1 */
static const struct conn_address claimed = {
    .b = {[10] = 0xFF, [11] = 0xFF, [12] = 6, [13] = 6, [14] = 6, [15] = 6}}; /* 6.6.6.6 */

static bool same(struct conn_address a, struct conn_address b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

/* Fills the fields from lines; returns how many there are. */
static uint32_t split(struct bytes lines, struct http_field fields[static FIELDS_MAX])
{
    uint32_t n = 0;

    while (n < FIELDS_MAX) {
        const uint8_t *end = lines.len > 0 ? memchr(lines.p, '\n', lines.len) : NULL;
        size_t len = end != NULL ? (size_t)(end - lines.p) : lines.len;
        fields[n].name = BYTES("X-Forwarded-For");
        fields[n++].value = bytes_of(lines.p, len);
        if (end == NULL)
            break;
        lines = bytes_of(end + 1, lines.len - len - 1);
    }
    return n;
}

static void check(const struct address_nets *trusted, struct bytes lines)
{
    struct http_field fields[FIELDS_MAX];
    struct http_request r = {.fields = fields, .field_count = split(lines, fields)};
    struct buf longer = {0};

    struct conn_address client = address_of_client(trusted, peer, &r);
    if (!address_nets_have(trusted, peer))
        ENSURE(same(client, peer));
    BUF_ADD_LIT(&longer, "6.6.6.6,");
    buf_add_bytes(&longer, fields[0].value);
    fields[0].value = buf_bytes(&longer);
    struct conn_address again = address_of_client(trusted, peer, &r);
    ENSURE(same(again, client) || (same(again, claimed) && address_nets_have(trusted, client)));
    buf_release(&longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = nul != NULL ? (size_t)(nul - data) : size;
    struct address_nets trusted;
    struct bytes bad;

    if (!address_nets_parse(bytes_of(data, len), &trusted, &bad)) {
        ENSURE(bad.len > 0 && bad.p >= data && bad.p + bad.len <= data + len);
        return 0;
    }
    if (nul != NULL)
        check(&trusted, bytes_of(nul + 1, size - len - 1));
    return 0;
}
