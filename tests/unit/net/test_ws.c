#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/ws.h"

#define MESSAGE_MAX 70000u

/* What one input led to: the events as text, and the code to close with. */
struct outcome {
    struct buf seen;
    enum ws_close code;
    unsigned stop_after; /* 0: never */
    unsigned events;
    bool closed;
};

static bool on_event(void *ctx, enum ws_event event, struct bytes payload, enum ws_close code)
{
    static const char letters[] = {
        [WS_TEXT] = 'T', [WS_PING] = 'p', [WS_PONG] = 'q', [WS_CLOSED] = 'C'};
    struct outcome *o = ctx;
    buf_printf(&o->seen, "%c", letters[event]);
    if (event == WS_CLOSED)
        buf_printf(&o->seen, "%d", (int)code);
    else
        assert_int_equal(code, WS_CLOSE_NONE);
    if (payload.len > 200)
        buf_printf(&o->seen, "[%zu]", payload.len);
    else
        buf_printf(&o->seen, "(%.*s)", (int)payload.len, (const char *)payload.p);
    o->closed = event == WS_CLOSED;
    return ++o->events != o->stop_after;
}

static const struct ws_hooks hooks = {.on_event = on_event};

/* Reads `in` in pieces of `step` bytes, the first one of `first`. */
static void run(struct bytes in, size_t first, size_t step, struct outcome *o)
{
    struct ws_state s = {0};
    size_t at = 0, n = first < in.len ? first : in.len;
    *o = (struct outcome){.code = WS_CLOSE_NONE};
    while (at < in.len && !o->code) {
        uint8_t *piece = malloc(n + 1); /* its own memory, for the sanitizers */
        assert_non_null(piece);
        memcpy(piece, in.p + at, n);
        o->code = ws_read(&s, bytes_of(piece, n), MESSAGE_MAX, &hooks, o);
        free(piece);
        at += n;
        n = step < in.len - at ? step : in.len - at;
        if (o->closed)
            break; /* the caller reads nothing behind a close */
    }
    ws_state_release(&s);
    assert_false(ws_is_partial(&s));
    buf_add_u8(&o->seen, 0);
}

static void expect(struct bytes in, const char *seen, enum ws_close code)
{
    struct outcome o;
    run(in, in.len, in.len, &o);
    assert_string_equal((char *)o.seen.p, seen);
    assert_int_equal(o.code, code);
    buf_release(&o.seen);
    size_t cuts = in.len < 300 ? in.len : 40;
    for (size_t cut = 1; cut < cuts; cut++) {
        run(in, cut, in.len, &o);
        assert_string_equal((char *)o.seen.p, seen);
        assert_int_equal(o.code, code);
        buf_release(&o.seen);
    }
    run(in, 1, in.len < 300 ? 1 : 7, &o);
    assert_string_equal((char *)o.seen.p, seen);
    assert_int_equal(o.code, code);
    buf_release(&o.seen);
}

/* Adds a masked frame; `first` is FIN, reserved bits and opcode. */
static void add(struct buf *b, unsigned first, struct bytes payload)
{
    static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};
    buf_add_u8(b, (uint8_t)first);
    if (payload.len < 126) {
        buf_add_u8(b, (uint8_t)(0x80 | payload.len));
    } else if (payload.len <= 0xFFFF) {
        buf_add_u8(b, 0x80 | 126);
        buf_add_u8(b, (uint8_t)(payload.len >> 8));
        buf_add_u8(b, (uint8_t)payload.len);
    } else {
        buf_add_u8(b, 0x80 | 127);
        for (int i = 56; i >= 0; i -= 8)
            buf_add_u8(b, (uint8_t)((uint64_t)payload.len >> i));
    }
    buf_add(b, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_add_u8(b, payload.p[i] ^ mask[i % 4]);
}

/* A row of frames and what comes of them. */
struct part {
    unsigned first;
    struct bytes payload;
};

