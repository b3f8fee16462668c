#include "state_testing.h"

static void a_lease_is_made_kept_and_ended(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /leases?ttl=10s&id=ab", "", "");
    assert_int_equal(f->status, 201);
    assert_field(f, "Location", "/leases/00000000000000ab");
    assert_body(f, "{\"id\":\"00000000000000ab\",\"ttl\":10.0}\n");
    request(f, "POST /leases/ab/keepalive", "", "");
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"id\":\"00000000000000ab\",\"ttl\":10.0}\n");
    request(f, "POST /kv/a?lease=ab", "", "1");
    request(f, "POST /kv/b?lease=ab", "", "1");
    request(f, "DELETE /leases/ab", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"deleted\":2,\"revision\":3}\n");
    assert_field(f, "KV-Revision", "3");
    request(f, "DELETE /leases/ab", "", NULL);
    assert_problem(f, 404, "lease-not-found", "no such lease");
    request(f, "POST /leases/ab/keepalive", "", "");
    assert_problem(f, 404, "lease-not-found", "no such lease");
}

static void an_id_is_random_unless_it_is_chosen(void **state)
{
    struct fixture *f = *state;
    char first[2048];
    request(f, "POST /leases?ttl=10s", "", "");
    (void)snprintf(first, sizeof(first), "%s", field_of(f, "Location"));
    assert_int_equal(strlen(first), strlen("/leases/") + 16);
    request(f, "POST /leases?ttl=10s", "", "");
    assert_string_not_equal(field_of(f, "Location"), first);
    request(f, "POST /leases?ttl=10s&id=1", "", "");
    request(f, "POST /leases?ttl=10s&id=1", "", "");
    assert_problem(f, 409, "conflict", "a lease with this id");
    assert_member(f, "outcome", "not-applied");
}

static void what_makes_no_sense_is_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *start;
        int status;
        const char *slug;
        const char *words;
    } cases[] = {
        {"POST /leases", 400, "bad-request", "has a ttl"},
        {"POST /leases?ttl=0", 400, "bad-request", "has a ttl"},
        {"POST /leases?ttl=10", 400, "bad-request", "with its unit"},
        {"POST /leases?ttl=1ms", 400, "bad-request", "at least 100ms"},
        {"POST /leases?ttl=9000000001s", 400, "bad-request", "up to 9000000000s"},
        {"POST /leases?tll=1s", 400, "bad-request", "did you mean \"ttl\""},
        {"POST /leases?ttl=1s&id=xyz", 400, "bad-request", "hex digits"},
        {"POST /leases?ttl=500ms&hold", 400, "bad-request", "at least 1000ms"},
        {"POST /leases/ab", 404, "not-found", "POST /leases/ID/keepalive"},
        {"GET /leases/ab/keepalive", 405, "method-not-allowed", "POST /leases/ID/keepalive"},
        {"DELETE /leases/0", 400, "bad-request", "hex digits"},
        {"GET /leases/ab", 404, "lease-not-found", "no such lease"},
        {"GET /leases?limit=0", 400, "bad-request", "from 1 to 10000"},
        {"GET /leases?keys", 400, "bad-request", "unknown parameter"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        request(f, cases[i].start, "", NULL);
        assert_problem(f, cases[i].status, cases[i].slug, cases[i].words);
    }
    request(f, "POST /leases?ttl=1s&hold", "Idempotency-Key: a\r\n", "");
    assert_problem(f, 400, "bad-request", "exclude each other");
    assert_int_equal(state_writes, 0);
}

static void a_replay_gets_the_lease_that_was_made(void **state)
{
    struct fixture *f = *state;
    char first[2048];
    request(f, "POST /leases?ttl=10s", "Idempotency-Key: k\r\n", "");
    assert_int_equal(f->status, 201);
    (void)snprintf(first, sizeof(first), "%s", field_of(f, "Location"));
    request(f, "POST /leases?ttl=10s", "Idempotency-Key: k\r\n", "");
    assert_int_equal(f->status, 201);
    assert_field(f, "Location", first);
    assert_field(f, "Idempotency-Replayed", "true");
    request(f, "POST /leases?ttl=11s", "Idempotency-Key: k\r\n", "");
    assert_problem(f, 422, "idempotency-mismatch", "needs a new key");
}

static void a_failure_says_whether_it_may_have_happened(void **state)
{
    struct fixture *f = *state;
    state_error = ERR_OUTCOME_UNKNOWN;
    request(f, "POST /leases?ttl=10s", "", "");
    assert_problem(f, 504, "outcome-unknown", "look before you ask again");
    assert_int_equal(state_writes, 1);
    state_error = ERR_DRAINING;
    request(f, "POST /leases?ttl=10s", "", "");
    assert_problem(f, 503, "draining", "");
    assert_member(f, "outcome", "not-applied");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(a_lease_is_made_kept_and_ended),
        TEST(an_id_is_random_unless_it_is_chosen),
        TEST(what_makes_no_sense_is_refused_with_a_reason),
        TEST(a_replay_gets_the_lease_that_was_made),
        TEST(a_failure_says_whether_it_may_have_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
