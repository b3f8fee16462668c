#include "api_testing.h"
static void expect(struct fixture *f, const char *fields, int status)
{
    const char *const starts[] = {"GET /kv/a", "HEAD /kv/a"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], fields, NULL);
        if (f->status != status) {
            fail_msg("%s %s: %d", starts[i], fields, f->status);
        }
        assert_field(f, "ETag", "\"1\"");
    }
}

/* Its record has revision 1, and the date of RFC 9110's examples. */
static void open_record(struct fixture *f)
{
    request(f, "PUT /kv/a", "", "1");
    assert_field(f, "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void tags_are_compared(void **state)
{
    struct fixture *f = *state;
    open_record(f);
    expect(f, "If-Match: *\r\n", 200);
    expect(f, "If-Match: \"2\", \"1\"\r\n", 200);
    expect(f, "If-Match: \"1-gzip\"\r\n", 200);
    expect(f, "If-Match: W/\"1\"\r\n", 412);
    expect(f, "If-None-Match: *\r\n", 304);
    expect(f, "If-None-Match: W/\"1\"\r\n", 304);
    expect(f, "If-None-Match: \"1-gzip\"\r\n", 304);
    expect(f, "If-None-Match: \"2\", \"1-gzi\", \"1-gzip\r\n", 200);
}

static void dates_are_compared_by_the_second(void **state)
{
    struct fixture *f = *state;
    f->node.clock_ms += 999;
    open_record(f);
    expect(f, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304);
    expect(f, "If-Modified-Since: Sunday, 06-Nov-94 08:49:38 GMT\r\n", 304);
    expect(f, "If-Modified-Since: Sun Nov  6 08:49:36 1994\r\n", 200);
    expect(f, "If-Modified-Since: yesterday\r\n", 200);
    expect(f, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200);
    expect(f, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 412);
    expect(f, "If-Unmodified-Since: 1994\r\n", 200);
}

static void a_tag_goes_before_a_date_and_matching_before_not_matching(void **state)
{
    struct fixture *f = *state;
    const char *old = "Sun, 06 Nov 1994 08:49:36 GMT\r\n";
    const char *now = "Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    char fields[200];
    open_record(f);
    (void)snprintf(fields, sizeof(fields), "If-Match: \"1\"\r\nIf-Unmodified-Since: %s", old);
    expect(f, fields, 200);
    (void)snprintf(fields, sizeof(fields), "If-None-Match: \"2\"\r\nIf-Modified-Since: %s", now);
    expect(f, fields, 200);
    (void)snprintf(fields, sizeof(fields), "If-None-Match: \"1\"\r\nIf-Modified-Since: %s", old);
    expect(f, fields, 304);
    expect(f, "If-Match: \"2\"\r\nIf-None-Match: \"1\"\r\n", 412);
    expect(f, "If-Match: \"1\"\r\nIf-None-Match: \"1\"\r\n", 304);
}

static void what_is_not_there_is_not_found_whatever_the_condition(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/none", "If-Match: *\r\n", NULL);
    assert_problem(f, 404, "not-found", "no such key");
    request(f, "GET /kv/none", "If-None-Match: *\r\n", NULL);
    assert_problem(f, 404, "not-found", "no such key");
}

static void expect_range(struct fixture *f, const char *if_range, int status)
{
    char fields[100];
    (void)snprintf(fields, sizeof(fields), "Range: bytes=0-0\r\nIf-Range: %s\r\n", if_range);
    request(f, "GET /kv/a", fields, NULL);
    assert_int_equal(f->status, status);
}

static void a_range_counts_only_of_what_the_client_has(void **state)
{
    struct fixture *f = *state;
    open_record(f);
    expect_range(f, "\"1\"", 206);
    expect_range(f, "\"2\"", 200);
    expect_range(f, "W/\"1\"", 200);
    expect_range(f, "\"1-gzip\"", 200); /* of another form */
    expect_range(f, "Sun, 06 Nov 1994 08:49:37 GMT", 206);
    expect_range(f, "Sun, 06 Nov 1994 08:49:38 GMT", 200);
    request(f, "PUT /kv/a", "", "2");
    expect_range(f, "\"2\"", 206);
    expect_range(f, "Sun, 06 Nov 1994 08:49:37 GMT", 200); /* twice in one second, as it happens */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(tags_are_compared),
        TEST(dates_are_compared_by_the_second),
        TEST(a_tag_goes_before_a_date_and_matching_before_not_matching),
        TEST(what_is_not_there_is_not_found_whatever_the_condition),
        TEST(a_range_counts_only_of_what_the_client_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
