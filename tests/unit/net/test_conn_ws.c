#include "world.h"

/* Queues `text` for a connection as one frame of the given size, numbered. */
static struct frame *numbered(unsigned number, size_t len)
{
    struct buf b = {0};
    buf_printf(&b, "%08u", number);
    buf_reserve(&b, len);
    while (b.len < len)
        buf_add_u8(&b, (uint8_t)('a' + b.len % 26));
    struct frame *f = frame_new_text(buf_bytes(&b));
    buf_release(&b);
    return f;
}

static void send_numbered(struct conn *c, unsigned number, size_t len)
{
    struct frame *f = numbered(number, len);
    conn_send(c, f);
    frame_unref(f);
}

/* A walk over the frames that a client got. False at the end of what is there. */
struct got {
    size_t at;
    unsigned first;
    struct bytes payload;
};

static bool got_next(struct client *k, struct got *g)
{
    const uint8_t *p = k->in.p + g->at;
    size_t left = k->in.len - g->at, head = 2, len;
    if (left < 2)
        return false;
    len = p[1];
    if (len >= 126) {
        size_t more = len == 126 ? 2 : 8;
        head += more;
        if (left < head)
            return false;
        len = 0;
        for (size_t i = 0; i < more; i++)
            len = len << 8 | p[2 + i];
    }
    if (left - head < len)
        return false;
    g->first = p[0];
    g->payload = bytes_of(p + head, len);
    g->at += head + len;
    return true;
}

static void test_upgrade_and_echo(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    /* The first message comes in the same packet as the handshake. */
    say(k, BYTES(HANDSHAKE "\x81\x82\0\0\0\0hi"));
    until_text(k, BYTES("\x81\x02hi"));
    assert_memory_equal(k->in.p, "HTTP/1.1 101 ", 13);
    assert_non_null(memmem(k->in.p, k->in.len, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28));
    log_is(&w, "/ws <hi> ");
    forget(k);
    say_frame(k, 0x01, BYTES("frag"));
    say_frame(k, 0x00, BYTES(""));
    say_frame(k, 0x80, BYTES("ments"));
    until_text(k, BYTES("fragments"));
    got_is(k, BYTES("\x81\x09"
                    "fragments"));
    world_release(&w);
}

/* Pipelined in front of the handshake: the answers keep their order. */
static void test_upgrade_behind_a_request(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/later") HANDSHAKE "\x81\x81\0\0\0\0x"));
    until_count(&w, &w.requests, 1);
    turns(&w, 2);
    log_is(&w, "/later ");
    answer(w.held, 200, BYTES("one"));
    conn_release(w.held);
    until_text(k, BYTES("\x81\x01x"));
    assert_memory_equal(k->in.p, "HTTP/1.1 200 ", 13);
    log_is(&w, "/later /ws <x> ");
    world_release(&w);
}

static void test_big_messages(void **state)
{
    struct world w;
    struct buf text = {0};
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    buf_reserve(&text, 65535);
    memset(text.p, 'x', 65535);
    text.len = 65535;
    for (int i = 0; i < 20; i++) {
        say_frame(k, 0x81, buf_bytes(&text));
        until_len(k, 65535 + 4);
        assert_memory_equal(k->in.p, "\x81\x7e\xff\xffxxxx", 8);
        forget(k);
    }
    /* Declared too long: refused before it comes. */
    say(k, BYTES("\x81\xff\0\0\0\0\0\x01\x86\xa1"));
    until_eof(k);
    got_is(k, BYTES("\x88\x02\x03\xf1"));
    buf_release(&text);
    world_release(&w);
}

