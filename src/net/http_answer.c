#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/sha1.h"
#include "net/http.h"

const char *http_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "";
}

/* IMF-fixdate (RFC 9110, 5.6.7), made once a second. strftime would ask the locale for names. */
static void add_date(struct buf *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static time_t second = -1;
    static char line[64];
    static size_t len;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    if (now != second && gmtime_r(&now, &tm)) {
        int n = snprintf(line, sizeof line, "date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                         days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                         tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        len = n > 0 && (size_t)n < sizeof line ? (size_t)n : 0;
        second = now;
    }
    buf_add(out, line, len);
}

/* RFC 9110, 8.6: these have no body and no length. */
static bool is_bodyless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

void http_add_answer(struct buf *out, const struct http_answer *a)
{
    bool bodyless = is_bodyless(a->status);
    buf_reserve(out, 256 + a->type.len + a->extra.len + a->body.len);
    buf_printf(out, "HTTP/1.1 %d %s\r\n", a->status, http_phrase(a->status));
    add_date(out);
    if (a->type.len) {
        BUF_ADD_LIT(out, "content-type: ");
        buf_add_bytes(out, a->type);
        BUF_ADD_LIT(out, "\r\n");
    }
    if (!bodyless)
        buf_printf(out, "content-length: %zu\r\n", a->body.len);
    if (a->close)
        BUF_ADD_LIT(out, "connection: close\r\n");
    else if (a->version_1_0)
        BUF_ADD_LIT(out, "connection: keep-alive\r\n");
    buf_add_bytes(out, a->extra);
    BUF_ADD_LIT(out, "\r\n");
    if (!bodyless && !a->head_only)
        buf_add_bytes(out, a->body);
}

void http_add_websocket_answer(struct buf *out, struct bytes websocket_key)
{
    struct buf both = {0};
    uint8_t digest[SHA1_LEN];
    char accept[28];
    buf_add_bytes(&both, websocket_key);
    BUF_ADD_LIT(&both, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    sha1_bytes(buf_bytes(&both), digest);
    base64_encode(bytes_of(digest, sizeof digest), accept);
    buf_release(&both);
    BUF_ADD_LIT(out, "HTTP/1.1 101 Switching Protocols\r\n"
                     "upgrade: websocket\r\n"
                     "connection: Upgrade\r\n"
                     "sec-websocket-accept: ");
    buf_add(out, accept, sizeof accept);
    BUF_ADD_LIT(out, "\r\n\r\n");
}
