#include "world.h"

#include "base/json_read.h"

/* One record of each type with its payload, byte by byte: this is the file format. */
struct example {
    struct record record;
    struct bytes payload;
    const char *json;
};

#define TIME    INT64_C(0x0102030405060708)
#define TIME_LE "\x08\x07\x06\x05\x04\x03\x02\x01"
#define ID                                                                                         \
    {                                                                                              \
        {                                                                                          \
            0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x46, 0x17, 0x98, 0x19, 0x1a, 0x1b, 0x1c, 0x1d,    \
                0x1e, 0x1f                                                                         \
        }                                                                                          \
    }
#define ID_BYTES  "\x10\x11\x12\x13\x14\x15\x46\x17\x98\x19\x1a\x1b\x1c\x1d\x1e\x1f"
#define ID_TEXT   "10111213-1415-4617-9819-1a1b1c1d1e1f"
#define HASH      "0123456789abcdefFEDCBA9876543210"
#define TIME_TEXT "72623859790382856"

/* clang-format off */
static const struct example examples[] = {
    {{.type = RECORD_user_create,
      .user_create = {.time = TIME,
                      .id = ID,
                      .username = BYTES("An\"na"),
                      .username_key = BYTES("anna"),
                      .email = BYTES(""),
                      .email_key = BYTES(""),
                      .password = BYTES("secret")}},
     BYTES(TIME_LE ID_BYTES "\x05" "An\"na" "\x04" "anna" "\x00" "\x00" "\x06" "secret"),
     "{\"record\":\"user_create\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"username\":\"An\\\"na\",\"username_key\":\"anna\",\"email\":\"\",\"email_key\":\"\","
     "\"password\":\"(hidden)\"}"},
    {{.type = RECORD_session_create,
      .session_create = {.time = -1,
                         .id = ID,
                         .user = 0xfffffffe,
                         .token = {{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
                                    'b', 'c', 'd', 'e', 'f', 'F', 'E', 'D', 'C', 'B', 'A',
                                    '9', '8', '7', '6', '5', '4', '3', '2', '1', '0'}},
                         .replaces = {{0}},
                         .sessions_max = 64,
                         .platform = 3,
                         .build = 0x01020304,
                         .device_id = BYTES("d"),
                         .model = BYTES(""),
                         .name = BYTES("n\0m")}},
     BYTES("\xff\xff\xff\xff\xff\xff\xff\xff" ID_BYTES "\xfe\xff\xff\xff" HASH
           "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\x40\0\0\0" "\x03" "\x04\x03\x02\x01" "\x01\0\0\0" "d"
           "\0\0\0\0" "\x03\0\0\0" "n\0m"),
     "{\"record\":\"session_create\",\"time\":-1,\"id\":\"" ID_TEXT
     "\",\"user\":4294967294,\"token\":\"(hidden)\",\"replaces\":"
     "\"00000000-0000-0000-0000-000000000000\",\"sessions_max\":64,\"platform\":3,\"build\":16909060,"
     "\"device_id\":\"d\",\"model\":\"\",\"name\":\"n\\u0000m\"}"},
    {{.type = RECORD_group_create,
      .group_create = {.time = TIME,
                       .id = ID,
                       .owner = 2,
                       .groups_max = 9,
                       .name = BYTES("g"),
                       .members = {(const uint8_t *)"\2\0\0\0\0\1\0\0", 2}}},
     BYTES(TIME_LE ID_BYTES "\2\0\0\0" "\x09\0\0\0" "\1\0\0\0" "g" "\2\0\0\0" "\2\0\0\0" "\0\1\0\0"),
     "{\"record\":\"group_create\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"owner\":2,\"groups_max\":9,\"name\":\"g\",\"members\":[2,256]}"},
    {{.type = RECORD_member_add,
      .member_add = {
          .time = TIME, .group = 1, .user = 2, .by = 3, .members_max = 4, .groups_max = 5}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\4\0\0\0" "\5\0\0\0"),
     "{\"record\":\"member_add\",\"time\":" TIME_TEXT ",\"group\":1,\"user\":2,\"by\":3,"
     "\"members_max\":4,\"groups_max\":5}"},
    {{.type = RECORD_member_remove,
      .member_remove = {.time = INT64_MIN, .group = 1, .user = 2, .by = 3}},
     BYTES("\0\0\0\0\0\0\0\x80" "\1\0\0\0" "\2\0\0\0" "\3\0\0\0"),
     "{\"record\":\"member_remove\",\"time\":-9223372036854775808,\"group\":1,\"user\":2,"
     "\"by\":3}"},
    {{.type = RECORD_message_post,
      .message_post = {.time = TIME,
                       .id = ID,
                       .group = 1,
                       .author = 2,
                       .client_id = BYTES("c"),
                       .data = BYTES("\xff")}},
     BYTES(TIME_LE ID_BYTES "\1\0\0\0" "\2\0\0\0" "\1" "c" "\1\0\0\0" "\xff"),
     "{\"record\":\"message_post\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"group\":1,\"author\":2,\"client_id\":\"c\",\"data\":\"(not UTF-8)\"}"},
    {{.type = RECORD_receipt_mark,
      .receipt_mark = {.time = TIME, .group = 1, .user = 2, .seq = 3, .kind = 1}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\1"),
     "{\"record\":\"receipt_mark\",\"time\":" TIME_TEXT
     ",\"group\":1,\"user\":2,\"seq\":3,\"kind\":1}"},
    {{.type = RECORD_session_end, .session_end = {.time = TIME, .user = 2, .id = ID}},
     BYTES(TIME_LE "\2\0\0\0" ID_BYTES),
     "{\"record\":\"session_end\",\"time\":" TIME_TEXT ",\"user\":2,\"id\":\"" ID_TEXT "\"}"},
    {{.type = RECORD_sessions_end, .sessions_end = {.time = TIME, .user = 2, .except = ID}},
     BYTES(TIME_LE "\2\0\0\0" ID_BYTES),
     "{\"record\":\"sessions_end\",\"time\":" TIME_TEXT ",\"user\":2,\"except\":\"" ID_TEXT "\"}"},
    {{.type = RECORD_message_update,
      .message_update = {.time = TIME, .group = 1, .seq = 2, .by = 3, .data = BYTES("new")}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\3\0\0\0" "new"),
     "{\"record\":\"message_update\",\"time\":" TIME_TEXT
     ",\"group\":1,\"seq\":2,\"by\":3,\"data\":\"new\"}"},
    {{.type = RECORD_message_delete,
      .message_delete = {.time = TIME, .group = 1, .seq = 2, .by = 3}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0"),
     "{\"record\":\"message_delete\",\"time\":" TIME_TEXT ",\"group\":1,\"seq\":2,\"by\":3}"},
    {{.type = RECORD_message_react,
      .message_react = {.time = TIME,
                        .group = 1,
                        .seq = 2,
                        .by = 3,
                        .remove = 1,
                        .user_max = 4,
                        .message_max = 5,
                        .emojis_max = 6,
                        .emoji = BYTES("+1")}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\1" "\4\0\0\0" "\5\0\0\0" "\6\0\0\0"
           "\2" "+1"),
     "{\"record\":\"message_react\",\"time\":" TIME_TEXT
     ",\"group\":1,\"seq\":2,\"by\":3,\"remove\":1,\"user_max\":4,\"message_max\":5,"
     "\"emojis_max\":6,\"emoji\":\"+1\"}"},
    {{.type = RECORD_message_send,
      .message_send = {.time = TIME,
                       .id = ID,
                       .group = 1,
                       .author = 2,
                       .reply_to = 3,
                       .mentions = {(const uint8_t *)"\4\0\0\0" "\5\0\0\0", 2},
                       .client_id = BYTES("c"),
                       .meta = BYTES("{}"),
                       .data = BYTES("hi")}},
     BYTES(TIME_LE ID_BYTES "\1\0\0\0" "\2\0\0\0" "\3\0\0\0"
           "\2\0\0\0" "\4\0\0\0" "\5\0\0\0" "\1" "c" "\2\0\0\0" "{}" "\2\0\0\0" "hi"),
     "{\"record\":\"message_send\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"group\":1,\"author\":2,\"reply_to\":3,\"mentions\":[4,5],\"client_id\":\"c\","
     "\"meta\":\"{}\",\"data\":\"hi\"}"},
    {{.type = RECORD_member_role,
      .member_role = {.time = TIME, .group = 1, .user = 2, .by = 3, .role = 2}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\2"),
     "{\"record\":\"member_role\",\"time\":" TIME_TEXT
     ",\"group\":1,\"user\":2,\"by\":3,\"role\":2}"},
    {{.type = RECORD_group_update,
      .group_update = {.time = TIME,
                       .group = 1,
                       .by = 2,
                       .fields = 7,
                       .join = 1,
                       .history = 0,
                       .name = BYTES("n")}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\7" "\1" "\0" "\1\0\0\0" "n"),
     "{\"record\":\"group_update\",\"time\":" TIME_TEXT
     ",\"group\":1,\"by\":2,\"fields\":7,\"join\":1,\"history\":0,\"name\":\"n\"}"},
    {{.type = RECORD_group_delete, .group_delete = {.time = TIME, .group = 1, .by = 2}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0"),
     "{\"record\":\"group_delete\",\"time\":" TIME_TEXT ",\"group\":1,\"by\":2}"},
    {{.type = RECORD_group_make,
      .group_make = {.time = TIME,
                     .id = ID,
                     .owner = 2,
                     .groups_max = 9,
                     .join = 1,
                     .history = 1,
                     .name = BYTES("g"),
                     .members = {(const uint8_t *)"\2\0\0\0\0\1\0\0", 2}}},
     BYTES(TIME_LE ID_BYTES "\2\0\0\0" "\x09\0\0\0" "\1" "\1" "\1\0\0\0" "g" "\2\0\0\0"
           "\2\0\0\0" "\0\1\0\0"),
     "{\"record\":\"group_make\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"owner\":2,\"groups_max\":9,\"join\":1,\"history\":1,\"name\":\"g\","
     "\"members\":[2,256]}"},
    {{.type = RECORD_member_leave,
      .member_leave = {.time = TIME, .group = 1, .user = 2, .by = 3}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0"),
     "{\"record\":\"member_leave\",\"time\":" TIME_TEXT ",\"group\":1,\"user\":2,\"by\":3}"},
    {{.type = RECORD_direct_open,
      .direct_open = {.time = TIME, .id = ID, .by = 1, .user = 2, .groups_max = 3}},
     BYTES(TIME_LE ID_BYTES "\1\0\0\0" "\2\0\0\0" "\3\0\0\0"),
     "{\"record\":\"direct_open\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"by\":1,\"user\":2,\"groups_max\":3}"},
    {{.type = RECORD_user_update,
      .user_update = {.time = TIME,
                      .user = 1,
                      .tokens = 2,
                      .except = ID,
                      .fields = 7,
                      .display_name = BYTES("N"),
                      .email = BYTES("E"),
                      .email_key = BYTES("e"),
                      .password = BYTES("secret")}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" ID_BYTES "\7" "\1\0\0\0" "N" "\1" "E" "\1" "e" "\6"
           "secret"),
     "{\"record\":\"user_update\",\"time\":" TIME_TEXT ",\"user\":1,\"tokens\":2,\"except\":\"" ID_TEXT
     "\",\"fields\":7,\"display_name\":\"N\",\"email\":\"E\",\"email_key\":\"e\","
     "\"password\":\"(hidden)\"}"},
    {{.type = RECORD_session_open,
      .session_open = {.time = TIME,
                       .id = ID,
                       .user = 1,
                       .tokens = 2,
                       .token = {{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
                                  'b', 'c', 'd', 'e', 'f', 'F', 'E', 'D', 'C', 'B', 'A',
                                  '9', '8', '7', '6', '5', '4', '3', '2', '1', '0'}},
                       .replaces = ID,
                       .sessions_max = 64,
                       .platform = 3,
                       .build = 4,
                       .device_id = BYTES("d"),
                       .model = BYTES("m"),
                       .name = BYTES("n")}},
     BYTES(TIME_LE ID_BYTES "\1\0\0\0" "\2\0\0\0" HASH ID_BYTES "\x40\0\0\0" "\3" "\4\0\0\0"
           "\1\0\0\0" "d" "\1\0\0\0" "m" "\1\0\0\0" "n"),
     "{\"record\":\"session_open\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"user\":1,\"tokens\":2,\"token\":\"(hidden)\",\"replaces\":\"" ID_TEXT
     "\",\"sessions_max\":64,\"platform\":3,\"build\":4,\"device_id\":\"d\",\"model\":\"m\","
     "\"name\":\"n\"}"},
    {{.type = RECORD_user_delete, .user_delete = {.time = TIME, .user = 1, .tokens = 2}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0"),
     "{\"record\":\"user_delete\",\"time\":" TIME_TEXT ",\"user\":1,\"tokens\":2}"},
    {{.type = RECORD_message_erase, .message_erase = {.time = TIME, .group = 1, .seq = 2}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0"),
     "{\"record\":\"message_erase\",\"time\":" TIME_TEXT ",\"group\":1,\"seq\":2}"},
    {{.type = RECORD_user_erased, .user_erased = {.time = TIME, .user = 1}},
     BYTES(TIME_LE "\1\0\0\0"),
     "{\"record\":\"user_erased\",\"time\":" TIME_TEXT ",\"user\":1}"},
    {{.type = RECORD_user_block,
      .user_block = {
          .time = TIME, .user = 1, .tokens = 2, .whom = 3, .remove = 1, .blocks_max = 5}},
     BYTES(TIME_LE "\1\0\0\0" "\2\0\0\0" "\3\0\0\0" "\1" "\5\0\0\0"),
     "{\"record\":\"user_block\",\"time\":" TIME_TEXT
     ",\"user\":1,\"tokens\":2,\"whom\":3,\"remove\":1,\"blocks_max\":5}"},
    {{.type = RECORD_app_user_create,
      .app_user_create = {.time = TIME,
                          .id = ID,
                          .external_id = BYTES("e"),
                          .username = BYTES("U"),
                          .username_key = BYTES("u")}},
     BYTES(TIME_LE ID_BYTES "\1" "e" "\1" "U" "\1" "u"),
     "{\"record\":\"app_user_create\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"external_id\":\"e\",\"username\":\"U\",\"username_key\":\"u\"}"},
    {{.type = RECORD_app_user_rename,
      .app_user_rename = {
          .time = TIME, .user = 2, .username = BYTES("U"), .username_key = BYTES("u")}},
     BYTES(TIME_LE "\2\0\0\0" "\1" "U" "\1" "u"),
     "{\"record\":\"app_user_rename\",\"time\":" TIME_TEXT
     ",\"user\":2,\"username\":\"U\",\"username_key\":\"u\"}"},
    {{.type = RECORD_hook_create,
      .hook_create = {.time = TIME,
                      .id = ID,
                      .hooks_max = 3,
                      .after = UINT64_C(0x1112131415161718),
                      .types = {(const uint8_t *)"\x14\0\0\0\x46\0\0\0", 2},
                      .secret = BYTES("key"),
                      .url = BYTES("http://h/")}},
     BYTES(TIME_LE ID_BYTES "\3\0\0\0" "\x18\x17\x16\x15\x14\x13\x12\x11" "\2\0\0\0" "\x14\0\0\0"
           "\x46\0\0\0" "\3" "key" "\x09\0\0\0" "http://h/"),
     "{\"record\":\"hook_create\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"hooks_max\":3,\"after\":1230066625199609624,\"types\":[20,70],"
     "\"secret\":\"(hidden)\",\"url\":\"http://h/\"}"},
    {{.type = RECORD_hook_delete, .hook_delete = {.time = TIME, .id = ID}},
     BYTES(TIME_LE ID_BYTES),
     "{\"record\":\"hook_delete\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT "\"}"},
    {{.type = RECORD_hook_progress, .hook_progress = {.time = TIME, .id = ID, .cursor = 258}},
     BYTES(TIME_LE ID_BYTES "\2\1\0\0\0\0\0\0"),
     "{\"record\":\"hook_progress\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"cursor\":258}"},
    {{.type = RECORD_hook_update,
      .hook_update = {.time = TIME,
                      .id = ID,
                      .until = 258,
                      .fields = 7,
                      .types = {(const uint8_t *)"\x14\0\0\0", 1},
                      .secret = BYTES("key"),
                      .url = BYTES("http://h/")}},
     BYTES(TIME_LE ID_BYTES "\2\1\0\0\0\0\0\0" "\7" "\1\0\0\0" "\x14\0\0\0" "\3" "key"
           "\x09\0\0\0" "http://h/"),
     "{\"record\":\"hook_update\",\"time\":" TIME_TEXT ",\"id\":\"" ID_TEXT
     "\",\"until\":258,\"fields\":7,\"types\":[20],\"secret\":\"(hidden)\",\"url\":\"http://h/\"}"},
    {{.type = RECORD_epoch_renew, .epoch_renew = {.time = TIME, .epoch = ID}},
     BYTES(TIME_LE ID_BYTES),
     "{\"record\":\"epoch_renew\",\"time\":" TIME_TEXT ",\"epoch\":\"" ID_TEXT "\"}"},
    {{.type = RECORD_messages_expire, .messages_expire = {.time = TIME, .group = 1, .up_to = 7}},
     BYTES(TIME_LE "\1\0\0\0" "\7\0\0\0"),
     "{\"record\":\"messages_expire\",\"time\":" TIME_TEXT ",\"group\":1,\"up_to\":7}"},
    {{.type = RECORD_group_retention,
      .group_retention = {.time = TIME, .group = 1, .by = 3, .days = 30}},
     BYTES(TIME_LE "\1\0\0\0" "\3\0\0\0" "\36\0\0\0"),
     "{\"record\":\"group_retention\",\"time\":" TIME_TEXT ",\"group\":1,\"by\":3,\"days\":30}"},
};
/* clang-format on */

static void assert_bytes(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.p, wanted.p, wanted.len);
}

/* Every number of record.def is here once, and none other is known. */
static void test_numbers(void **state)
{
    static const struct {
        uint16_t type;
        const char *name;
    } known[] = {
#define RECORD(number, name, fields) {number, #name},
#include "model/record.def"
#undef RECORD
    };
    uint32_t found = 0;
    (void)state;
    assert_int_equal(COUNT_OF(examples), COUNT_OF(known));
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        const char *name = record_name((uint16_t)type);
        if (found < COUNT_OF(known) && known[found].type == type) {
            assert_string_equal(name, known[found].name);
            assert_int_equal(examples[found].record.type, type);
            found++;
        } else {
            assert_null(name);
        }
    }
    assert_int_equal(found, COUNT_OF(known));
}

static void test_layout(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct buf out = {0};
        struct record r;
        record_encode(&examples[i].record, &out);
        assert_bytes(buf_bytes(&out), examples[i].payload);
        assert_true(record_decode((uint16_t)examples[i].record.type, buf_bytes(&out), &r));
        assert_int_equal(r.type, examples[i].record.type);
        struct buf again = {0};
        record_encode(&r, &again);
        assert_bytes(buf_bytes(&again), examples[i].payload);
        buf_release(&again);
        buf_release(&out);
    }
}

static void test_encode_adds(void **state)
{
    (void)state;
    struct buf out = {0};
    BUF_ADD_LIT(&out, "before");
    record_encode(&examples[3].record, &out);
    assert_int_equal(out.len, 6 + examples[3].payload.len);
    assert_memory_equal(out.p, "before", 6);
    buf_release(&out);
}

/* In memory of its own size, so that a read beyond it is seen by the sanitizers. */
static bool decodes(uint16_t type, struct bytes payload)
{
    struct record r;
    uint8_t *exact = xmalloc(payload.len);
    if (payload.len > 0)
        memcpy(exact, payload.p, payload.len);
    bool decoded = record_decode(type, bytes_of(exact, payload.len), &r);
    free(exact);
    return decoded;
}

static void test_wrong_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        uint16_t type = (uint16_t)examples[i].record.type;
        struct buf longer = {0};
        for (size_t len = 0; len < examples[i].payload.len; len++)
            assert_false(decodes(type, bytes_of(examples[i].payload.p, len)));
        assert_true(decodes(type, examples[i].payload));
        buf_add_bytes(&longer, examples[i].payload);
        buf_add_u8(&longer, 0);
        assert_false(decodes(type, buf_bytes(&longer)));
        buf_release(&longer);
        assert_false(decodes(0, examples[i].payload));
        assert_false(decodes(UINT16_MAX, examples[i].payload));
        assert_false(decodes((uint16_t)(type + 256), examples[i].payload));
    }
}

/* Lengths that promise more than there is, up to what would wrap around. */
static void test_hostile_lengths(void **state)
{
    static const uint32_t lengths[] = {2,          255,        256,        0x3fffffff, 0x40000000,
                                       0x40000001, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct buf group = {0}, message = {0};
        buf_add_bytes(&group, BYTES(TIME_LE ID_BYTES "\2\0\0\0"
                                                     "\0\0\0\0"));
        buf_add_u32le(&group, lengths[i]);
        buf_add_u32le(&group, 7);
        assert_false(decodes(RECORD_group_create, buf_bytes(&group)));
        buf_add_bytes(&message, BYTES(TIME_LE ID_BYTES "\1\0\0\0"
                                                       "\2\0\0\0"
                                                       "\0"));
        buf_add_u32le(&message, lengths[i]);
        buf_add_u8(&message, 'x');
        assert_false(decodes(RECORD_message_post, buf_bytes(&message)));
        buf_release(&group);
        buf_release(&message);
    }
}

static void test_longest_text8(void **state)
{
    (void)state;
    uint8_t text[255];
    memset(text, 'x', sizeof text);
    struct record r = examples[0].record, out;
    r.user_create.username = r.user_create.password = bytes_of(text, sizeof text);
    struct buf payload = {0};
    record_encode(&r, &payload);
    assert_true(record_decode(RECORD_user_create, buf_bytes(&payload), &out));
    assert_bytes(out.user_create.username, bytes_of(text, sizeof text));
    assert_bytes(out.user_create.password, bytes_of(text, sizeof text));
    assert_bytes(out.user_create.username_key, BYTES("anna"));
    buf_release(&payload);
}

static void test_print(void **state)
{
    (void)state;
    crypto_init();
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct buf out = {0};
        struct arena arena = {0};
        struct json root;
        record_print(&examples[i].record, &out);
        assert_bytes(buf_bytes(&out), bytes_cstr(examples[i].json));
        assert_int_equal(
            json_read(buf_bytes(&out), (struct json_limits){2, 64}, &arena, &root, NULL), ERR_ok);
        arena_release(&arena);
        buf_release(&out);
    }
}

/* What a model was given decodes, and encodes to the same bytes. */
static void test_history(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 1, "x");
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    assert_int_equal(world_remove(w, 1, 3, 1), ERR_ok);
    struct record session = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &session), ERR_ok);
    for (uint32_t i = 0; i < w->count; i++) {
        struct bytes payload = bytes_of(w->payloads.p + w->records[i].at, w->records[i].len);
        struct record r;
        struct buf again = {0};
        assert_true(record_decode(w->records[i].type, payload, &r));
        record_encode(&r, &again);
        assert_bytes(buf_bytes(&again), payload);
        buf_release(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_layout),
        cmocka_unit_test(test_encode_adds),     cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_hostile_lengths), cmocka_unit_test(test_longest_text8),
        cmocka_unit_test(test_print),           WORLD_TEST(test_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
