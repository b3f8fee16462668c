#include "state_testing.h"

static void times_and_limits_are_taken_in_their_bounds(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *start;
        int status;
    } cases[] = {
        {"POST /locks/a?ttl=100ms", 200},
        {"POST /locks/b?ttl=99ms", 400},
        {"POST /locks/c?ttl=9000000000s", 200},
        {"POST /locks/d?ttl=", 400},
        {"POST /locks/e?wait=600s", 200},
        {"POST /locks/f?wait=600001ms", 400},
        {"POST /locks/g?wait=0", 200},
        {"POST /locks/h?limit=10000", 200},
        {"POST /locks/i?limit=10001", 400},
        {"POST /locks/j?timeout=60s", 200},
        {"POST /locks/k?timeout=61s", 400},
        {"POST /locks/l?ttl=1s&ttl=2s", 400},
        {"GET /leases?consistency=stale", 200},
        {"GET /leases?consistency=linearizable", 200},
        {"GET /leases?consistency=", 400},
        {"GET /leases?min-revision=x", 400},
        {"GET /leases?limit=10000&after=1", 200},
        {"GET /leases?after=", 400},
        {"GET /leases?limit=%zz", 400},
        {"GET /locks/a?wait=1s", 400},
        {"DELETE /locks/a?force=1", 200},
        {"DELETE /locks/a?force=no", 400},
        {"POST /leases?ttl=1s&hold=no", 400},
        {"POST /leases?ttl=1s&id=", 400},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        request(f, cases[i].start, "", NULL);
        if (f->status != cases[i].status) {
            fail_msg("%s: %d", cases[i].start, f->status);
        }
    }
}

static void what_a_request_may_take_is_up_to_it(void **state)
{
    struct fixture *f = *state;
    uint64_t now_ms = env_now_ms(f->env);
    request(f, "GET /leases?timeout=30s", "", NULL);
    assert_true(f->node.deadline_ms >= now_ms + 30000);
    request(f, "GET /leases", "", NULL);
    assert_true(f->node.deadline_ms < now_ms + 30000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(times_and_limits_are_taken_in_their_bounds),
        TEST(what_a_request_may_take_is_up_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
