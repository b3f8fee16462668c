#include "state_testing.h"

static void what_is_left_of_a_lease_is_shown(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /leases?ttl=10s&id=ab", "", "");
    f->node.elapsed_ms += 2500;
    request(f, "GET /leases/AB", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"id\":\"00000000000000ab\",\"ttl\":10.0,\"remaining\":7.5}\n");
    assert_field(f, "KV-Consistency", "linearizable");
    f->node.elapsed_ms += 10000; /* and not yet removed */
    request(f, "GET /leases/ab?consistency=stale", "", NULL);
    assert_body(f, "{\"id\":\"00000000000000ab\",\"ttl\":10.0,\"remaining\":0.0}\n");
    assert_field(f, "KV-Consistency", "stale");
    state_pass(f, 0);
    request(f, "GET /leases/ab", "", NULL);
    assert_problem(f, 404, "lease-not-found", "it has ended");
}

static void its_keys_are_listed_piece_by_piece(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /leases?ttl=10s&id=ab", "", "");
    request(f, "POST /kv/a?lease=ab", "", "1");
    request(f, "POST /kv/b%20c?lease=ab", "", "1");
    request(f, "POST /kv/%FF?lease=ab", "", "1");
    request(f, "GET /leases/ab?keys&limit=2", "", NULL);
    const char *const first = "{\"id\":\"00000000000000ab\",\"ttl\":10.0,\"remaining\":10.0,"
                              "\"keys\":[{\"key\":\"a\"},{\"key\":\"b c\"}],"
                              "\"next\":\"/leases/00000000000000ab?keys&limit=2&after=b%20c\"}\n";
    assert_body(f, first);
    request(f, "GET /leases/00000000000000ab?keys&limit=2&after=b%20c", "", NULL);
    assert_body(f, "{\"id\":\"00000000000000ab\",\"ttl\":10.0,\"remaining\":10.0,"
                   "\"keys\":[{\"key_base64\":\"/w==\"}]}\n");
    request(f, "DELETE /kv/a", "", NULL);
    request(f, "GET /leases/ab?keys&limit=1&after=a", "", NULL);
    assert_int_equal(f->status, 200);
}

static void all_leases_are_listed_piece_by_piece(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /leases", "", NULL);
    assert_body(f, "{\"leases\":[]}\n");
    request(f, "POST /leases?ttl=1s&id=1", "", "");
    request(f, "POST /leases?ttl=2s&id=ffffffffffffffff", "", "");
    request(f, "POST /leases?ttl=3s&id=2", "", "");
    request(f, "GET /leases?limit=2", "", NULL);
    assert_body(f, "{\"leases\":[{\"id\":\"0000000000000001\",\"ttl\":1.0,\"remaining\":1.0},"
                   "{\"id\":\"0000000000000002\",\"ttl\":3.0,\"remaining\":3.0}],"
                   "\"next\":\"/leases?limit=2&after=0000000000000002\"}\n");
    request(f, "GET /leases?limit=2&after=0000000000000002", "", NULL);
    assert_body(f, "{\"leases\":[{\"id\":\"ffffffffffffffff\",\"ttl\":2.0,\"remaining\":2.0}]}\n");
    request(f, "GET /leases?after=zz", "", NULL);
    assert_problem(f, 400, "bad-request", "hex digits");
}

static void a_read_that_nobody_confirms_says_so(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /leases", "", NULL);
    assert_problem(f, 503, "no-leader", "");
    f->node.e = ERR_BEHIND;
    request(f, "GET /leases?min-revision=7", "", NULL);
    assert_problem(f, 504, "behind", "min-revision");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_left_of_a_lease_is_shown),
        TEST(its_keys_are_listed_piece_by_piece),
        TEST(all_leases_are_listed_piece_by_piece),
        TEST(a_read_that_nobody_confirms_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
