#include "env/uv.h"
#include "fake_node.h"
#include "main/bench.h"

#define CREATED FAKE_ANSWER("201 Created", "text/plain", "OK")
#define DONE FAKE_ANSWER("200 OK", "text/plain", "OK")
#define NOT_FOUND FAKE_ANSWER("404 Not Found", "text/plain", "")
#define PROBLEM(status, fields, title)                                                             \
    "HTTP/1.1 " status "\r\nConnection: close\r\n" fields                                          \
    "Content-Type: application/problem+json\r\n\r\n{\"title\":\"" title                            \
    "\",\"detail\":\"because\"}"
#define NO_LEADER PROBLEM("503 Service Unavailable", "", "No leader")

/* A node, and a load on one connection to it. */
struct fixture {
    struct fake_node node;
    struct env *env;
    struct endpoints endpoints;
    struct bench *bench;
    struct env_timer stopper;
    struct bench_result result;
    struct err_note note;
};

static void start(struct fixture *f, const char *const answers[FAKE_REQUESTS_MAX], uint64_t keys)
{
    memset(f, 0, sizeof(*f));
    memcpy(f->node.answers, answers, FAKE_REQUESTS_MAX * sizeof(answers[0]));
    fake_start(&f->node);
    assert_int_equal(main_endpoints_parse(f->node.address, &f->endpoints, &f->note), OK);
    const struct bench_settings settings = {.is_stale = true,
                                            .connections = 1,
                                            .duration_ms = 300,
                                            .timeout_ms = 300,
                                            .keys = keys,
                                            .value_bytes = 20,
                                            .prefix = "p/"};
    f->env = env_uv_open();
    f->bench = main_bench_open(f->env, &f->endpoints, &settings);
}

static enum exit_status run(struct fixture *f, enum bench_phase phase)
{
    return main_bench_run(f->bench, phase, &f->result, &f->note);
}

static void stop(struct fixture *f)
{
    main_bench_close(f->bench);
    env_uv_close(f->env);
    fake_stop(&f->node);
}

static void keys_are_filled_in_and_removed(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[FAKE_REQUESTS_MAX]){CREATED, CREATED, DONE, NOT_FOUND}, 2);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_OK);
    assert_int_equal(main_bench_good(&f.result), 2);
    assert_int_equal(f.result.tallies[BENCH_OPERATION_PUT].bytes, 40);
    assert_int_equal(main_bench_keys_left(f.bench), 2);
    char path[100];
    snprintf(path, sizeof(path), " /kv/%.*s000000000", (int)main_bench_prefix(f.bench).size,
             (const char *)main_bench_prefix(f.bench).data);
    assert_int_equal(run(&f, BENCH_REMOVE), EXIT_OK);
    assert_int_equal(main_bench_keys_left(f.bench), 0);
    assert_int_equal(main_bench_failed(&f.result), 0); /* gone is gone */
    stop(&f);
    assert_int_equal(f.node.requests, 4);
    for (int i = 0; i < 4; i++) {
        const char *key = strstr(f.node.request[i], path);
        assert_non_null(key);
        assert_int_equal(key[strlen(path)], "0101"[i]);
        assert_memory_equal(f.node.request[i], i < 2 ? "PUT" : "DEL", 3);
    }
    assert_non_null(strstr(f.node.request[0], "\r\nContent-Length: 20\r\n"));
}

static void what_is_refused_is_asked_again(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[FAKE_REQUESTS_MAX]){NO_LEADER, FAKE_CLOSES, CREATED, NULL}, 1);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_OK);
    const struct bench_tally *tally = &f.result.tallies[BENCH_OPERATION_PUT];
    assert_int_equal(tally->latency.count, 1);
    assert_int_equal(tally->failed, 2);
    assert_string_equal(tally->causes[0].text, "503 No leader");
    assert_string_equal(tally->causes[1].text, "it closed the connection");
    stop(&f);
    assert_int_equal(f.node.requests, 3);
    assert_memory_equal(f.node.request[0], f.node.request[2], 60); /* the same key */
}

static void a_pause_that_is_asked_for_is_kept(void **state)
{
    (void)state;
    struct fixture f;
    start(&f,
          (const char *const[FAKE_REQUESTS_MAX]){
              PROBLEM("503 Service Unavailable", "Retry-After: 1\r\n", "No leader"), CREATED, NULL,
              NULL},
          1);
    uint64_t begin_ns = env_now_ns(f.env);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_OK);
    assert_true(env_now_ns(f.env) - begin_ns >= UINT64_C(1000000000));
    stop(&f);
}