static void test_pings(void **state)
{
    struct world w;
    struct buf flood = {0};
    struct got g = {0};
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    say_frame(k, 0x89, BYTES("ping"));
    until_text(k, BYTES("\x8A\x04ping"));
    got_is(k, BYTES("\x8A\x04ping"));
    forget(k);
    /* 2000 pings in one packet: the newest is answered, and not all. */
    for (unsigned i = 0; i < 2000; i++)
        buf_printf(&flood, "\x89\x84%c%c%c%c%04u", 0, 0, 0, 0, i);
    say(k, buf_bytes(&flood));
    until_text(k, BYTES("\x8A\x04"
                        "1999"));
    unsigned pongs = 0;
    while (got_next(k, &g)) {
        assert_int_equal(g.first, 0x8A);
        pongs++;
    }
    assert_true(pongs < 2000);
    assert_int_equal(g.at, k->in.len);
    buf_release(&flood);
    world_release(&w);
}

static void test_client_closes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *bare = client_ws(&w), *rude = client_ws(&w);
    say_frame(k, 0x88,
              BYTES("\x0f\xa0"
                    "bye"));
    until_eof(k);
    got_is(k, BYTES("\x88\x02\x0f\xa0")); /* its own code */
    say_frame(bare, 0x88, BYTES(""));
    until_eof(bare);
    got_is(bare, BYTES("\x88\x02\x03\xe8"));
    client_close(k);
    client_close(bare);
    client_close(rude);
    until(&w, all_gone, NULL);
    assert_int_equal(w.closed, 3);
    assert_int_equal(w.messages, 0);
    world_release(&w);
}

static void test_server_closes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *deaf = client_ws(&w);
    struct conn *second = w.sockets[1];
    say_frame(k, 0x81, BYTES("quit"));
    until_text(k, BYTES("\x88\x06\x0f\xa1gone"));
    until_count(&w, &w.closed, 1);
    say_frame(k, 0x81, BYTES("not read any more"));
    turns(&w, 3);
    assert_false(k->eof); /* its own close is waited for */
    say_frame(k, 0x88, BYTES("\x0f\xa1"));
    until_eof(k);
    assert_int_equal(w.messages, 1);
    /* One who never answers. */
    conn_close(second, WS_CLOSE_REPLACED, BYTES(""));
    send_text(second, BYTES("dropped"));
    until_text(deaf, BYTES("\x88\x02\x0f\xa9"));
    turns(&w, 3);
    assert_false(deaf->eof);
    net_skip_time(w.net, DUE_CLOSE_S + 2);
    until_eof(deaf);
    got_is(deaf, BYTES("\x88\x02\x0f\xa9"));
    assert_int_equal(w.closed, 2);
    world_release(&w);
}

/* The close frame of the peer is cut in two while we wait for it. */
static void test_server_closes_peer_drips(void **state)
{
    struct world w;
    struct bytes frame = BYTES("\x88\x82\0\0\0\0\x03\xe8");
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    say(k, bytes_of(frame.p, 3));
    turns(&w, 3);
    conn_close(w.sockets[0], WS_CLOSE_NORMAL, BYTES(""));
    until_text(k, BYTES("\x88\x02\x03\xe8"));
    say(k, bytes_of(frame.p + 3, frame.len - 3));
    until_eof(k);
    world_release(&w);
}

static void test_protocol_error(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *text = client_ws(&w), *binary = client_ws(&w);
    say_frame(k, 0x81, BYTES("a"));
    say(k, BYTES("\x81\x01x")); /* not masked */
    until_eof(k);
    got_is(k, BYTES("\x81\x01"
                    "a\x88\x02\x03\xea"));
    say_frame(text, 0x81, BYTES("\xff"));
    until_eof(text);
    got_is(text, BYTES("\x88\x02\x03\xef"));
    say_frame(binary, 0x82, BYTES("b"));
    until_eof(binary);
    got_is(binary, BYTES("\x88\x02\x03\xeb"));
    assert_int_equal(w.closed, 3);
    world_release(&w);
}

/* What one turn queues for many sockets arrives at each, in order: the same for most of them, so
 * that what was joined for one serves the next, with some that differ in between. */
