#include "hooks/retry_after.h"

#include <time.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

/* ---- pieces: false where the text is something else ------------------------------------------ */

static bool skip(struct bytes *in, struct bytes word)
{
    if (!bytes_begin_with(*in, word))
        return false;
    *in = bytes_of(in->p + word.len, in->len - word.len);
    return true;
}

/* Exactly so many digits; where `padded`, the first may be a space. */
static bool take_number(struct bytes *in, size_t digits, bool padded, int *out)
{
    int n = 0;

    if (in->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = padded && i == 0 && in->p[0] == ' ' ? '0' : in->p[i];
        if (c < '0' || c > '9')
            return false;
        n = 10 * n + (c - '0');
    }
    *in = bytes_of(in->p + digits, in->len - digits);
    *out = n;
    return true;
}

static bool take_month(struct bytes *in, struct tm *tm)
{
    for (tm->tm_mon = 0; tm->tm_mon < 12; tm->tm_mon++) {
        if (skip(in, bytes_cstr(months[tm->tm_mon])))
            return true;
    }
    return false;
}

static bool take_time(struct bytes *in, struct tm *tm)
{
    return take_number(in, 2, false, &tm->tm_hour) && tm->tm_hour < 24 && skip(in, BYTES(":")) &&
           take_number(in, 2, false, &tm->tm_min) && tm->tm_min < 60 && skip(in, BYTES(":")) &&
           take_number(in, 2, false, &tm->tm_sec) && tm->tm_sec <= 60;
}

static bool take_year(struct bytes *in, struct tm *tm)
{
    int year;

    if (!take_number(in, 4, false, &year) || year < 1900)
        return false;
    tm->tm_year = year - 1900;
    return true;
}

/* Two digits: of those years the nearest, 50 ahead at most. */
static bool take_short_year(struct bytes *in, int64_t now_s, struct tm *tm)
{
    time_t now = (time_t)now_s;
    struct tm today;
    int year;

    if (!take_number(in, 2, false, &year) || gmtime_r(&now, &today) == NULL)
        return false;
    tm->tm_year = today.tm_year / 100 * 100 + year;
    if (tm->tm_year > today.tm_year + 50)
        tm->tm_year -= 100;
    else if (tm->tm_year <= today.tm_year - 50)
        tm->tm_year += 100;
    return true;
}

/* ---- the three forms ------------------------------------------------------------------------- */

/* Behind "Sun": , 06 Nov 1994 08:49:37 GMT */
static bool read_fixdate(struct bytes in, struct tm *tm)
{
    return skip(&in, BYTES(", ")) && take_number(&in, 2, false, &tm->tm_mday) &&
           skip(&in, BYTES(" ")) && take_month(&in, tm) && skip(&in, BYTES(" ")) &&
           take_year(&in, tm) && skip(&in, BYTES(" ")) && take_time(&in, tm) &&
           skip(&in, BYTES(" GMT")) && in.len == 0;
}

/* Behind "Sunday": , 06-Nov-94 08:49:37 GMT */
static bool read_rfc850(struct bytes in, int64_t now_s, struct tm *tm)
{
    return skip(&in, BYTES(", ")) && take_number(&in, 2, false, &tm->tm_mday) &&
           skip(&in, BYTES("-")) && take_month(&in, tm) && skip(&in, BYTES("-")) &&
           take_short_year(&in, now_s, tm) && skip(&in, BYTES(" ")) && take_time(&in, tm) &&
           skip(&in, BYTES(" GMT")) && in.len == 0;
}

/* Behind "Sun":  Nov  6 08:49:37 1994 */
static bool read_asctime(struct bytes in, struct tm *tm)
{
    return skip(&in, BYTES(" ")) && take_month(&in, tm) && skip(&in, BYTES(" ")) &&
           take_number(&in, 2, true, &tm->tm_mday) && skip(&in, BYTES(" ")) && take_time(&in, tm) &&
           skip(&in, BYTES(" ")) && take_year(&in, tm) && in.len == 0;
}

/* Which day of the week it says is not compared. */
static bool read_date(struct bytes value, int64_t now_s, struct tm *tm)
{
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct bytes day = bytes_cstr(days[i]), in = value;
        if (skip(&in, day))
            return read_rfc850(in, now_s, tm);
        if (skip(&in, bytes_of(day.p, 3)))
            return read_fixdate(in, tm) || read_asctime(in, tm);
    }
    return false;
}

static bool read_seconds(struct bytes value, int64_t *seconds)
{
    int64_t n = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        if (n < RETRY_AFTER_MAX_S)
            n = 10 * n + (value.p[i] - '0');
    }
    *seconds = n;
    return value.len > 0;
}

bool retry_after_read(struct bytes value, int64_t now_s, int64_t *seconds)
{
    struct tm tm = {0};
    int64_t n;

    if (!read_seconds(value, &n)) {
        if (!read_date(value, now_s, &tm))
            return false;
        int day = tm.tm_mday, leap = tm.tm_sec == 60;
        tm.tm_sec -= leap;
        n = (int64_t)timegm(&tm) + leap - now_s;
        if (tm.tm_mday != day) /* there is no 31 February */
            return false;
    }
    *seconds = n < 0 ? 0 : n > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : n;
    return true;
}
