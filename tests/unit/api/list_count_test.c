#include "api_testing.h"

static void fill(struct fixture *f)
{
    static const char *const keys[] = {"a/1", "a/2", "a/b", "c", "d/e"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        char start[64];
        (void)snprintf(start, sizeof(start), "PUT /kv/%s", keys[i]);
        request(f, start, "", "value");
        assert_int_equal(f->status, 201);
    }
}

static void keys_are_counted_in_each_form(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /kv?count&prefix=a/", "", NULL);
    assert_body(f, "{\"revision\":5,\"count\":3}\n");
    assert_field(f, "KV-Count", "3");
    assert_field(f, "Content-Type", "application/json");
    request(f, "GET /kv?count&format=text&match=*/*", "", NULL);
    assert_body(f, "4\n");
    assert_field(f, "Content-Type", "text/plain");
    request(f, "GET /kv?count&delimiter=/", "", NULL);
    assert_body(f, "{\"revision\":5,\"count\":3}\n");
}

static void head_is_a_count_without_a_body(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "HEAD /kv?prefix=a/&limit=1", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Count", "3");
    assert_int_equal(f->body.size, 0);
}

static void of_all_keys_the_state_has_the_number(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.scans = 0;
    request(f, "HEAD /kv", "", NULL);
    assert_field(f, "KV-Count", "5");
    assert_int_equal(f->node.scans, 1); /* whether the revision is there */
    request(f, "HEAD /kv?start=a", "", NULL);
    assert_field(f, "KV-Count", "5");
    assert_int_equal(f->node.scans, 3);
    request(f, "HEAD /kv?max-create-revision=4", "", NULL);
    assert_field(f, "KV-Count", "4");
}

static void of_a_range_the_census_has_the_number(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.has_census = true;
    f->node.scans = 0;
    request(f, "GET /kv?count&prefix=a/", "", NULL);
    assert_body(f, "{\"revision\":5,\"count\":3}\n");
    request(f, "HEAD /kv?start=a/2&end=d", "", NULL);
    assert_field(f, "KV-Count", "3");
    request(f, "DELETE /kv?prefix=a/&dry-run=1", "", NULL);
    assert_body(f, "{\"dry_run\":true,\"would_delete\":3,\"revision\":5}\n");
    assert_int_equal(f->node.scans, 3); /* whether the revision is there */
    f->node.scans = 0;
    request(f, "GET /kv?count&match=*/*", "", NULL); /* it knows no patterns, */
    assert_body(f, "{\"revision\":5,\"count\":4}\n");
    request(f, "GET /kv?count&delimiter=/", "", NULL); /* no levels, */
    assert_body(f, "{\"revision\":5,\"count\":3}\n");
    request(f, "GET /kv?count&prefix=a/&min-mod-revision=2", "", NULL); /* no revisions, */
    assert_body(f, "{\"revision\":5,\"count\":2}\n");
    request(f, "GET /kv?count&prefix=a/&at=4", "", NULL); /* and no past */
    assert_int_equal(f->node.scans, 8);
}

static void a_state_that_moves_on_is_counted_all_the_same(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.scans = 0;
    f->node.moves_at = 2; /* the revision was there, and is gone when it comes to the keys */
    request(f, "GET /kv?count&start=a", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"revision\":6,\"count\":5}\n");
    f->node.scans = 0;
    f->node.oldest = 0;
    request(f, "GET /kv?count&start=a&at=5", "", NULL); /* it was asked for that one */
    assert_problem(f, 410, "compacted", "oldest");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_counted_in_each_form),
        TEST(head_is_a_count_without_a_body),
        TEST(of_all_keys_the_state_has_the_number),
        TEST(of_a_range_the_census_has_the_number),
        TEST(a_state_that_moves_on_is_counted_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