static void test_fan_out(void **state)
{
    struct world w;
    struct client *k[8];
    (void)state;
    world_init(&w);
    for (int i = 0; i < 8; i++)
        k[i] = client_ws(&w);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned event = 0; event < 5; event++) {
            struct frame *f = numbered(round * 10 + event, 100 + event);
            for (unsigned i = 0; i < 8; i++) {
                if (i == 3 && event == 2)
                    send_text(w.sockets[i], BYTES("only you"));
                if (i != 5 || event != 4)
                    conn_send(w.sockets[i], f);
            }
            frame_unref(f);
        }
        assert_true(conn_queued(w.sockets[0]) > 500);
        for (unsigned i = 0; i < 8; i++) {
            struct got g = {0};
            until_len(k[i], i == 5 ? 4 * 102 + 6 : i == 3 ? 5 * 102 + 20 : 5 * 102 + 10);
            for (unsigned event = 0; event < 5; event++) {
                char want[16];
                if (i == 5 && event == 4)
                    break;
                assert_true(got_next(k[i], &g));
                if (i == 3 && event == 2) {
                    assert_true(bytes_equal(g.payload, BYTES("only you")));
                    assert_true(got_next(k[i], &g));
                }
                snprintf(want, sizeof want, "%08u", round * 10 + event);
                assert_memory_equal(g.payload.p, want, 8);
                assert_int_equal(g.payload.len, 100 + event);
            }
            assert_int_equal(g.at, k[i]->in.len);
            forget(k[i]);
        }
        assert_int_equal(conn_queued(w.sockets[0]), 0);
    }
    world_release(&w);
}

/* Queues that are longer than a block, a joined run and an array of parts. */
static void test_long_queues(void **state)
{
    static const struct {
        unsigned count;
        size_t len;
    } rows[] = {{16, 20}, {15, 9}, {200, 900}, {100, 1500}, {3, 60000}, {1000, 150}};
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct got g = {0};
        for (unsigned i = 0; i < rows[r].count; i++)
            send_numbered(w.sockets[0], i, rows[r].len);
        until_len(k, conn_queued(w.sockets[0]));
        for (unsigned i = 0; i < rows[r].count; i++) {
            char want[16];
            assert_true(got_next(k, &g));
            snprintf(want, sizeof want, "%08u", i);
            assert_memory_equal(g.payload.p, want, 8);
            assert_int_equal(g.payload.len, rows[r].len);
        }
        assert_int_equal(g.at, k->in.len);
        assert_null(w.sockets[0]->head); /* at rest there is no block */
        forget(k);
    }
    world_release(&w);
}

/* A reader who does not read is told to come again, and what it gets are whole frames. */
static void test_slow_reader(void **state)
{
    struct world w;
    struct got g = {0};
    unsigned last = 0, count = 0;
    (void)state;
    world_init(&w);
    struct client *slow = client_ws(&w), *other = client_ws(&w);
    struct conn *c = w.sockets[0];
    client_pause(slow);
    unsigned sent = 0;
    while (w.closed == 0) {
        assert_true(sent < 100000);
        send_numbered(c, sent++, 3001);
        assert_true(c->state != CONN_WEBSOCKET || conn_queued(c) <= 200000 + 3005);
        if (sent % 10 == 0)
            turns(&w, 1);
    }
    assert_true(conn_queued(c) < 3005 + 20); /* what waited has been dropped */
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_SLOW], 1);
    client_go_on(slow);
    until_text(slow, BYTES("\x88\x0a\x03\xf5too slow"));
    while (got_next(slow, &g) && g.first == 0x81) {
        assert_int_equal(g.payload.len, 3001);
        last = (unsigned)strtoul((const char *)g.payload.p, NULL, 10);
        assert_int_equal(last, count++); /* nothing is missing in between */
    }
    assert_int_equal(g.first, 0x88);
    assert_true(count > 0 && count < sent);
    say_frame(slow, 0x88, BYTES("\x03\xf5"));
    until_eof(slow);
    /* The others go on. */
    say_frame(other, 0x81, BYTES("fine"));
    until_text(other, BYTES("fine"));
    world_release(&w);
}

/* One who never reads again is gone after the closing handshake's time. */
static void test_dead_reader(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    struct conn *c = w.sockets[0];
    client_pause(k);
    for (unsigned i = 0; w.closed == 0; i++) {
        assert_true(i < 100000);
        send_numbered(c, i, 3000);
        if (i % 10 == 0)
            turns(&w, 1);
    }
    net_skip_time(w.net, DUE_CLOSE_S + 2);
    turns(&w, 2);
    assert_int_equal(net_count(w.net), 0);
    world_release(&w);
}

