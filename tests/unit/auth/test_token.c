#include "auth/token.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crypto.h"

#define ID      "00112233-4455-4677-8899-aabbccddeeff"
#define HEADER  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS  "{\"user_id\":\"" ID "\",\"exp\":1700000000}"
#define EXPIRES 1700000000

static struct token_key key;
static struct uuid user_id;

static int setup(void **state)
{
    (void)state;
    crypto_init();
    for (size_t i = 0; i < sizeof key.b; i++)
        key.b[i] = (uint8_t)i;
    return uuid_parse(BYTES(ID), &user_id) ? 0 : -1;
}

static enum err verify(struct bytes token, int64_t now_s)
{
    struct token_claims got = {.expires_s = -1};
    enum err err = token_verify(&key, token, now_s, &got);

    if (err == ERR_ok)
        assert_true(uuid_equal(&got.user_id, &user_id) && got.expires_s > now_s);
    else
        assert_true(uuid_is_zero(&got.user_id) && got.expires_s == -1);
    return err;
}

static void issue(const struct token_key *with, int64_t expires_s, struct buf *out)
{
    token_issue(with, &(struct token_claims){user_id, expires_s, 0}, out);
}

static void add_base64(struct buf *out, struct bytes s)
{
    char text[256];

    assert_true(crypto_base64_len(s.len) <= sizeof text);
    crypto_base64_encode(s, text);
    buf_add(out, text, crypto_base64_len(s.len));
}

/* Signs whatever `out` holds, as somebody would who has the key. */
static void add_signature(struct buf *out)
{
    uint8_t mac[CRYPTO_HMAC_LEN];

    crypto_hmac_sha256(bytes_of(key.b, sizeof key.b), buf_bytes(out), mac);
    buf_add_u8(out, '.');
    add_base64(out, bytes_of(mac, sizeof mac));
}

/* Is a well signed token of this header and these claims taken, at EXPIRES - 1? */
static enum err verify_signed(struct bytes header, struct bytes claims)
{
    struct buf token = {0};

    add_base64(&token, header);
    buf_add_u8(&token, '.');
    add_base64(&token, claims);
    add_signature(&token);
    enum err err = verify(buf_bytes(&token), EXPIRES - 1);
    buf_release(&token);
    return err;
}

/* Made with another implementation of RFC 7519 and RFC 4648. */
static void test_known_token(void **state)
{
    (void)state;
    struct buf token = {0};
    struct bytes known = BYTES("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                               "eyJ1c2VyX2lkIjoiMDAxMTIyMzMtNDQ1NS00Njc3LTg4OTktYWFiYmNjZGRlZWZm"
                               "IiwiZXhwIjoxNzAwMDAwMDAwfQ."
                               "4HzaykbZ86eWgaQNTILATx_Y9XNlsGwuOi0R-IBsW48");

    issue(&key, EXPIRES, &token);
    assert_true(bytes_equal(buf_bytes(&token), known));
    assert_int_equal(verify(known, 0), ERR_ok);
    buf_release(&token);
}

static void test_issue_adds(void **state)
{
    (void)state;
    struct buf out = {0};

    BUF_ADD_LIT(&out, "before ");
    issue(&key, INT64_MAX, &out);
    assert_memory_equal(out.p, "before eyJ", 10);
    assert_int_equal(verify(bytes_of(out.p + 7, out.len - 7), INT64_MAX - 1), ERR_ok);
    assert_int_equal(verify(bytes_of(out.p + 7, out.len - 7), INT64_MAX), ERR_unauthorized);
    buf_reset(&out);
    issue(&key, 0, &out);
    assert_int_equal(verify(buf_bytes(&out), -1), ERR_ok);
    assert_int_equal(verify(buf_bytes(&out), 0), ERR_unauthorized);
    buf_release(&out);
}

/* "gen" stands there only where it is not 0: that token has one spelling too. */
static void test_generations(void **state)
{
    (void)state;
    struct bytes header = BYTES(HEADER);
    struct buf token = {0};

    for (uint64_t generation = 0; generation <= UINT32_MAX; generation = 3 * generation + 1) {
        struct token_claims claims = {user_id, INT64_MAX, (uint32_t)generation}, got;
        buf_reset(&token);
        token_issue(&key, &claims, &token);
        assert_int_equal(token_verify(&key, buf_bytes(&token), 0, &got), ERR_ok);
        assert_int_equal(got.generation, generation);
    }
    buf_release(&token);
#define WITH(end) BYTES("{\"user_id\":\"" ID "\",\"exp\":1700000000" end)
    assert_int_equal(verify_signed(header, WITH(",\"gen\":1}")), ERR_ok);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":4294967295}")), ERR_ok);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":0}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":01}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":-1}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":4294967296}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":1")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(",\"gen\":1,\"gen\":1}")), ERR_unauthorized);
    assert_int_equal(verify_signed(header, WITH(", \"gen\":1}")), ERR_unauthorized);
