#include "api_testing.h"

static void head_has_the_headers_of_get_and_no_body(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "12345");
    request(f, "HEAD /kv/a", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Length", "5");
    assert_field(f, "ETag", "\"1\"");
    assert_int_equal(f->body.size, 0);
    request(f, "HEAD /kv/none", "", NULL);
    assert_int_equal(f->status, 404);
    assert_field(f, "KV-Consistency", "linearizable");
    assert_int_equal(f->body.size, 0);
}

static void values_of_every_size_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    uint8_t *value = mem_alloc(VALUE_BYTES_MAX);
    for (size_t i = 0; i < VALUE_BYTES_MAX; i++) {
        value[i] = (uint8_t)(i * 7 + i / 256);
    }
    const size_t sizes[] = {0, 1, 4096, VALUE_BYTES_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        request_bytes(f, "PUT /kv/big", "", (struct slice){value, sizes[i]});
        assert_body(f, "OK");
        request(f, "GET /kv/big", "", NULL);
        assert_int_equal(f->status, 200);
        assert_int_equal(f->body.size, sizes[i]);
        assert_memory_equal(f->body.data, value, sizes[i]);
    }
    mem_free(value);
}

static void a_conditional_read_answers_304_or_412(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "1");
    request(f, "GET /kv/a", "If-None-Match: \"7\", W/\"1\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    assert_int_equal(f->body.size, 0);
    assert_field(f, "ETag", "\"1\"");
    request(f, "GET /kv/a", "If-None-Match: \"2\"\r\n", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /kv/a", "If-Match: \"1\"\r\n", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /kv/a", "If-Match: \"2\"\r\n", NULL);
    assert_problem(f, 412, "precondition-failed", "another revision");
    assert_field(f, "ETag", "\"1\"");
}

static void a_failed_read_never_claims_that_something_may_have_happened(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_CORRUPT;
    request(f, "GET /kv/a", "", NULL);
    assert_problem(f, 500, "corrupt", "damaged");
    assert_member(f, "outcome", "not-applied");
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /kv/a", "", NULL);
    assert_problem(f, 503, "no-leader", "consistency=stale");
    f->node.e = OK;
    request(f, "GET /kv/a", "", NULL);
    assert_member(f, "outcome", NULL);
}

static void a_revision_that_does_not_come_is_504_with_words(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_BEHIND;
    request(f, "GET /kv/a?min-revision=9", "", NULL);
    assert_problem(f, 504, "behind", "?min-revision");
    assert_member(f, "outcome", "not-applied");
    assert_null(field_of(f, "KV-Consistency"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(head_has_the_headers_of_get_and_no_body),
        TEST(values_of_every_size_come_back_as_they_were),
        TEST(a_conditional_read_answers_304_or_412),
        TEST(a_failed_read_never_claims_that_something_may_have_happened),
        TEST(a_revision_that_does_not_come_is_504_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
