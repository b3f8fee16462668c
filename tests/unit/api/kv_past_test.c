/* What the answers of the past are; that they are right: unit/node/scan, integration/values. */
#include "api_testing.h"

static void a_key_is_told_as_it_was(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "Content-Type: text/plain\r\n", "one");
    request(f, "PUT /kv/a2", "", "two");
    request(f, "GET /kv/a?at=2", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "one");
    assert_field(f, "ETag", "\"1\"");
    assert_field(f, "Content-Type", "text/plain");
    assert_field(f, "KV-Consistency", "linearizable");
    request(f, "GET /kv/a?at=2", "If-None-Match: \"1\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    request(f, "GET /kv/a?at=2&consistency=stale", "Range: bytes=1-\r\n", NULL);
    assert_int_equal(f->status, 206);
    assert_body(f, "ne");
    assert_field(f, "KV-Consistency", "stale");
    request(f, "GET /kv/none?at=2", "", NULL); /* its neighbours are not it */
    assert_problem(f, 404, "not-found", "no such key");
}

static void what_cannot_be_read_says_why(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    request(f, "GET /kv/a?at=2", "", NULL);
    assert_problem(f, 400, "bad-request", "no such revision yet");
    request(f, "GET /kv/a?at=0", "", NULL);
    assert_problem(f, 400, "bad-request", "at is a revision, such as 42, not \"0\"");
    request(f, "PUT /kv/a?at=1", "", "x");
    assert_problem(f, 400, "bad-request", "?at is of reads; this is a write");
    f->node.oldest = 1;
    request(f, "PUT /kv/a", "", "two");
    f->node.oldest = 2;
    request(f, "GET /kv/a?at=1", "", NULL);
    assert_problem(f, 410, "compacted", "not kept any more");
    assert_member(f, "oldest", "2");
    f->node.scan_e = ERR_MENDING;
    request(f, "GET /kv/a?at=2", "", NULL);
    assert_problem(f, 503, "mending", "being fetched");
    f->node.scan_e = OK;
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_key_is_told_as_it_was),
        WITH_FIXTURE(what_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
