#include "env/uv.h"
#include "fake_node.h"
#include "main/hold.h"

#define GRANTED                                                                                    \
    "HTTP/1.1 200 OK\r\nConnection: close\r\nKV-Fence: "                                           \
    "n:57\r\n\r\n{\"token\":57,\"lease\":\"7f\"}"
#define FINE FAKE_ANSWER("200 OK", "text/plain", "OK")
#define TAKEN_AWAY FAKE_ANSWER("412 Precondition Failed", "text/plain", "")
#define HELD "HTTP/1.1 423 Locked\r\nConnection: close\r\nRetry-After: 1\r\n\r\nalice"
#define NOBODY FAKE_ANSWER("503 Service Unavailable", "text/plain", "")

static const struct command_form form = {.synopsis = "NAME [-- PROGRAM...]",
                                         .text = "",
                                         .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
                                         .takes_program = true};

struct fixture {
    struct fake_node node;
    struct hold_kind kind;
    struct hold_settings settings;
    struct err_note note;
};

static enum exit_status hold(struct call *call)
{
    const struct fixture *f = call->settings;
    return main_hold(call, &f->kind, &f->settings);
}

/* Runs a line of shell under it. */
static enum exit_status run(struct fixture *f, const char *line)
{
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = hold};
    struct env *env = env_uv_open();
    const char *const words[] = {"n m", "-e", f->node.address, "--", "sh", "-c", line, NULL};
    char *arguments[8];
    memcpy(arguments, words, sizeof(arguments));
    struct call call = {.name = "lock", .form = &form, .env = env, .settings = f};
    fake_start(&f->node);
    enum exit_status status = main_call(&call, &rules, 7, arguments);
    fake_stop(&f->node);
    env_uv_close(env);
    return status;
}

static struct fixture lock_fixture(uint64_t ttl_ms)
{
    return (struct fixture){
        .kind = {.noun = "lock", .path = "/locks/", .variable = "PONTOON_LOCK"},
        .settings = {.ttl_ms = ttl_ms, .wait_ms = 2000, .grace_ms = 200, .limit = 3, .body = "me"},
    };
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void a_program_runs_between_taking_and_giving_back(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(15000);
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = FINE;
    assert_int_equal(run(&f, "test \"$PONTOON_FENCE,$PONTOON_TOKEN,$PONTOON_LEASE,$PONTOON_LOCK\""
                             " = 'n:57,57,7f,n m' && exit 9"),
                     9);
    assert_int_equal(f.node.requests, 2);
    assert_true(
        begins(f.node.request[0], "POST /locks/n%20m?ttl=15s&wait=2s&limit=3 HTTP/1.1\r\n"));
    assert_non_null(strstr(f.node.request[0], "\r\n\r\nme"));
    assert_true(begins(f.node.request[1], "DELETE /locks/n%20m?"));
    assert_non_null(strstr(f.node.request[1], "KV-Fence: n:57\r\n"));
}

static void it_is_renewed_while_the_program_runs(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(3000);
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = NOBODY; /* it is asked again */
    f.node.answers[2] = FINE;
    f.node.answers[3] = FINE;
    assert_int_equal(run(&f, "sleep 1.7"), 0);
    assert_int_equal(f.node.requests, 4);
    for (int i = 1; i < 3; i++) {
        assert_true(begins(f.node.request[i], "PUT /locks/n%20m?"));
        assert_non_null(strstr(f.node.request[i], "KV-Fence: n:57\r\n"));
    }
    assert_true(begins(f.node.request[3], "DELETE "));
}

static void who_loses_it_is_ended(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(300);
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = TAKEN_AWAY;
    assert_int_equal(run(&f, "exec sleep 1000"), EXIT_PRECONDITION);
    assert_int_equal(f.node.requests, 2); /* there is nothing to give back */
    /* It hears SIGTERM, and cannot do without SIGKILL. */
    f = lock_fixture(300);
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = TAKEN_AWAY;
    assert_int_equal(run(&f, "trap '' TERM; while :; do sleep 0.05; done"), EXIT_PRECONDITION);
}

/* H1: nobody answers any more. */
static void who_cannot_renew_it_is_ended_when_the_ttl_has_passed(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(600);
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = FAKE_IS_SILENT;
    assert_int_equal(run(&f, "exec sleep 1000"), EXIT_PRECONDITION);
}

static void what_is_held_by_another_is_not_taken(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(15000);
    f.node.answers[0] = HELD;
    assert_int_equal(run(&f, "exit 9"), EXIT_PRECONDITION);
    assert_int_equal(f.node.requests, 1);
}

static void an_election_is_stood_for_until_it_is_won(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(3000);
    f.kind = (struct hold_kind){.noun = "election",
                                .path = "/elections/",
                                .variable = "PONTOON_ELECTION",
                                .waits_on = true};
    f.node.answers[0] = HELD;
    f.node.answers[1] = GRANTED;
    f.node.answers[2] = FINE;
    f.node.answers[3] = FINE;
    assert_int_equal(run(&f, "sleep 1.5"), 0);
    assert_int_equal(f.node.requests, 4);
    assert_true(begins(f.node.request[1], "POST /elections/n%20m?ttl=3s"));
    assert_true(begins(f.node.request[2], "PUT /elections/n%20m?"));
    assert_true(begins(f.node.request[3], "DELETE /elections/n%20m?"));
}

static void a_program_that_is_not_there_gives_it_back(void **state)
{
    (void)state;
    struct fixture f = lock_fixture(15000);
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = hold};
    struct env *env = env_uv_open();
    f.node.answers[0] = GRANTED;
    f.node.answers[1] = FINE;
    fake_start(&f.node);
    const char *const words[] = {"n", "-e", f.node.address, "--", "/nowhere/at/all", NULL};
    char *arguments[6];
    memcpy(arguments, words, sizeof(arguments));
    struct call call = {.name = "lock", .form = &form, .env = env, .settings = &f};
    assert_int_equal(main_call(&call, &rules, 5, arguments), 127);
    fake_stop(&f.node);
    assert_int_equal(f.node.requests, 2);
    env_uv_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_between_taking_and_giving_back),
        cmocka_unit_test(it_is_renewed_while_the_program_runs),
        cmocka_unit_test(who_loses_it_is_ended),
        cmocka_unit_test(who_cannot_renew_it_is_ended_when_the_ttl_has_passed),
        cmocka_unit_test(what_is_held_by_another_is_not_taken),
        cmocka_unit_test(an_election_is_stood_for_until_it_is_won),
        cmocka_unit_test(a_program_that_is_not_there_gives_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
