#include "hooks/url.h"

#include <strings.h>

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

/* Where the scheme ends, 0 where it is another. */
static size_t scheme_len(struct bytes url)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (url.len > len && strncasecmp((const char *)url.p, schemes[i], len) == 0)
            return len;
    }
    return 0;
}

static bool port_valid(struct bytes port)
{
    uint32_t number = 0;

    for (size_t i = 0; i < port.len; i++) {
        if (port.p[i] < '0' || port.p[i] > '9' || i == 5)
            return false;
        number = 10 * number + (port.p[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

static bool host_valid(struct bytes host)
{
    bool bracket = host.len > 0 && host.p[0] == '[';

    if (bracket && (host.len < 4 || host.p[host.len - 1] != ']'))
        return false;
    for (size_t i = bracket; i < host.len - bracket; i++) {
        uint8_t c = host.p[i];
        if (bracket ? !(is_letter_or_digit(c) || is_one_of(c, ":."))
                    : !(is_letter_or_digit(c) || is_one_of(c, "-._")))
            return false;
    }
    return host.len > 0;
}

static bool authority_valid(struct bytes s)
{
    size_t host = 0;

    if (s.len > 0 && s.p[0] == '[') {
        while (host < s.len && s.p[host] != ']')
            host++;
        host += host < s.len;
    } else {
        while (host < s.len && s.p[host] != ':')
            host++;
    }
    if (!host_valid(bytes_of(s.p, host)))
        return false;
    return host == s.len ||
           (s.p[host] == ':' && port_valid(bytes_of(s.p + host + 1, s.len - host - 1)));
}

bool hook_url_valid(struct bytes url)
{
    size_t start = scheme_len(url), end = start;

    while (end < url.len && url.p[end] != '/' && url.p[end] != '?')
        end++;
    if (start == 0 || !authority_valid(bytes_of(url.p + start, end - start)))
        return false;
    for (size_t i = end; i < url.len; i++) {
        if (!is_letter_or_digit(url.p[i]) && !is_one_of(url.p[i], "-._~:/?[]@!$&'()*+,;=%"))
            return false;
    }
    return true;
}
