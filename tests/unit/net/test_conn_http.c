#include "world.h"

/* The body of the nth answer that the client got, as far as it is there. */
static struct bytes answer_body(struct client *k, unsigned nth)
{
    struct bytes s = buf_bytes(&k->in);
    for (;;) {
        const uint8_t *end = s.len ? memmem(s.p, s.len, "\r\n\r\n", 4) : NULL;
        assert_non_null(end);
        const uint8_t *field = memmem(s.p, (size_t)(end - s.p), "content-length: ", 16);
        size_t len = field ? strtoul((const char *)field + 16, NULL, 10) : 0;
        size_t head = (size_t)(end - s.p) + 4;
        assert_true(s.len - head >= len);
        if (nth-- == 0)
            return bytes_of(s.p + head, len);
        s = bytes_of(s.p + head + len, s.len - head - len);
    }
}

static void test_pipelining(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/a") "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" GET(
               "/c")));
    until_text(k, BYTES("\r\n\r\n/c"));
    assert_true(bytes_equal(answer_body(k, 0), BYTES("/a")));
    assert_true(bytes_equal(answer_body(k, 1), BYTES("body")));
    assert_true(bytes_equal(answer_body(k, 2), BYTES("/c")));
    log_is(&w, "/a /body /c ");
    assert_int_equal(net_count(w.net), 1);
    world_release(&w);
}

/* While a request has no answer, nothing behind it is read. */
static void test_later_answer_keeps_order(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/later") GET("/b")));
    until_count(&w, &w.requests, 1);
    say(k, BYTES(GET("/c")));
    turns(&w, 5);
    log_is(&w, "/later ");
    assert_int_equal(k->in.len, 0);
    assert_true(conn_is_open(w.held));
    answer(w.held, 200, BYTES("first"));
    conn_release(w.held);
    until_text(k, BYTES("\r\n\r\n/c"));
    assert_true(bytes_equal(answer_body(k, 0), BYTES("first")));
    assert_true(bytes_equal(answer_body(k, 1), BYTES("/b")));
    log_is(&w, "/later /b /c ");
    world_release(&w);
}

static void test_one_byte_pieces(void **state)
{
    struct world w;
    struct bytes text = BYTES("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabc\r\n0\r\n\r\n" GET("/next"));
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    for (size_t i = 0; i < text.len; i++) {
        say(k, bytes_of(text.p + i, 1));
        turns(&w, 1);
    }
    until_text(k, BYTES("\r\n\r\n/next"));
    assert_true(bytes_equal(answer_body(k, 0), BYTES("abc")));
    world_release(&w);
}

/* More than one turn's worth of requests in one packet. */
static void test_many_pipelined(void **state)
{
    struct world w;
    struct buf b = {0};
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
    say(k, buf_bytes(&b));
    until_text(k, BYTES("\r\n\r\n/499"));
    for (unsigned i = 0; i < 500; i += 83) {
        buf_reset(&b);
        buf_printf(&b, "/%u", i);
        assert_true(bytes_equal(answer_body(k, i), buf_bytes(&b)));
    }
    buf_release(&b);
    world_release(&w);
}

/* Big answers to a client that does not read: no more requests are read than the limit allows. */
static void test_answers_wait_for_the_reader(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    client_pause(k);
    for (int i = 0; i < 50; i++)
        say(k, BYTES(GET("/big")));
    until_count(&w, &w.requests, 2);
    turns(&w, 100);
    assert_true(w.requests < 50);
    client_go_on(k);
    until_count(&w, &w.requests, 50);
    until_text(k, BYTES("\r\n\r\n"));
    size_t head = (size_t)((uint8_t *)memmem(k->in.p, k->in.len, "\r\n\r\n", 4) - k->in.p) + 4;
    until_len(k, 50 * (head + 300000));
    assert_int_equal(answer_body(k, 49).len, 300000);
    world_release(&w);
}

static void test_half_close(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/later") GET("/b")));
    assert_int_equal(shutdown(k->fd, SHUT_WR), 0);
    until_count(&w, &w.requests, 1);
    turns(&w, 3);
    answer(w.held, 200, BYTES("late"));
    conn_release(w.held);
    until_eof(k);
    assert_true(bytes_equal(answer_body(k, 0), BYTES("late")));
    assert_true(bytes_equal(answer_body(k, 1), BYTES("/b")));
    until(&w, all_gone, NULL);
    assert_int_equal(w.closed, 1);
    world_release(&w);
}

/* Half a request and then the end: nothing to answer. */
static void test_half_a_request(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES("GET / HT"));
    assert_int_equal(shutdown(k->fd, SHUT_WR), 0);
    until_eof(k);
    assert_int_equal(k->in.len, 0);
    assert_int_equal(w.requests, 0);
    world_release(&w);
}

