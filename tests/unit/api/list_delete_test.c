#include "api_testing.h"

static void fill(struct fixture *f)
{
    static const char *const keys[] = {"a/1", "a/2", "a0", "b", "%FF", "%FF%FF/x"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        char start[64];
        (void)snprintf(start, sizeof(start), "PUT /kv/%s", keys[i]);
        request(f, start, "", "value");
        assert_int_equal(f->status, 201);
    }
}

static void keys_with_the_prefix_go_and_no_other(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "DELETE /kv?prefix=a/", "Prefer: timing\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"deleted\":2,\"revision\":7}\n");
    assert_field(f, "KV-Deleted", "2");
    assert_field(f, "KV-Revision", "7");
    assert_field(f, "Content-Type", "application/json");
    assert_non_null(field_of(f, "Server-Timing"));
    request(f, "DELETE /kv/?prefix=a/", "", NULL);
    assert_body(f, "{\"deleted\":0,\"revision\":7}\n");
    request(f, "DELETE /kv?prefix=%FF", "", NULL); /* nothing is behind it */
    assert_body(f, "{\"deleted\":2,\"revision\":8}\n");
    request(f, "GET /kv?format=text&limit=9", "", NULL);
    assert_body(f, "a0\nb\n");
}

static void everything_goes_if_it_is_said_in_full(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "DELETE /kv?all=yes", "", NULL);
    assert_body(f, "{\"deleted\":6,\"revision\":7}\n");
    request(f, "HEAD /kv", "", NULL);
    assert_field(f, "KV-Count", "0");
}

static void what_the_node_refuses_is_told(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.e = ERR_NO_LEADER;
    request(f, "DELETE /kv?prefix=a/", "", NULL);
    assert_problem(f, 503, "no-leader", "no leader could take this write");
    f->node.e = ERR_OUTCOME_UNKNOWN;
    request(f, "DELETE /kv?prefix=a/", "", NULL);
    assert_problem(f, 504, "outcome-unknown", "may or may not");
    assert_member(f, "outcome", "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(keys_with_the_prefix_go_and_no_other),
        TEST(everything_goes_if_it_is_said_in_full),
        TEST(what_the_node_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
