#include <sys/resource.h>

#include "world.h"

static enum err try_listen(struct world *w, const char *host_port, const char **why)
{
    *why = NULL;
    return net_listen(w->net, host_port, NET_DOOR_PUBLIC, why);
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {
        "",        "localhost", "127.0.0.1",       "127.0.0.1:",  "::1:80",
        "[::1:80", "[]:80",     "127.0.0.1:99999", "127.0.0.1:x", "no such host:80"};
    struct world w;
    const char *why;
    (void)state;
    world_init(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(try_listen(&w, bad[i], &why), ERR_io);
        assert_non_null(why);
        assert_memory_equal(why, "cannot listen on ", 17);
    }
    assert_int_equal(w.net->listener_count, 1);
    world_release(&w);
}

static void test_taken_port(void **state)
{
    struct world w;
    char name[40];
    const char *why;
    (void)state;
    world_init(&w);
    snprintf(name, sizeof name, "127.0.0.1:%u", net_port(w.net, NET_DOOR_PUBLIC));
    assert_int_equal(try_listen(&w, name, &why), ERR_io);
    assert_non_null(strstr(why, strerror(EADDRINUSE)));
    world_release(&w);
}

/* Two doors have a port each; one that nobody opened has none. */
static void test_doors(void **state)
{
    struct world w;
    const char *why = NULL;
    (void)state;
    world_init(&w);
    uint16_t public = net_port(w.net, NET_DOOR_PUBLIC);
    assert_true(public > 0);
    assert_int_equal(net_port(w.net, NET_DOOR_APP), 0);
    assert_int_equal(net_listen(w.net, "127.0.0.1:0", NET_DOOR_APP, &why), ERR_ok);
    assert_true(net_port(w.net, NET_DOOR_APP) > 0);
    assert_int_not_equal(net_port(w.net, NET_DOOR_APP), public);
    assert_int_equal(net_port(w.net, NET_DOOR_PUBLIC), public);
    world_release(&w);
}

/* A name with several addresses gets one port on all of them. */
static void test_one_port(void **state)
{
    struct world w;
    const char *why;
    (void)state;
    world_init(&w);
    assert_int_equal(try_listen(&w, "localhost:0", &why), ERR_ok);
    uint16_t port = 0;
    for (uint32_t i = 1; i < w.net->listener_count; i++) {
        struct sockaddr_in6 at = {0}; /* the port is at the same place in both families */
        socklen_t len = sizeof at;
        assert_int_equal(getsockname(w.net->listeners[i].fd, (struct sockaddr *)&at, &len), 0);
        uint16_t this_port = ntohs(at.sin6_port);
        assert_true(port == 0 || port == this_port);
        port = this_port;
    }
    assert_true(port > 0);
    world_release(&w);
}

/* Without descriptors nothing is accepted and nothing spins; with one that comes free it goes on.
 */
static void test_no_descriptors(void **state)
{
    struct world w;
    struct rlimit old, low;
    (void)state;
    world_init(&w);
    struct client *first = client_new(&w);
    say(first, BYTES(GET("/a")));
    until_text(first, BYTES("\r\n\r\n/a"));
    struct client *second = client_new(&w);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)second->fd + 1; /* every number below is in use */
    int spare[64] = {0}, spares = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (spares < 64 && (spare[spares] = dup(0)) >= 0)
        spares++;
    say(second, BYTES(GET("/b")));
    turns(&w, 5);
    assert_int_equal(second->in.len, 0);
    assert_true(w.net->accept_paused);
    client_close(first);
    until_text(second, BYTES("\r\n\r\n/b"));
    assert_false(w.net->accept_paused);
    while (spares > 0)
        close(spare[--spares]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_addresses),  cmocka_unit_test(test_taken_port),
        cmocka_unit_test(test_doors),          cmocka_unit_test(test_one_port),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