static void test_client_goes_away(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/later")));
    until_count(&w, &w.requests, 1);
    struct linger now = {.l_onoff = 1}; /* a reset */
    assert_int_equal(setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    client_close(k);
    answer(w.held, 200, BYTES("nobody"));
    until_count(&w, &w.closed, 1);
    assert_false(conn_is_open(w.held));
    answer(w.held, 200, BYTES("again")); /* harmless */
    assert_int_equal(net_count(w.net), 0);
    conn_release(w.held);
    turns(&w, 2);
    /* The struct is used again. */
    k = client_new(&w);
    say(k, BYTES(GET("/a")));
    until_text(k, BYTES("\r\n\r\n/a"));
    assert_int_equal(w.net->chunk_count, 1);
    world_release(&w);
}

static void test_not_kept_alive(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w), *old = client_new(&w), *older = client_new(&w);
    say(k, BYTES("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/dropped")));
    until_eof(k);
    assert_non_null(memmem(k->in.p, k->in.len, "\r\nconnection: close\r\n", 21));
    say(old, BYTES("GET /old HTTP/1.0\r\n\r\n"));
    until_eof(old);
    assert_non_null(memmem(old->in.p, old->in.len, "\r\nconnection: close\r\n", 21));
    say(older, BYTES("HEAD /head HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    until_text(older, BYTES("\r\nconnection: keep-alive\r\n"));
    until_text(older, BYTES("\r\ncontent-length: 5\r\n"));
    turns(&w, 2);
    assert_memory_equal(older->in.p + older->in.len - 4, "\r\n\r\n", 4);
    log_is(&w, "/a /old /head ");
    world_release(&w);
}

/* The answer arrives although much more was on its way: no reset destroys it. */
static void test_bad_request_lingers(void **state)
{
    struct world w;
    struct buf junk = {0};
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    buf_add_bytes(&junk, BYTES("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"));
    buf_reserve(&junk, 100000);
    memset(junk.p + junk.len, 'j', 100000);
    junk.len += 100000;
    say(k, buf_bytes(&junk));
    until_text(k, BYTES("too_large"));
    say(k, BYTES("more"));
    until_eof(k);
    assert_memory_equal(k->in.p, "HTTP/1.1 413 ", 13);
    assert_non_null(memmem(k->in.p, k->in.len, "\r\nconnection: close\r\n", 21));
    assert_int_equal(w.closed, 1);
    assert_int_equal(net_count(w.net), 1); /* it waits for the client's end */
    client_close(k);
    until(&w, all_gone, NULL);
    log_is(&w, "bad:too_large ");
    buf_release(&junk);
    world_release(&w);
}

/* A client that never ends its half is not waited for for ever, nor one that never stops. */
static void test_lingering_is_bounded(void **state)
{
    struct world w;
    struct buf junk = {0};
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w), *loud = client_new(&w);
    say(k, BYTES("bad\r\n\r\n"));
    until_eof(k);
    assert_int_equal(net_count(w.net), 2);
    net_skip_time(w.net, DUE_CLOSE_S + 2);
    turns(&w, 2);
    assert_int_equal(net_count(w.net), 1);
    assert_int_equal(net_stats(w.net)->closed, 1);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_CLOSING], 1);
    say(loud, BYTES("bad\r\n\r\n"));
    until_eof(loud);
    buf_reserve(&junk, 60000);
    memset(junk.p, 'j', 60000);
    for (int i = 0; i < 100 && net_count(w.net); i++) {
        (void)!send(loud->fd, junk.p, 60000, MSG_NOSIGNAL | MSG_DONTWAIT);
        turns(&w, 2);
    }
    assert_int_equal(net_count(w.net), 0);
    buf_release(&junk);
    world_release(&w);
}

static void test_expect_continue(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES("POST /body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2\r\n\r\n"));
    until_text(k, BYTES("\r\n\r\n"));
    got_is(k, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
    say(k, BYTES("o"));
    turns(&w, 2);
    say(k, BYTES("k"));
    until_text(k, BYTES("\r\n\r\nok"));
    assert_memory_equal(k->in.p + 25, "HTTP/1.1 200 OK\r\n", 17);
    forget(k);
    say(k, BYTES("POST /body HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n"
                 "Content-Length: 2\r\n\r\n"));
    until_eof(k);
    assert_memory_equal(k->in.p, "HTTP/1.1 417 ", 13);
    world_release(&w);
}

static void test_head_deadline(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *silent = client_new(&w), *slow = client_new(&w), *drip = client_new(&w);
    say(slow, BYTES("GET / HTTP/1.1\r\n"));
    say(drip, BYTES("G"));
    turns(&w, 3);
    net_skip_time(w.net, 8);
    say(drip, BYTES("E")); /* a byte more is no excuse */
    turns(&w, 3);
    assert_int_equal(net_count(w.net), 3);
    net_skip_time(w.net, 4);
    until_eof(silent);
    assert_int_equal(silent->in.len, 0);
    until_eof(slow);
    assert_memory_equal(slow->in.p, "HTTP/1.1 408 ", 13);
    until_eof(drip);
    assert_memory_equal(drip->in.p, "HTTP/1.1 408 ", 13);
    log_is(&w, "bad:request_timeout bad:request_timeout ");
    assert_int_equal(net_stats(w.net)->accepted, 3);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_HEAD], 3);
    assert_int_equal(net_stats(w.net)->bytes_in, 18); /* what the two have said */
    world_release(&w);
}