/* A burst above the limit to one who reads is no reason to close. */
static void test_burst(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    for (unsigned i = 0; i < 21; i++)
        send_numbered(w.sockets[0], i, 9996);
    until_len(k, 21u * 10000);
    assert_int_equal(w.closed, 0);
    world_release(&w);
}

static void test_drained(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w);
    struct conn *c = w.sockets[0];
    conn_want_drained(c);
    until_count(&w, &w.drained, 1); /* nothing waits: told at the turn's end */
    turns(&w, 2);
    assert_int_equal(w.drained, 1); /* once */
    client_pause(k);
    unsigned sent = 0;
    do {
        send_numbered(c, sent++, 9996);
        turns(&w, 1);
    } while (conn_queued(c) == 0);
    conn_want_drained(c);
    turns(&w, 5);
    assert_int_equal(w.drained, 1);
    client_go_on(k);
    until_count(&w, &w.drained, 2);
    until_len(k, (size_t)sent * 10000);
    world_release(&w);
}

static void test_silence(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *dead = client_ws(&w), *chatty = client_ws(&w);
    net_skip_time(w.net, 24);
    say_frame(chatty, 0x81, BYTES("x"));
    until_text(chatty, BYTES("x"));
    assert_int_equal(k->in.len, 0);
    net_skip_time(w.net, 3);
    until_text(k, BYTES("\x89"));
    got_is(k, BYTES("\x89\x00"));
    until_text(dead, BYTES("\x89"));
    say_frame(k, 0x8A, BYTES(""));
    turns(&w, 3);
    assert_int_equal(chatty->in.len, 3); /* it was heard meanwhile */
    forget(k);
    net_skip_time(w.net, 20);
    assert_int_equal(net_count(w.net), 3);
    net_skip_time(w.net, 6);
    until_eof(dead); /* two silences */
    got_is(dead, BYTES("\x89\x00"));
    until_text(k, BYTES("\x89"));
    until_text(chatty, BYTES("\x89"));
    assert_int_equal(w.closed, 1);
    assert_int_equal(net_count(w.net), 2);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_SILENT], 1);
    assert_int_equal(net_stats(w.net)->upgraded, 3);
    assert_int_equal(net_stats(w.net)->websockets_closed, 1);
    world_release(&w);
}

/* Deadlines that are further away than the wheel has slots. */
static void test_long_silence(void **state)
{
    struct world w;
    struct net_options options = world_options;
    options.ping_interval_s = 3000;
    (void)state;
    world_init_with(&w, &options);
    struct client *k = client_ws(&w);
    for (int i = 0; i < 29; i++)
        net_skip_time(w.net, 100);
    turns(&w, 3);
    assert_int_equal(k->in.len, 0);
    net_skip_time(w.net, 102);
    until_text(k, BYTES("\x89"));
    net_skip_time(w.net, 2900);
    turns(&w, 3);
    assert_int_equal(net_count(w.net), 1);
    net_skip_time(w.net, 102);
    until_eof(k);
    world_release(&w);
}

/* Sends bytes and lets the server read them. */
static void drip(struct world *w, struct client *k, struct bytes bytes)
{
    say(k, bytes);
    turns(w, 3);
}

#define LATE "\x88\x1b\x03\xf0the message took too long"