static void expect_parts(const struct part *parts, size_t count, const char *seen,
                         enum ws_close code)
{
    struct buf b = {0};
    for (size_t i = 0; i < count; i++)
        add(&b, parts[i].first, parts[i].payload);
    expect(buf_bytes(&b), seen, code);
    buf_release(&b);
}

#define EXPECT(seen, code, ...)                                                                    \
    do {                                                                                           \
        const struct part parts[] = {__VA_ARGS__};                                                 \
        expect_parts(parts, sizeof parts / sizeof *parts, seen, code);                             \
    } while (0)
#define P(first, literal)                                                                          \
    {                                                                                              \
        first,                                                                                     \
        {                                                                                          \
            (const uint8_t *)("" literal), sizeof(literal) - 1                                     \
        }                                                                                          \
    }

static struct bytes filled(struct buf *b, size_t len)
{
    buf_reset(b);
    buf_reserve(b, len + 1);
    memset(b->p, 'x', len);
    b->len = len;
    return buf_bytes(b);
}

/* Autobahn's class 1: framing. */
static void test_framing(void **state)
{
    static const size_t lens[] = {200, 126, 125, 127, 4096, 4090, 65535, 65536, MESSAGE_MAX};
    struct buf text = {0};
    (void)state;
    EXPECT("T()", 0, P(0x81, ""));
    EXPECT("T(Hello)", 0, P(0x81, "Hello"));
    EXPECT("T(a)T(b)T()T(c)", 0, P(0x81, "a"), P(0x81, "b"), P(0x81, ""), P(0x81, "c"));
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct buf seen = {0};
        struct part part = {0x81, filled(&text, lens[i])};
        if (lens[i] > 200)
            buf_printf(&seen, "T[%zu]", lens[i]);
        else
            buf_printf(&seen, "T(%.*s)", (int)lens[i], (char *)text.p);
        buf_add_u8(&seen, 0);
        expect_parts(&part, 1, (char *)seen.p, 0);
        buf_release(&seen);
    }
    buf_release(&text);
    EXPECT("", WS_CLOSE_UNSUPPORTED, P(0x82, "binary"));
    EXPECT("", WS_CLOSE_UNSUPPORTED, P(0x02, "binary"));
    EXPECT("T(a)", WS_CLOSE_UNSUPPORTED, P(0x81, "a"), P(0x82, ""));
}

static bool on_copy(void *ctx, enum ws_event event, struct bytes payload, enum ws_close code)
{
    (void)event;
    (void)code;
    buf_add_bytes(ctx, payload);
    return true;
}

/* The payload itself arrives unmasked and whole: in wslay's buffer, above it, and in fragments. */
static void test_content(void **state)
{
    static const struct ws_hooks copy = {.on_event = on_copy};
    static const size_t lens[] = {1, 300, 4080, 4082, 4088, 4096, 4097, 8192, 20000, 69999};
    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct buf text = {0}, b = {0}, got = {0};
        struct ws_state s = {0};
        for (size_t j = 0; j < lens[i]; j++)
            buf_add_u8(&text, (uint8_t)('a' + j % 23));
        add(&b, 0x81, buf_bytes(&text));
        assert_int_equal(ws_read(&s, buf_bytes(&b), MESSAGE_MAX, &copy, &got), 0);
        assert_true(bytes_equal(buf_bytes(&got), buf_bytes(&text)));
        buf_reset(&b);
        buf_reset(&got);
        add(&b, 0x01, bytes_of(text.p, lens[i] / 2));
        add(&b, 0x80, bytes_of(text.p + lens[i] / 2, lens[i] - lens[i] / 2));
        assert_int_equal(ws_read(&s, buf_bytes(&b), MESSAGE_MAX, &copy, &got), 0);
        assert_true(bytes_equal(buf_bytes(&got), buf_bytes(&text)));
        buf_release(&got);
        buf_release(&b);
        buf_release(&text);
    }
}

