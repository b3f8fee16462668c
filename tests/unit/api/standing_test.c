#include "api_testing.h"
static void every_answer_says_who_leads_and_how_old_it_may_be(void **state)
{
    struct fixture *f = *state;
    f->node.staleness_ms = 12;
    request(f, "PUT /kv/a", "", "1");
    assert_null(field_of(f, "KV-Consistency"));
    const char *const starts[] = {"GET /kv/a",     "HEAD /kv/a",   "GET /kv/none",
                                  "POST /kv/a",    "DELETE /kv/a", "GET /kv/a?consistency=no",
                                  "GET /kv/a?meta"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], "", NULL);
        assert_field(f, "KV-Leader", "1");
        assert_field(f, "KV-Term", "7");
        assert_field(f, "KV-Staleness-Ms", "12");
    }
}

static void what_is_said_changes_with_what_is_so(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "1");
    request(f, "GET /kv/a", "", NULL);
    assert_field(f, "KV-Staleness-Ms", "0");
    f->node.staleness_ms = UINT64_MAX - 1;
    f->node.status.term = UINT64_MAX;
    f->node.status.leader = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        request(f, "GET /kv/a?consistency=stale", "", NULL);
        assert_field(f, "KV-Consistency", "stale");
        assert_field(f, "KV-Staleness-Ms", "18446744073709551614");
        assert_field(f, "KV-Term", "18446744073709551615");
        assert_field(f, "KV-Leader", "18446744073709551615");
    }
    f->node.staleness_ms = NODE_STALENESS_UNKNOWN;
    f->node.status.leader = 0;
    request(f, "GET /kv/a?consistency=stale", "", NULL);
    assert_field(f, "KV-Consistency", "stale");
    assert_null(field_of(f, "KV-Leader"));
    assert_null(field_of(f, "KV-Staleness-Ms"));
    request(f, "GET /kv/a", "", NULL);
    assert_field(f, "KV-Consistency", "linearizable");
    assert_null(field_of(f, "KV-Leader"));
}

static void a_failed_read_claims_no_consistency(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/none", "", NULL);
    assert_field(f, "KV-Consistency", "linearizable");
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /kv/none", "", NULL);
    assert_null(field_of(f, "KV-Consistency"));
    assert_field(f, "KV-Term", "7");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(every_answer_says_who_leads_and_how_old_it_may_be),
        TEST(what_is_said_changes_with_what_is_so),
        TEST(a_failed_read_claims_no_consistency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