#undef WITH
}

static void test_expiry(void **state)
{
    (void)state;
    struct buf token = {0};

    issue(&key, EXPIRES, &token);
    assert_int_equal(verify(buf_bytes(&token), EXPIRES - 1), ERR_ok);
    assert_int_equal(verify(buf_bytes(&token), EXPIRES), ERR_unauthorized);
    assert_int_equal(verify(buf_bytes(&token), EXPIRES + 1), ERR_unauthorized);
    buf_release(&token);
}

static void test_other_key(void **state)
{
    (void)state;
    struct buf token = {0};
    struct token_key other = key;

    other.b[31] ^= 1;
    issue(&other, EXPIRES, &token);
    assert_int_equal(verify(buf_bytes(&token), 0), ERR_unauthorized);
    buf_release(&token);
}

/* Every bit of every byte counts, and so does the length. */
static void test_every_change_is_refused(void **state)
{
    (void)state;
    struct buf token = {0};

    issue(&key, EXPIRES, &token);
    for (size_t i = 0; i < token.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            token.p[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(verify(buf_bytes(&token), 0), ERR_unauthorized);
            token.p[i] ^= (uint8_t)(1 << bit);
        }
        assert_int_equal(verify(bytes_of(token.p, i), 0), ERR_unauthorized);
        assert_int_equal(verify(bytes_of(token.p + 1 + i, token.len - 1 - i), 0), ERR_unauthorized);
    }
    assert_int_equal(verify(buf_bytes(&token), 0), ERR_ok);
    BUF_ADD_LIT(&token, "=");
    assert_int_equal(verify(buf_bytes(&token), 0), ERR_unauthorized);
    buf_grow(&token, 100000);
    memset(token.p + token.len, 'A', 100000);
    assert_int_equal(verify(bytes_of(token.p, token.len + 100000), 0), ERR_unauthorized);
    assert_int_equal(verify((struct bytes){NULL, 0}, 0), ERR_unauthorized);
    buf_release(&token);
}

static void test_other_headers(void **state)
{
    (void)state;
    struct bytes claims = BYTES(CLAIMS);

    assert_int_equal(verify_signed(BYTES(HEADER), claims), ERR_ok);
    assert_int_equal(verify_signed(BYTES("{\"alg\":\"none\",\"typ\":\"JWT\"}"), claims),
                     ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES("{\"alg\":\"HS512\",\"typ\":\"JWT\"}"), claims),
                     ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES("{\"typ\":\"JWT\",\"alg\":\"HS256\"}"), claims),
                     ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES("{\"alg\": \"HS256\",\"typ\":\"JWT\"}"), claims),
                     ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES("{\"alg\":\"HS256\"}"), claims), ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES(""), claims), ERR_unauthorized);
}

static void test_other_claims(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "{}",
        "{\"user_id\":\"" ID "\"}",
        "{\"user_id\":\"" ID "\",\"exp\":}",
        "{\"user_id\":\"" ID "\",\"exp\":1700000000",
        "{\"user_id\":\"" ID "\",\"exp\":1700000000} ",
        "{\"user_id\":\"" ID "\",\"exp\":1700000000}}",
        "{\"user_id\":\"" ID "\",\"exp\":1700000000,\"x\":1}",
        "{\"user_id\":\"" ID "\",\"exp\":01700000000}",
        "{\"user_id\":\"" ID "\",\"exp\":+1700000000}",
        "{\"user_id\":\"" ID "\",\"exp\":1700000000.0}",
        "{\"user_id\":\"" ID "\",\"exp\":\"1700000000\"}",
        "{\"user_id\":\"" ID "\",\"exp\":1e10}",
        "{\"user_id\":\"" ID "\",\"exp\":-1}",
        "{\"user_id\":\"" ID "\",\"exp\":9223372036854775808}",
        "{\"user_id\":\"" ID "\",\"exp\":18446744073709551617}",
        "{\"user_id\":\"" ID "\",\"exp\":99999999999999999999999999999999}",
        "{\"user_id\":\"" ID "\", \"exp\":1700000000}",
        "{\"exp\":1700000000,\"user_id\":\"" ID "\"}",
        "{\"user_id\":\"00112233-4455-4677-8899-AABBCCDDEEFF\",\"exp\":1700000000}",
        "{\"user_id\":\"00112233-4455-4677-8899-aabbccddeef\",\"exp\":1700000000}",
        "{\"user_id\":\"00112233-4455-4677-8899-aabbccddeefg\",\"exp\":1700000000}",
        "{\"user_id\":\"00112233445546778899aabbccddeeff\",\"exp\":1700000000}",
        "{\"user_id\":\"\",\"exp\":1700000000}",
    };

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(verify_signed(BYTES(HEADER), bytes_cstr(refused[i])), ERR_unauthorized);
    assert_int_equal(verify_signed(BYTES(HEADER), BYTES(CLAIMS)), ERR_ok);
}