/* Class 2: pings and pongs. */
static void test_pings(void **state)
{
    struct buf b = {0};
    (void)state;
    EXPECT("p()", 0, P(0x89, ""));
    EXPECT("p(Hello)q(x)", 0, P(0x89, "Hello"), P(0x8A, "x"));
    struct part longest = {0x89, filled(&b, 125)}, longer = {0x89, {NULL, 0}};
    struct outcome o;
    struct buf raw = {0};
    add(&raw, longest.first, longest.payload);
    run(buf_bytes(&raw), raw.len, raw.len, &o);
    assert_int_equal(o.events, 1);
    buf_release(&o.seen);
    buf_release(&raw);
    longer.payload = filled(&b, 126);
    expect_parts(&longer, 1, "", WS_CLOSE_PROTOCOL);
    longer.first = 0x8A;
    expect_parts(&longer, 1, "", WS_CLOSE_PROTOCOL);
    longer.first = 0x88;
    expect_parts(&longer, 1, "", WS_CLOSE_PROTOCOL);
    buf_release(&b);
    EXPECT("p(1)p(2)p(3)", 0, P(0x89, "1"), P(0x89, "2"), P(0x89, "3"));
}

/* Classes 3 and 4: reserved bits and opcodes; also masks and lengths. */
static void test_reserved(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits < 8; bits++) {
        struct part parts[] = {P(0x81, "a"), P(0x81, "b")};
        parts[1].first |= bits << 4;
        expect_parts(parts, 2, "T(a)", WS_CLOSE_PROTOCOL);
        parts[1].first = 0x89 | bits << 4;
        expect_parts(parts, 2, "T(a)", WS_CLOSE_PROTOCOL);
    }
    for (unsigned opcode = 3; opcode < 16; opcode++) {
        struct part part = P(0x80, "");
        if (opcode >= 8 && opcode <= 10)
            continue;
        part.first |= opcode;
        expect_parts(&part, 1, "", WS_CLOSE_PROTOCOL);
    }
    expect(BYTES("\x81\x05Hello"), "", WS_CLOSE_PROTOCOL);    /* not masked */
    expect(BYTES("\x81\xFE\x00\x05"), "", WS_CLOSE_PROTOCOL); /* 5 in two bytes */
    expect(BYTES("\x81\xFE\x00\x7D"), "", WS_CLOSE_PROTOCOL); /* 125 in two bytes */
    expect(BYTES("\x81\xFF\0\0\0\0\0\0\xFF\xFF"), "", WS_CLOSE_PROTOCOL);
    expect(BYTES("\x81\xFF\x80\0\0\0\0\0\0\0"), "", WS_CLOSE_PROTOCOL);
}

/* Class 5: fragmentation. */
static void test_fragments(void **state)
{
    (void)state;
    EXPECT("T(Hello)", 0, P(0x01, "Hel"), P(0x80, "lo"));
    EXPECT("T(Hello)", 0, P(0x01, ""), P(0x00, "Hel"), P(0x00, ""), P(0x00, "lo"), P(0x80, ""));
    EXPECT("T()", 0, P(0x01, ""), P(0x00, ""), P(0x80, ""));
    EXPECT("p(x)T(ab)", 0, P(0x01, "a"), P(0x89, "x"), P(0x80, "b"));
    EXPECT("T(ab)T(c)", 0, P(0x01, "a"), P(0x80, "b"), P(0x81, "c"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x09, "a"), P(0x80, "b"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x08, ""));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x80, "b"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x00, "b"));
    EXPECT("T(ab)", WS_CLOSE_PROTOCOL, P(0x01, "a"), P(0x80, "b"), P(0x80, "c"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x01, "a"), P(0x81, "b"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x01, "a"), P(0x01, "b"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x01, "a"), P(0x82, "b"));
}

