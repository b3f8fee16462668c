#include "state_testing.h"

#define JSON_TYPE "Content-Type: application/json\r\n"

static void what_makes_no_sense_is_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *start;
        const char *fields;
        const char *words;
    } cases[] = {
        {"POST /locks/a?wait=11m", "", "up to 600s"},
        {"POST /locks/a?wait=30", "", "with its unit"},
        {"POST /locks/a?ttl=0&wait=1s", "", "needs a ttl"},
        {"LOCK /locks/a?wait=1s", "", "needs a ttl"},
        {"POST /locks/a?limit=0", "", "from 1 to 10000"},
        {"POST /locks/a?limits=1", "", "did you mean \"limit\""},
        {"PUT /locks/a", "", "say by KV-Fence"},
        {"DELETE /locks/a", "", "?force takes it"},
        {"DELETE /locks/a", "KV-Fence: a\r\n", "NAME:TOKEN"},
        {"DELETE /locks/a", "KV-Fence: a:x\r\n", "NAME:TOKEN"},
        {"DELETE /locks/a", "KV-Fence: b:1\r\n", "another name"},
        {"DELETE /locks/a?force=maybe", "", "has no value"},
        {"GET /locks/a?consistency=x", "", "\"stale\""},
        {"GET /locks/%zz", "", "percent-encoded"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        request(f, cases[i].start, cases[i].fields, NULL);
        assert_problem(f, 400, "bad-request", cases[i].words);
    }
    request(f, "PATCH /locks/a", "", "");
    assert_problem(f, 405, "method-not-allowed", "LOCK");
    char start[400] = "GET /locks/";
    memset(start + strlen(start), 'n', 257);
    request(f, start, "", NULL);
    assert_problem(f, 400, "bad-request", "at most 256 bytes");
    assert_int_equal(state_writes, 0);
}

/* Terraform's http backend: a refusal has the holder's document as its body. */
static void terraform_locks_and_unlocks(void **state)
{
    struct fixture *f = *state;
    const char *const mine = "{\"ID\":\"1\",\"Who\":\"a\"}";
    const char *const other = "{\"ID\":\"2\",\"Who\":\"b\"}";
    request(f, "LOCK /locks/tf", JSON_TYPE, mine);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"token\":1,\"lease\":null,\"ttl\":null}\n");
    request(f, "LOCK /locks/tf", JSON_TYPE, other);
    assert_int_equal(f->status, 423);
    assert_body(f, mine);
    assert_field(f, "Content-Type", "application/json");
    assert_field(f, "Retry-After", "1");
    state_pass(f, 1000000000); /* it has no end */
    request(f, "UNLOCK /locks/tf", JSON_TYPE, other);
    assert_int_equal(f->status, 423);
    assert_body(f, mine);
    request(f, "UNLOCK /locks/tf", JSON_TYPE, "not JSON");
    assert_int_equal(f->status, 423);
    request(f, "UNLOCK /locks/tf", JSON_TYPE, "{\"ID\":\"1\",\"Info\":\"more\"}");
    assert_int_equal(f->status, 200);
    request(f, "UNLOCK /locks/tf", JSON_TYPE, mine);
    assert_int_equal(f->status, 200);
    request(f, "LOCK /locks/tf", JSON_TYPE, other);
    assert_int_equal(f->status, 200);
    request(f, "UNLOCK /locks/tf", "", ""); /* force-unlock */
    assert_int_equal(f->status, 200);
    request(f, "GET /locks/tf", "", NULL);
    assert_int_equal(f->status, 404);
}

static void terraform_unlocks_its_own_of_several(void **state)
{
    struct fixture *f = *state;
    request(f, "LOCK /locks/s?limit=2", JSON_TYPE, "{\"ID\":\"1\"}");
    request(f, "LOCK /locks/s?limit=2", JSON_TYPE, "{\"ID\":\"2\"}");
    request(f, "UNLOCK /locks/s", JSON_TYPE, "{\"ID\":\"2\"}");
    assert_member(f, "token", "2");
    request(f, "UNLOCK /locks/s", "KV-Fence: s:1\r\n", "");
    assert_member(f, "token", "1");
}

static void a_write_under_kv_is_refused_without_the_newest_token(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a?ttl=1s", "", "first");
    request(f, "POST /kv/k", "KV-Fence: a:1\r\n", "1");
    assert_int_equal(f->status, 200);
    state_pass(f, 1000);
    request(f, "POST /locks/a?ttl=1s", "", "second");
    request(f, "POST /kv/k", "KV-Fence: a:1\r\n", "2");
    assert_problem(f, 412, "fence-lost", "");
    request(f, "POST /kv/k", "KV-Fence: a:4\r\n", "3");
    assert_int_equal(f->status, 200);
}

static void a_condition_that_nobody_looks_at_is_refused(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a", "If-None-Match: *\r\n", "me");
    assert_problem(f, 400, "bad-request", "If-None-Match is of a single key: leases and locks");
    request(f, "POST /locks/a", "KV-TTL: 5\r\n", "me");
    assert_problem(f, 400, "bad-request", "their ttl is a parameter");
    request(f, "POST /leases?ttl=10s", "KV-Fence: a:1\r\n", "");
    assert_problem(f, 400, "bad-request", "KV-Fence is of a single key");
    request(f, "POST /locks/a", "", "me");
    request(f, "DELETE /locks/a", "KV-Fence: a:1\r\nIf-Match: \"1\"\r\n", NULL);
    assert_problem(f, 400, "bad-request", "If-Match");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(a_condition_that_nobody_looks_at_is_refused),
        TEST(what_makes_no_sense_is_refused_with_a_reason),
        TEST(terraform_locks_and_unlocks),
        TEST(terraform_unlocks_its_own_of_several),
        TEST(a_write_under_kv_is_refused_without_the_newest_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
