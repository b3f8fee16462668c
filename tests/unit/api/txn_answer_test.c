#include "api/txn_answer.h"
#include "base/codec.h"
#include "txn_testing.h"

/* The results of `body`'s operations, written as its answer. */
static void assert_answer(const char *body, bool is_else, const struct txn_result *results,
                          size_t count, const char *wanted)
{
    struct txn_plan plan;
    struct problem problem;
    struct writer encoded = {0};
    struct writer text = {0};
    assert_int_equal(parse(body, &plan, &problem), OK);
    for (size_t i = 0; i < count; i++) {
        txn_result_encode(&results[i], &encoded);
    }
    const struct command_result result = {
        .e = OK, .revision = 43, .has_failed = is_else, .results = writer_slice(&encoded)};
    api_txn_write_answer(&text, &plan, &result);
    writer_u8(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
    writer_deinit(&text);
    writer_deinit(&encoded);
    api_txn_plan_deinit(&plan);
}

static void each_operation_has_an_object(void **state)
{
    (void)state;
    const struct txn_result results[] = {
        {.type = TXN_PUT, .mod_revision = 43, .create_revision = 43, .version = 1, .ttl_ms = 1500},
        {.type = TXN_DELETE, .existed = true},
        {.type = TXN_GET,
         .existed = true,
         .has_record = true,
         .mod_revision = 7,
         .create_revision = 5,
         .version = 2,
         .lease = 0xab,
         .content_type = SLICE_LITERAL("text/plain"),
         .value = SLICE_LITERAL("x\"y")},
        {.type = TXN_GET},
        {.type = TXN_DELETE_RANGE, .number = 3, .existed = true},
    };
    assert_answer("{\"then\":[{\"put\":\"a\",\"value\":\"1\"},{\"delete\":\"b\"},{\"get\":\"c\"},"
                  "{\"get\":\"d\"},{\"delete_prefix\":\"t/\"}]}",
                  false, results, ARRAY_COUNT(results),
                  "{\"succeeded\":true,\"revision\":43,\"results\":["
                  "{\"key\":\"a\",\"created\":true,\"etag\":\"43\",\"version\":1,"
                  "\"create_revision\":43,\"ttl\":1.500},"
                  "{\"key\":\"b\",\"deleted\":1},"
                  "{\"key\":\"c\",\"found\":true,\"etag\":\"7\",\"version\":2,"
                  "\"create_revision\":5,\"lease\":\"00000000000000ab\",\"value\":\"x\\\"y\","
                  "\"content_type\":\"text/plain\"},"
                  "{\"key\":\"d\",\"found\":false},"
                  "{\"prefix\":\"t/\",\"deleted\":3}]}\n");
}

static void numbers_sizes_and_times_are_told(void **state)
{
    (void)state;
    const struct txn_result results[] = {
        {.type = TXN_ADD,
         .existed = true,
         .number = (uint64_t)INT64_MIN,
         .mod_revision = 43,
         .create_revision = 1,
         .version = 9},
        {.type = TXN_APPEND, .number = 12, .mod_revision = 43, .create_revision = 43, .version = 1},
        {.type = TXN_TOUCH,
         .existed = true,
         .mod_revision = 3,
         .create_revision = 3,
         .version = 1,
         .ttl_ms = 60000},
        {.type = TXN_DELETE_RANGE},
    };
    assert_answer("{\"then\":[],\"else\":[{\"incr\":\"n\"},{\"append\":\"s\",\"value\":\"1\"},"
                  "{\"touch\":\"t\",\"ttl\":60},{\"delete\":\"u\",\"end\":\"v\"}]}",
                  true, results, ARRAY_COUNT(results),
                  "{\"succeeded\":false,\"revision\":43,\"results\":["
                  "{\"key\":\"n\",\"number\":\"-9223372036854775808\",\"created\":false,"
                  "\"etag\":\"43\",\"version\":9,\"create_revision\":1},"
                  "{\"key\":\"s\",\"size\":12,\"created\":true,\"etag\":\"43\",\"version\":1,"
                  "\"create_revision\":43},"
                  "{\"key\":\"t\",\"etag\":\"3\",\"version\":1,\"create_revision\":3,"
                  "\"ttl\":60.000},"
                  "{\"key\":\"u\",\"end\":\"v\",\"deleted\":0}]}\n");
}

static void what_was_there_is_told_apart_from_what_is(void **state)
{
    (void)state;
    const struct txn_result results[] = {
        {.type = TXN_PUT,
         .existed = true,
         .has_record = true,
         .mod_revision = 43,
         .create_revision = 1,
         .version = 2,
         .value = SLICE_LITERAL("\xff")},
        {.type = TXN_PUT, .mod_revision = 43, .create_revision = 43, .version = 1},
        {.type = TXN_ADD,
         .existed = true,
         .has_record = true,
         .number = 2,
         .mod_revision = 43,
         .create_revision = 1,
         .version = 2,
         .value = SLICE_LITERAL("2")},
        {.type = TXN_DELETE,
         .existed = true,
         .has_record = true,
         .value = SLICE_LITERAL("9"),
         .content_type = SLICE_LITERAL("a/b")},
    };
    assert_answer("{\"then\":[{\"put_base64\":\"/w==\",\"value\":\"1\",\"return\":\"old\"},"
                  "{\"put\":\"b\",\"value\":\"1\",\"return\":\"old\"},"
                  "{\"incr\":\"c\",\"return\":\"new\"},{\"delete\":\"d\",\"return\":\"old\"}]}",
                  false, results, ARRAY_COUNT(results),
                  "{\"succeeded\":true,\"revision\":43,\"results\":["
                  "{\"key_base64\":\"/w==\",\"created\":false,\"etag\":\"43\",\"version\":2,"
                  "\"create_revision\":1,\"old_value_base64\":\"/w==\"},"
                  "{\"key\":\"b\",\"created\":true,\"etag\":\"43\",\"version\":1,"
                  "\"create_revision\":43},"
                  "{\"key\":\"c\",\"number\":\"2\",\"created\":false,\"etag\":\"43\","
                  "\"version\":2,\"create_revision\":1,\"value\":\"2\"},"
                  "{\"key\":\"d\",\"deleted\":1,\"old_value\":\"9\",\"content_type\":\"a/b\"}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_an_object),
        cmocka_unit_test(numbers_sizes_and_times_are_told),
        cmocka_unit_test(what_was_there_is_told_apart_from_what_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