/* Class 6: UTF-8, in one frame and across fragments. */
static void test_utf8(void **state)
{
#define KOSME "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
    static const struct part bad[] = {
        P(0x81, "\xff"),
        P(0x81, KOSME "\xed\xa0\x80"
                      "edited"),
        P(0x81, "\xc0\xaf"),
        P(0x81, "\xe0\x80\xaf"),
        P(0x81, "\xf4\x90\x80\x80"),
        P(0x81, "\x80"),
        P(0x81, "a\xce"),
        P(0x81, "\xf0\x9f\x98"),
    };
    (void)state;
    EXPECT("T(" KOSME ")", 0, P(0x81, KOSME));
    EXPECT("T(\xf4\x8f\xbf\xbf)", 0, P(0x81, "\xf4\x8f\xbf\xbf"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_parts(&bad[i], 1, "", WS_CLOSE_INVALID_DATA);
    /* A code point may be cut anywhere. */
    EXPECT("T(\xf0\x9f\x98\x80)", 0, P(0x01, "\xf0"), P(0x00, "\x9f"), P(0x00, "\x98"),
           P(0x80, "\x80"));
    EXPECT("p()T(a\xc3\xa9)", 0, P(0x01, "a\xc3"), P(0x89, ""), P(0x80, "\xa9"));
}

/* An invalid byte fails with its own fragment, before the message ends (6.4.1). */
static void test_utf8_fails_early(void **state)
{
    static const char *const starts[] = {
        "\x80",         "\xc0",         "\xc1",     "\xf5",     "\xce\xba\xff",
        "\xe0\x9f",     "\xed\xa0",     "\xf0\x8f", "\xf4\x90", "\xe1\xbd\x40",
        "\xf0\x9f\x40", "\xf0\x9f\xc0", "\xc3\xc3", "\xe1\xe1", "\xf0\x9f\x98\xff",
    };
    static const char *const good[] = {"",         "a",        "\xc3",         "\xe0\xa0",
                                       "\xed\x9f", "\xf0\x90", "\xf4\x8f\xbf", "\xf0\x9f\x98"};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct part parts[] = {{0x01, BYTES("ok ")}, {0x00, bytes_cstr(starts[i])}};
        expect_parts(parts, 2, "", WS_CLOSE_INVALID_DATA);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct part parts[] = {{0x01, BYTES("ok ")}, {0x00, bytes_cstr(good[i])}};
        expect_parts(parts, 2, "", WS_CLOSE_NONE);
    }
    /* Cut over three fragments, the fault is in the third. */
    EXPECT("", WS_CLOSE_INVALID_DATA, P(0x01, "\xf0"), P(0x00, "\x9f"), P(0x00, "\xff"));
    EXPECT("", WS_CLOSE_INVALID_DATA, P(0x01, "\xf0"), P(0x80, ""));
}

/* Class 7: closing. */
static void test_closes(void **state)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};
    (void)state;
    EXPECT("C1000()", 0, P(0x88, ""));
    EXPECT("C1000()", 0, P(0x88, "\x03\xe8"));
    EXPECT("C1000(bye)", 0,
           P(0x88, "\x03\xe8"
                   "bye"));
    EXPECT("T(a)C1001()", 0, P(0x81, "a"), P(0x88, "\x03\xe9"), P(0x81, "b"));
    EXPECT("C1000()", 0, P(0x88, ""), P(0x89, "x"));
    EXPECT("C1000()", 0, P(0x01, "a"), P(0x88, ""), P(0x80, "b"));
    EXPECT("", WS_CLOSE_PROTOCOL, P(0x88, "\x03"));
    EXPECT("", WS_CLOSE_INVALID_DATA, P(0x88, "\x03\xe8\xff"));
    EXPECT("", WS_CLOSE_INVALID_DATA, P(0x88, "\x03\xe8\xce"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint8_t body[2] = {(uint8_t)(good[i] >> 8), (uint8_t)good[i]};
        struct part part = {0x88, bytes_of(body, 2)};
        struct buf seen = {0};
        buf_printf(&seen, "C%u()%c", good[i], 0);
        expect_parts(&part, 1, (char *)seen.p, 0);
        buf_release(&seen);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t body[2] = {(uint8_t)(bad[i] >> 8), (uint8_t)bad[i]};
        struct part part = {0x88, bytes_of(body, 2)};
        expect_parts(&part, 1, "", WS_CLOSE_PROTOCOL);
    }
}