static void a_refusal_that_is_final_ends_the_filling(void **state)
{
    (void)state;
    struct fixture f;
    start(&f,
          (const char *const[FAKE_REQUESTS_MAX]){PROBLEM("413 Content Too Large", "", "Too large"),
                                                 NULL},
          2);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_FAILED);
    assert_non_null(strstr(f.note.text, "Too large: because"));
    assert_non_null(strstr(f.note.text, f.node.address));
    assert_int_equal(main_bench_keys_left(f.bench), 0);
    stop(&f);
    assert_int_equal(f.node.requests, 1);
}

static void who_does_not_answer_may_have_done_it(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[FAKE_REQUESTS_MAX]){FAKE_IS_SILENT, NULL}, 1);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_UNKNOWN);
    assert_non_null(strstr(f.note.text, "no answer within --timeout"));
    assert_int_equal(main_bench_keys_left(f.bench), 1);
    stop(&f);
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[FAKE_REQUESTS_MAX]){NULL}, 1);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_UNAVAILABLE);
    assert_non_null(strstr(f.note.text, "Connection refused"));
    assert_int_equal(main_bench_keys_left(f.bench), 0);
    stop(&f);
}

static void a_value_that_is_wrong_is_a_failure(void **state)
{
    (void)state;
    struct fixture f;
    start(&f,
          (const char *const[FAKE_REQUESTS_MAX]){
              FAKE_ANSWER("200 OK", "text/plain", "01234567890123456789"), NOT_FOUND, FAKE_CLOSES,
              NULL},
          1);
    assert_int_equal(run(&f, BENCH_GET), EXIT_OK); /* a load over time goes on */
    const struct bench_tally *tally = &f.result.tallies[BENCH_OPERATION_GET];
    assert_int_equal(tally->latency.count, 0);
    assert_true(tally->failed >= 3);
    assert_string_equal(tally->causes[0].text, "wrong value");
    assert_string_equal(tally->causes[1].text, "404");
    assert_string_equal(tally->causes[2].text, "it closed the connection");
    stop(&f);
    assert_memory_equal(f.node.request[0], "GET /kv/p/", 10);
    assert_non_null(strstr(f.node.request[0], "/0000000000?consistency=stale HTTP/1.1\r\n"));
}

static void each_connection_settles_by_a_linearizable_get(void **state)
{
    (void)state;
    struct fixture f;
    start(&f,
          (const char *const[FAKE_REQUESTS_MAX]){
              NO_LEADER, FAKE_ANSWER("200 OK", "text/plain", "01234567890123456789"), NULL},
          1);
    assert_int_equal(run(&f, BENCH_SETTLE), EXIT_FAILED);
    assert_string_equal(f.note.text, "wrong value");
    stop(&f);
    assert_int_equal(f.node.requests, 2);
    assert_non_null(strstr(f.node.request[1], "/0000000000 HTTP/1.1\r\n"));
}

static void on_time(struct env_timer *timer)
{
    main_bench_stop(CONTAINER_OF(timer, struct fixture, stopper)->bench);
}

static void what_is_stopped_begins_nothing_more(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[FAKE_REQUESTS_MAX]){CREATED, NO_LEADER, NULL}, 1000);
    env_timer_init(f.env, &f.stopper, on_time);
    env_timer_start(&f.stopper, 150, 0);
    assert_int_equal(run(&f, BENCH_FILL), EXIT_OK);
    assert_int_equal(main_bench_good(&f.result), 1);
    env_timer_deinit(&f.stopper);
    stop(&f);
}

static void names_are_as_on_the_command_line(void **state)
{
    (void)state;
    assert_string_equal(main_bench_phase_name(BENCH_MIXED), "mixed");
    assert_string_equal(main_bench_operation_name(BENCH_OPERATION_DELETE), "delete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_filled_in_and_removed),
        cmocka_unit_test(what_is_refused_is_asked_again),
        cmocka_unit_test(a_pause_that_is_asked_for_is_kept),
        cmocka_unit_test(a_refusal_that_is_final_ends_the_filling),
        cmocka_unit_test(who_does_not_answer_may_have_done_it),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(a_value_that_is_wrong_is_a_failure),
        cmocka_unit_test(each_connection_settles_by_a_linearizable_get),
        cmocka_unit_test(what_is_stopped_begins_nothing_more),
        cmocka_unit_test(names_are_as_on_the_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