static void test_body_and_idle_deadlines(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *body = client_new(&w), *idle = client_new(&w), *later = client_new(&w);
    say(body, BYTES("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"));
    say(idle, BYTES(GET("/a")));
    say(later, BYTES(GET("/later")));
    until_count(&w, &w.requests, 2);
    until_text(idle, BYTES("\r\n\r\n/a"));
    forget(idle);
    net_skip_time(w.net, 12); /* past the head's time, not the body's */
    turns(&w, 3);
    assert_int_equal(body->in.len, 0);
    net_skip_time(w.net, 5);
    until_eof(body);
    assert_memory_equal(body->in.p, "HTTP/1.1 408 ", 13);
    assert_false(idle->eof);
    net_skip_time(w.net, 50);
    until_eof(idle);
    assert_int_equal(idle->in.len, 0);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_BODY], 1);
    assert_int_equal(net_stats(w.net)->cut[NET_CUT_IDLE], 1);
    /* Who waits for our answer is not idle. */
    net_skip_time(w.net, 3000);
    turns(&w, 3);
    assert_true(conn_is_open(w.held));
    answer(w.held, 200, BYTES("at last"));
    conn_release(w.held);
    until_text(later, BYTES("at last"));
    world_release(&w);
}

static void test_connections_max(void **state)
{
    struct world w;
    struct net_options options = world_options;
    options.connections_max = 2;
    (void)state;
    world_init_with(&w, &options);
    struct client *a = client_new(&w), *b = client_new(&w), *c = client_new(&w);
    say(a, BYTES(GET("/a")));
    say(b, BYTES(GET("/b")));
    say(c, BYTES(GET("/c")));
    until_text(a, BYTES("\r\n\r\n/a"));
    until_text(b, BYTES("\r\n\r\n/b"));
    turns(&w, 5);
    assert_int_equal(net_count(w.net), 2);
    assert_int_equal(c->in.len, 0);
    client_close(a);
    until_text(c, BYTES("\r\n\r\n/c"));
    assert_int_equal(net_count(w.net), 2);
    world_release(&w);
}

static void test_drain(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct client *idle = client_new(&w), *later = client_new(&w), *partial = client_new(&w);
    struct client *ws = client_ws(&w);
    say(idle, BYTES(GET("/a")));
    say(later, BYTES(GET("/later")));
    say(partial, BYTES("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"));
    until_count(&w, &w.requests, 3);
    until_text(idle, BYTES("\r\n\r\n/a"));
    turns(&w, 3);
    net_drain(w.net);
    until_eof(idle);
    until_text(ws, BYTES("\x88\x02\x03\xe9")); /* 1001 */
    say_frame(ws, 0x88, BYTES("\x03\xe9"));
    until_eof(ws);
    answer(w.held, 200, BYTES("last"));
    conn_release(w.held);
    until_eof(later);
    assert_non_null(memmem(later->in.p, later->in.len, "\r\nconnection: close\r\n", 21));
    say(partial, BYTES("y"));
    until_text(partial, BYTES("\r\n\r\nxy"));
    until_eof(partial);
    client_close(ws);
    client_close(later);
    client_close(partial);
    until(&w, all_gone, NULL);
    assert_int_equal(w.closed, 4);
    world_release(&w);
}

static void test_address_and_data(void **state)
{
    struct world w;
    int mine;
    (void)state;
    world_init(&w);
    struct client *k = client_new(&w);
    say(k, BYTES(GET("/later")));
    until_count(&w, &w.requests, 1);
    struct conn_address a = conn_address(w.held);
    assert_memory_equal(a.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    assert_null(conn_data(w.held));
    conn_set_data(w.held, &mine);
    assert_ptr_equal(conn_data(w.held), &mine);
    conn_close(w.held, WS_CLOSE_NORMAL, BYTES("")); /* no WebSocket: it is just closed */
    conn_release(w.held);
    until_eof(k);
    assert_int_equal(k->in.len, 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_later_answer_keeps_order),
        cmocka_unit_test(test_one_byte_pieces),
        cmocka_unit_test(test_many_pipelined),
        cmocka_unit_test(test_answers_wait_for_the_reader),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_a_request),
        cmocka_unit_test(test_client_goes_away),
        cmocka_unit_test(test_not_kept_alive),
        cmocka_unit_test(test_bad_request_lingers),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_head_deadline),
        cmocka_unit_test(test_body_and_idle_deadlines),
        cmocka_unit_test(test_connections_max),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_address_and_data),
    };
    return cmocka_run_group_tests_name("conn_http", tests, NULL, NULL);
}