/* Class 9: limits, decided before the bytes have come. */
static void test_limits(void **state)
{
    struct buf b = {0}, text = {0};
    (void)state;
    /* 70001 and 2^62 bytes are declared, none has arrived. */
    expect(BYTES("\x81\xFF\0\0\0\0\0\x01\x11\x71"), "", WS_CLOSE_TOO_BIG);
    expect(BYTES("\x81\xFF\x40\0\0\0\0\0\0\0"), "", WS_CLOSE_TOO_BIG);
    add(&b, 0x01, filled(&text, 60000));
    add(&b, 0x00, filled(&text, 10000));
    buf_add(&b, "\x80\x81", 2); /* one byte more than the message may have */
    expect(buf_bytes(&b), "", WS_CLOSE_TOO_BIG);
    buf_reset(&b);
    add(&b, 0x01, filled(&text, 60000));
    add(&b, 0x80, filled(&text, 10000));
    expect(buf_bytes(&b), "T[70000]", 0);
    buf_reset(&b);
    add(&b, 0x01, BYTES(""));
    for (unsigned i = 1; i < WS_FRAGMENTS_MAX; i++)
        add(&b, 0x00, BYTES(""));
    expect(buf_bytes(&b), "", 0);
    size_t most = b.len;
    add(&b, 0x80, BYTES(""));
    expect(buf_bytes(&b), "", WS_CLOSE_TOO_BIG);
    b.len = most - 6; /* the last one that may be is also the last of the message */
    add(&b, 0x80, BYTES("end"));
    expect(buf_bytes(&b), "T(end)", 0);
    buf_release(&b);
    buf_release(&text);
}

/* A header that declares much must not make us allocate much. */
static void test_memory_follows_arrival(void **state)
{
    struct ws_state s = {0};
    struct outcome o = {.code = WS_CLOSE_NONE};
    (void)state;
    struct bytes start = BYTES("\x81\xFF\0\0\0\0\x00\xFF\xFF\xFF\x01\x02\x03\x04"
                               "abc");
    assert_int_equal(ws_read(&s, start, 1u << 24, &hooks, &o), 0);
    assert_true(ws_is_partial(&s));
    assert_true(s.partial->cap <= 4096);
    ws_state_release(&s);
    ws_state_release(&s);
    assert_false(ws_is_partial(&s));
}

/* At rest there is no memory: not after whole frames, and not after partial ones are complete. */
static void test_rest_is_empty(void **state)
{
    struct buf b = {0};
    struct ws_state s = {0};
    struct outcome o = {.code = WS_CLOSE_NONE};
    (void)state;
    add(&b, 0x01, BYTES("ab"));
    add(&b, 0x80, BYTES("cd"));
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(ws_read(&s, bytes_of(b.p + i, 1), 100, &hooks, &o), 0);
        if (i + 1 < b.len)
            assert_true(ws_is_partial(&s));
        if (i == 0)
            s.late_s = 7;
        assert_int_equal(s.late_s, i + 1 < b.len ? 7 : 0);
    }
    assert_false(ws_is_partial(&s));
    assert_int_equal(o.events, 1);
    buf_release(&o.seen);
    buf_release(&b);
}

static void test_stop(void **state)
{
    struct buf b = {0};
    struct ws_state s = {0};
    struct outcome o = {.stop_after = 2};
    (void)state;
    for (int i = 0; i < 4; i++)
        add(&b, 0x81, BYTES("a"));
    assert_int_equal(ws_read(&s, buf_bytes(&b), 100, &hooks, &o), 0);
    assert_int_equal(o.events, 2);
    ws_state_release(&s);
    buf_release(&o.seen);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_fails_early),
        cmocka_unit_test(test_closes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory_follows_arrival),
        cmocka_unit_test(test_rest_is_empty),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
