#include "api_testing.h"

static void put_says_whether_it_created_or_replaced(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "1");
    assert_int_equal(f->status, 201);
    assert_body(f, "OK");
    request(f, "PUT /kv/a", "", "2");
    assert_int_equal(f->status, 200);
    assert_body(f, "OK");
}

static void the_content_type_is_stored_unless_it_is_the_one_of_forms(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "Content-Type: application/json; charset=utf-8\r\n", "{}");
    request(f, "GET /kv/a", "", NULL);
    assert_field(f, "Content-Type", "application/json; charset=utf-8");
    request(f, "PUT /kv/a", "Content-Type: Application/X-WWW-Form-Urlencoded ; charset=x\r\n", "b");
    request(f, "GET /kv/a", "", NULL);
    assert_field(f, "Content-Type", "application/octet-stream");
    char fields[400] = "Content-Type: ";
    memset(fields + 14, 't', 256);
    memcpy(fields + 14 + 256, "\r\n", 3);
    request(f, "PUT /kv/a", fields, "b");
    assert_problem(f, 400, "bad-request", "at most 255 bytes");
}

static void every_failure_of_a_write_says_its_outcome(void **state)
{
    struct fixture *f = *state;
    const struct {
        err e;
        int status;
        const char *slug;
        const char *outcome;
    } cases[] = {
        {ERR_NO_LEADER, 503, "no-leader", "not-applied"},
        {ERR_DRAINING, 503, "draining", "not-applied"},
        {ERR_DIVERGED, 503, "diverged", "not-applied"},
        {ERR_OVERLOADED, 503, "overloaded", "not-applied"},
        {ERR_OUTCOME_UNKNOWN, 504, "outcome-unknown", "unknown"},
        {ERR_QUOTA, 507, "quota", "not-applied"},
        {ERR_NO_SPACE, 507, "quota", "not-applied"},
        {ERR_IO, 500, "internal", "unknown"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        f->node.e = cases[i].e;
        request(f, "POST /kv/a", "", "1");
        assert_problem(f, cases[i].status, cases[i].slug, "");
        assert_member(f, "outcome", cases[i].outcome);
        assert_member(f, "key", "a");
        const char *retry_after = field_of(f, "Retry-After");
        assert_true((retry_after != NULL) == (cases[i].status == 503));
    }
}

static void a_quota_says_how_much_of_it_is_used_and_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct store_region region = {.keys = 2, .key_bytes = 10, .value_bytes = 1000};
    f->node.status.state = &region;
    f->node.status.quota_bytes = 1200;
    f->node.e = ERR_QUOTA;
    request(f, "PUT /kv/a", "", "1");
    assert_problem(f, 507, "quota", "delete keys, or raise --quota-bytes on every node");
    assert_member(f, "setting", "quota-bytes");
    struct slice figures = SLICE_LITERAL("\"limit\":1200,\"used\":1138,");
    assert_non_null(memmem(f->body.data, f->body.size, figures.data, figures.size));
}

static void a_write_may_be_answered_long_after_it_came(void **state)
{
    struct fixture *f = *state;
    f->node.holds = true;
    int client = client_connect(f);
    struct slice bytes = SLICE_LITERAL("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n"
                                       "Content-Length: 1\r\nConnection: close\r\n\r\nx");
    while (f->node.held == NULL) {
        client_send(client, &bytes);
        env_uv_run_once(f->env, false);
    }
    (void)close(client); /* and its client may be gone by then */
    for (int i = 0; i < 3; i++) {
        env_uv_run_once(f->env, false);
    }
    f->node.holds = false;
    fake_answer(&f->node, f->node.held);
    request(f, "GET /kv/a", "", NULL);
    assert_body(f, "x");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(put_says_whether_it_created_or_replaced),
        TEST(the_content_type_is_stored_unless_it_is_the_one_of_forms),
        TEST(every_failure_of_a_write_says_its_outcome),
        TEST(a_quota_says_how_much_of_it_is_used_and_what_to_do),
        TEST(a_write_may_be_answered_long_after_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