/* A message that has begun has its deadline, whatever signs of life there are meanwhile. */
static void test_late_messages(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *frame = client_ws(&w), *fragment = client_ws(&w), *pings = client_ws(&w);
    drip(&w, frame, BYTES("\x81"));
    say_frame(fragment, 0x01, BYTES("a"));
    turns(&w, 3);
    for (int i = 0; i < 3; i++) {
        net_skip_time(w.net, 10);
        drip(&w, frame, i == 0 ? BYTES("\xff") : BYTES("\0"));
        say_frame(fragment, i == 1 ? 0x89 : 0x00, BYTES("b"));
        say_frame(pings, 0x8A, BYTES(""));
        turns(&w, 3);
    }
    got_is(frame, BYTES(""));
    got_is(fragment, BYTES("\x8a\x01"
                           "b"));
    net_skip_time(w.net, 1);
    until_text(frame, BYTES("too long"));
    until_text(fragment, BYTES("too long"));
    got_is(frame, BYTES(LATE));
    got_is(fragment, BYTES("\x8a\x01"
                           "b" LATE));
    got_is(pings, BYTES(""));
    net_skip_time(w.net, DUE_CLOSE_S + 1); /* no close frame of theirs comes */
    until_eof(frame);
    until_eof(fragment);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_MESSAGE], 2);
    assert_int_equal(w.closed, 2);
    assert_int_equal(net_count(w.net), 1);
    world_release(&w);
}

/* The deadline is one message's: who always has some message under way is not late. */
static void test_messages_without_a_pause(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *frames = client_ws(&w), *fragments = client_ws(&w), *pongs = client_ws(&w);
    drip(&w, frames, BYTES("\x81\x81"));
    say_frame(fragments, 0x01, BYTES("x"));
    drip(&w, pongs, BYTES("\x8a\x80"));
    for (int i = 0; i < 5; i++) {
        net_skip_time(w.net, 29);
        drip(&w, frames, BYTES("\1\2\3\4x\x81\x81"));
        say_frame(fragments, 0x80, BYTES("y"));
        drip(&w, fragments, BYTES("\x01\x81\1\2\3\4y"));
        drip(&w, pongs, BYTES("\1\2\3\4\x8a\x80"));
    }
    assert_int_equal(net_count(w.net), 3);
    assert_int_equal(w.closed, 0);
    net_skip_time(w.net, 31);
    until_text(frames, BYTES("too long"));
    until_text(fragments, BYTES("too long"));
    until_text(pongs, BYTES("too long"));
    world_release(&w);
}

static void test_reset_by_peer(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *other = client_ws(&w);
    struct conn *c = w.sockets[0];
    struct linger now = {.l_onoff = 1};
    conn_hold(c);
    assert_int_equal(setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    client_close(k);
    send_text(c, BYTES("lost"));
    until_count(&w, &w.closed, 1);
    assert_false(conn_is_open(c));
    send_text(c, BYTES("harmless"));
    conn_want_drained(c);
    conn_close(c, WS_CLOSE_NORMAL, BYTES(""));
    turns(&w, 2);
    assert_int_equal(w.drained, 0);
    conn_release(c);
    say_frame(other, 0x81, BYTES("fine"));
    until_text(other, BYTES("fine"));
    assert_int_equal(net_count(w.net), 1);
    world_release(&w);
}

/* net_free with work under way: what is open is told, nothing leaks. */
static void test_free_under_way(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_ws(&w), *http = client_new(&w);
    (void)client_new(&w);
    say_frame(k, 0x01, BYTES("a fragment"));
    say(k, BYTES("\x80\x8a\1"));
    say(http, BYTES("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"));
    turns(&w, 5);
    send_text(w.sockets[0], BYTES("never written"));
    assert_int_equal(net_count(w.net), 3);
    world_release(&w);
    assert_int_equal(w.closed, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade_and_echo),
        cmocka_unit_test(test_upgrade_behind_a_request),
        cmocka_unit_test(test_big_messages),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_client_closes),
        cmocka_unit_test(test_server_closes),
        cmocka_unit_test(test_server_closes_peer_drips),
        cmocka_unit_test(test_protocol_error),
        cmocka_unit_test(test_fan_out),
        cmocka_unit_test(test_long_queues),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_dead_reader),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_drained),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_long_silence),
        cmocka_unit_test(test_late_messages),
        cmocka_unit_test(test_messages_without_a_pause),
        cmocka_unit_test(test_reset_by_peer),
        cmocka_unit_test(test_free_under_way),
    };
    return cmocka_run_group_tests_name("conn_ws", tests, NULL, NULL);
}