/* Well signed, but the claims are not in the one encoding that they have. */
static void test_other_encodings(void **state)
{
    (void)state;
    struct buf plain = {0};
    struct buf token = {0};

    add_base64(&plain, BYTES(HEADER));
    buf_add_u8(&plain, '.');
    /* One digit more: 68 bytes, so that the last character has unused bits. */
    add_base64(&plain, BYTES("{\"user_id\":\"" ID "\",\"exp\":17000000000}"));

    buf_add_bytes(&token, buf_bytes(&plain));
    add_signature(&token);
    assert_int_equal(verify(buf_bytes(&token), 0), ERR_ok);

    static const char *const tails[] = {"=", "==", ".", " ", "\n", "A", "+", "/"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        buf_reset(&token);
        buf_add_bytes(&token, buf_bytes(&plain));
        buf_add_bytes(&token, bytes_cstr(tails[i]));
        add_signature(&token);
        assert_int_equal(verify(buf_bytes(&token), 0), ERR_unauthorized);
    }
    /* Any other last character: another value, or the same bytes with unused bits set. */
    for (int c = 0; c < 256; c++) {
        buf_reset(&token);
        buf_add_bytes(&token, buf_bytes(&plain));
        if (token.p[token.len - 1] == c)
            continue;
        token.p[token.len - 1] = (uint8_t)c;
        add_signature(&token);
        assert_int_equal(verify(buf_bytes(&token), 0), ERR_unauthorized);
    }
    buf_release(&plain);
    buf_release(&token);
}

/* ---- the key file ------------------------------------------------------------------------- */

struct place {
    char dir[64];
    char file[80];
    char temp[80];
};

static struct place place_new(void)
{
    struct place p;

