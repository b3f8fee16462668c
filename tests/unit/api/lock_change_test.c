#include "state_testing.h"

static void the_holder_renews_by_its_token(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a?ttl=10s", "", "x");
    state_pass(f, 6000);
    request(f, "PUT /locks/a", "KV-Fence: a:1\r\n", "");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "a:1");
    assert_member(f, "ttl", "10.0");
    state_pass(f, 6000);
    request(f, "PUT /locks/a?ttl=20s", "KV-Fence: a:1\r\n", "");
    assert_member(f, "ttl", "20.0");
    request(f, "GET /locks/a", "", NULL);
    assert_non_null(strstr((const char *)f->body.data, "\"ttl\":20.0,\"remaining\":20.0"));
    state_pass(f, 19000);
    request(f, "PUT /locks/a", "KV-Fence: a:2\r\n", "");
    assert_problem(f, 412, "fence-lost", "its time was over");
    state_pass(f, 1000);
    request(f, "PUT /locks/a", "KV-Fence: a:1\r\n", "");
    assert_problem(f, 412, "fence-lost", "its time was over");
}

static void the_holder_gives_it_back_and_others_take_it_by_force(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a?ttl=10s", "", "x");
    request(f, "DELETE /locks/a", "KV-Fence: a:7\r\n", NULL);
    assert_problem(f, 412, "fence-lost", "");
    request(f, "DELETE /locks/a", "KV-Fence: a:0\r\n", NULL); /* no word of force */
    assert_problem(f, 412, "fence-lost", "");
    request(f, "UNLOCK /locks/a", "KV-Fence: a:0\r\n", "");
    assert_problem(f, 412, "fence-lost", "");
    request(f, "DELETE /locks/a", "KV-Fence: a:1\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"released\":true,\"token\":1,\"revision\":2}\n");
    request(f, "DELETE /locks/a?force", "", NULL);
    assert_body(f, "{\"released\":false,\"revision\":2}\n");
    request(f, "POST /locks/a?ttl=10s", "", "x");
    request(f, "DELETE /locks/a?force", "", NULL);
    assert_body(f, "{\"released\":true,\"token\":3,\"revision\":4}\n");
}

static void a_renewal_is_tried_again_a_release_is_not(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a?ttl=10s", "", "x");
    state_error = ERR_OUTCOME_UNKNOWN;
    state_applies_unknown = true;
    request(f, "DELETE /locks/a?timeout=1s", "KV-Fence: a:1\r\n", NULL);
    assert_problem(f, 504, "outcome-unknown", "");
    assert_int_equal(state_writes, 2);
    request(f, "PUT /locks/a?timeout=1s", "KV-Fence: a:1\r\n", "");
    assert_problem(f, 504, "outcome-unknown", "");
    assert_true(state_writes > 3);
}

static void a_key_is_of_one_token(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/d?ttl=10s", "", "x");
    request(f, "DELETE /locks/d", "KV-Fence: d:1\r\nIdempotency-Key: k\r\n", NULL);
    assert_body(f, "{\"released\":true,\"token\":1,\"revision\":2}\n");
    request(f, "POST /locks/d?ttl=10s", "", "y");
    assert_field(f, "KV-Fence", "d:3");
    request(f, "DELETE /locks/d", "KV-Fence: d:3\r\nIdempotency-Key: k\r\n", NULL);
    assert_problem(f, 422, "idempotency-mismatch", "needs a new key");
    request(f, "DELETE /locks/d", "KV-Fence: d:1\r\nIdempotency-Key: k\r\n", NULL);
    assert_body(f, "{\"released\":true,\"token\":1,\"revision\":2}\n");
    assert_field(f, "Idempotency-Replayed", "true");
    request(f, "PUT /locks/d", "KV-Fence: d:3\r\n", "");
    assert_int_equal(f->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(the_holder_renews_by_its_token),
        TEST(the_holder_gives_it_back_and_others_take_it_by_force),
        TEST(a_renewal_is_tried_again_a_release_is_not),
        TEST(a_key_is_of_one_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
