#include "api/system_call.h"
#include "state_testing.h"

struct caller {
    struct system_call call;
    unsigned done;
    err e;
    uint64_t ttl_ms;
};

static void done(struct system_call *call, const struct command_result *result,
                 const struct txn_result *op)
{
    struct caller *caller = CONTAINER_OF(call, struct caller, call);
    caller->done++;
    caller->e = result->e;
    caller->ttl_ms = op != NULL ? op->ttl_ms : 0;
}

static void ask(struct fixture *f, struct caller *caller, uint64_t ms, bool is_repeatable)
{
    const struct txn_op op = {.type = TXN_LEASE_KEEP, .lease = 1};
    *caller = (struct caller){.call = {.api = f->api,
                                       .deadline_ms = env_now_ms(f->env) + ms,
                                       .is_repeatable = is_repeatable,
                                       .done = done}};
    api_system_call(&caller->call, &op);
}

static void until_done(struct fixture *f, const struct caller *caller)
{
    uint64_t end_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (caller->done == 0) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < end_ms);
    }
    assert_int_equal(caller->done, 1);
}

static void it_is_tried_until_it_is_known(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    request(f, "POST /leases?ttl=7s&id=1", "", "");
    state_error = ERR_NO_LEADER;
    ask(f, &caller, 10000, true);
    until_writes(f, 3);
    state_error = ERR_OUTCOME_UNKNOWN;
    until_writes(f, 4);
    state_error = OK;
    until_done(f, &caller);
    assert_int_equal(caller.e, OK);
    assert_int_equal(caller.ttl_ms, 7000);
}

static void one_that_is_not_repeated_ends_with_its_first_answer(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    state_error = ERR_OUTCOME_UNKNOWN;
    ask(f, &caller, 10000, false);
    assert_int_equal(caller.done, 1);
    assert_int_equal(caller.e, ERR_OUTCOME_UNKNOWN);
    state_error = OK;
    ask(f, &caller, 10000, false);
    assert_int_equal(caller.e, ERR_LEASE_NOT_FOUND);
    assert_int_equal(state_writes, 2);
}

/* Y2 */
static void what_may_have_happened_stays_unknown(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    state_error = ERR_OUTCOME_UNKNOWN;
    ask(f, &caller, 450, true);
    until_writes(f, 2);
    state_error = ERR_NO_LEADER;
    until_done(f, &caller);
    assert_int_equal(caller.e, ERR_OUTCOME_UNKNOWN);
    ask(f, &caller, 250, true);
    until_done(f, &caller);
    assert_int_equal(caller.e, ERR_NO_LEADER);
}

/* Y2: what a later attempt was refused with says nothing of an earlier one. */
static void a_refusal_that_is_not_remembered_decides_nothing(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    const err refusals[] = {ERR_NO_SPACE, ERR_LOCKED, ERR_QUOTA, ERR_OVERLOADED, ERR_DRAINING};
    for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
        unsigned writes = state_writes;
        state_error = ERR_OUTCOME_UNKNOWN;
        ask(f, &caller, 10000, true);
        until_writes(f, writes + 1);
        state_error = refusals[i];
        until_done(f, &caller);
        assert_int_equal(caller.e, ERR_OUTCOME_UNKNOWN);
        ask(f, &caller, 10000, true);
        assert_int_equal(caller.e, refusals[i]);
    }
    unsigned writes = state_writes;
    state_error = ERR_OUTCOME_UNKNOWN;
    ask(f, &caller, 10000, true);
    until_writes(f, writes + 1);
    state_error = OK;
    until_done(f, &caller);
    assert_int_equal(caller.e, ERR_LEASE_NOT_FOUND);
}

static void the_end_of_the_server_ends_those_that_pause(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    state_error = ERR_NO_LEADER;
    ask(f, &caller, 10000, true);
    assert_int_equal(caller.done, 0);
    api_end(f->api);
    assert_int_equal(caller.done, 1);
    assert_int_equal(caller.e, ERR_DRAINING);
    ask(f, &caller, 10000, true);
    assert_int_equal(caller.done, 1);
    assert_int_equal(caller.e, ERR_NO_LEADER);
}

static void seconds_are_written_as_short_as_they_are(void **state)
{
    (void)state;
    const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0.0"}, {10000, "10.0"}, {1500, "1.5"}, {1050, "1.05"}, {1234, "1.234"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct writer text = {0};
        api_system_write_seconds(&text, cases[i].ms);
        assert_true(slice_equal(writer_slice(&text), slice_from_text(cases[i].text)));
        writer_deinit(&text);
    }
}

static void its_own_keys_are_no_clients(void **state)
{
    struct fixture *f = *state;
    uint8_t first[SYSTEM_KEY_SIZE];
    uint8_t second[SYSTEM_KEY_SIZE];
    struct slice key = api_system_call_key(f->api, first);
    assert_int_equal(key.data[0], 1);
    assert_false(slice_equal(key, api_system_call_key(f->api, second)));
}

static void fields_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /leases?ttl=1s", "Content-Encoding: gzip\r\n", "x");
    assert_problem(f, 415, "unsupported-encoding", "without Content-Encoding");
    request(f, "POST /locks/a", "Idempotency-Key:\r\n", "x");
    assert_problem(f, 400, "bad-request", "1 to 255 bytes");
    char fields[400] = "Content-Type: ";
    memset(fields + strlen(fields), 't', 256);
    (void)snprintf(fields + strlen(fields), 8, "\r\n");
    request(f, "POST /locks/a", fields, "x");
    assert_problem(f, 400, "bad-request", "at most 255 bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(it_is_tried_until_it_is_known),
        TEST(one_that_is_not_repeated_ends_with_its_first_answer),
        TEST(what_may_have_happened_stays_unknown),
        TEST(a_refusal_that_is_not_remembered_decides_nothing),
        TEST(the_end_of_the_server_ends_those_that_pause),
        TEST(seconds_are_written_as_short_as_they_are),
        TEST(its_own_keys_are_no_clients),
        TEST(fields_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