    (void)snprintf(p.dir, sizeof p.dir, "/tmp/test-token-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    (void)snprintf(p.file, sizeof p.file, "%s/key", p.dir);
    (void)snprintf(p.temp, sizeof p.temp, "%s/key.new", p.dir);
    return p;
}

static void place_remove(const struct place *p)
{
    (void)unlink(p->file);
    (void)unlink(p->temp);
    assert_int_equal(rmdir(p->dir), 0);
}

static void put_file(const char *path, size_t len, mode_t mode)
{
    uint8_t bytes[64];

    memset(bytes, 0x5a, sizeof bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* Loading fails in this way, says why, and leaves *out alone. */
static void check_refused(const struct place *p, bool may_create, enum err expected)
{
    struct token_key loaded;
    struct token_key untouched;
    const char *why = NULL;

    memset(&loaded, 0xee, sizeof loaded);
    untouched = loaded;
    assert_int_equal(token_key_load(p->dir, may_create, &loaded, &why), expected);
    assert_non_null(why);
    assert_memory_equal(&loaded, &untouched, sizeof loaded);
    assert_int_equal(token_key_load(p->dir, may_create, &loaded, NULL), expected);
}

static void test_key_is_made_once(void **state)
{
    (void)state;
    struct place p = place_new();
    struct token_key first;
    struct token_key second;
    struct stat st;

    check_refused(&p, false, ERR_not_found);
    mode_t mask = umask(0777);
    assert_int_equal(token_key_load(p.dir, true, &first, NULL), ERR_ok);
    (void)umask(mask);
    assert_int_equal(stat(p.file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, TOKEN_KEY_LEN);
    assert_int_equal(access(p.temp, F_OK), -1);

    assert_int_equal(token_key_load(p.dir, true, &second, NULL), ERR_ok);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(token_key_load(p.dir, false, &second, NULL), ERR_ok);
    assert_memory_equal(&first, &second, sizeof first);

    /* Another directory, another key. */
    struct place q = place_new();
    assert_int_equal(token_key_load(q.dir, true, &second, NULL), ERR_ok);
    assert_memory_not_equal(&first, &second, sizeof first);
    place_remove(&q);
    place_remove(&p);
}

static void test_key_of_another_size(void **state)
{
    (void)state;
    struct place p = place_new();
    static const size_t sizes[] = {0, 1, 31, 33, 64};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put_file(p.file, sizes[i], 0600);
        check_refused(&p, true, ERR_io);
    }
    put_file(p.file, 32, 0600);
    struct token_key loaded;
    assert_int_equal(token_key_load(p.dir, false, &loaded, NULL), ERR_ok);
    assert_int_equal(loaded.b[31], 0x5a);
    place_remove(&p);
}

/* By the mode bits, so that it holds for root too. */
static void test_key_open_to_others(void **state)
{
    (void)state;
    struct place p = place_new();
    struct token_key loaded;

    put_file(p.file, 32, 0600);
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(p.file, 0600 | bit), 0);
        check_refused(&p, true, ERR_io);
    }
    assert_int_equal(chmod(p.file, 0400), 0);
    assert_int_equal(token_key_load(p.dir, false, &loaded, NULL), ERR_ok);
    place_remove(&p);
}

static void test_key_is_no_file(void **state)
{
    (void)state;
    struct place p = place_new();

    assert_int_equal(mkdir(p.file, 0700), 0);
    check_refused(&p, true, ERR_io);
    assert_int_equal(rmdir(p.file), 0);

    assert_int_equal(mkfifo(p.file, 0600), 0);
    check_refused(&p, true, ERR_io);
    assert_int_equal(unlink(p.file), 0);

    put_file(p.temp, 32, 0600);
    assert_int_equal(symlink("key.new", p.file), 0);
    check_refused(&p, true, ERR_io);
    /* Nor is one made behind a link that leads nowhere. */
    assert_int_equal(unlink(p.temp), 0);
    check_refused(&p, true, ERR_io);
    place_remove(&p);
}

static void test_no_directory(void **state)
{
    (void)state;
    struct place p = place_new();

    place_remove(&p);
    check_refused(&p, true, ERR_io);
    check_refused(&p, false, ERR_io);
    assert_int_equal(access(p.dir, F_OK), -1);
}

/* What a crash left does not stand in the way and is not taken for the key. */
static void test_remains_of_a_crash(void **state)
{
    (void)state;
    struct place p = place_new();
    struct token_key loaded;
    struct token_key again;

    put_file(p.temp, 32, 0666);
    check_refused(&p, false, ERR_not_found);
    assert_int_equal(token_key_load(p.dir, true, &loaded, NULL), ERR_ok);
    assert_int_not_equal(loaded.b[0] == 0x5a && loaded.b[1] == 0x5a && loaded.b[2] == 0x5a &&
                             loaded.b[31] == 0x5a,
                         true);
    assert_int_equal(access(p.temp, F_OK), -1);
    assert_int_equal(token_key_load(p.dir, false, &again, NULL), ERR_ok);
    assert_memory_equal(&loaded, &again, sizeof loaded);

    /* Remains that cannot be removed. */
    assert_int_equal(unlink(p.file), 0);
    assert_int_equal(mkdir(p.temp, 0700), 0);
    check_refused(&p, true, ERR_io);
    assert_int_equal(access(p.file, F_OK), -1);
    assert_int_equal(rmdir(p.temp), 0);
    place_remove(&p);
}

/* A disk that takes no more bytes: no key, and nothing left over. */
static void test_key_cannot_be_written(void **state)
{
    (void)state;
    struct place p = place_new();
    struct rlimit before;
    struct rlimit none;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 5;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    struct token_key loaded;
    const char *why = NULL;
    enum err err = token_key_load(p.dir, true, &loaded, &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);

    assert_int_equal(err, ERR_io);
    assert_non_null(why);
    assert_int_equal(access(p.file, F_OK), -1);
    assert_int_equal(access(p.temp, F_OK), -1);
    place_remove(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_token),         cmocka_unit_test(test_issue_adds),
        cmocka_unit_test(test_generations),         cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_other_key),           cmocka_unit_test(test_every_change_is_refused),
        cmocka_unit_test(test_other_headers),       cmocka_unit_test(test_other_claims),
        cmocka_unit_test(test_other_encodings),     cmocka_unit_test(test_key_is_made_once),
        cmocka_unit_test(test_key_of_another_size), cmocka_unit_test(test_key_open_to_others),
        cmocka_unit_test(test_key_is_no_file),      cmocka_unit_test(test_no_directory),
        cmocka_unit_test(test_remains_of_a_crash),  cmocka_unit_test(test_key_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
