#include "env/uv.h"
#include "fake_node.h"
#include "main/put_pool.h"

#define CREATED FAKE_ANSWER("201 Created", "text/plain", "OK")
#define NO_LEADER                                                                                  \
    FAKE_ANSWER("503 Service Unavailable", "application/problem+json",                             \
                "{\"title\":\"No leader\",\"detail\":\"wait\",\"outcome\":\"not-applied\"}")
#define TOO_LARGE                                                                                  \
    FAKE_ANSWER("413 Content Too Large", "application/problem+json",                               \
                "{\"title\":\"Value too large\",\"outcome\":\"not-applied\"}")

/* Two nodes, and a pool over both, the first one first. */
struct fixture {
    struct fake_node first;
    struct fake_node second;
    char endpoints[80];
    struct client_settings settings;
    struct env *env;
    struct put_pool *pool;
    uint64_t number;
    struct err_note note;
};

static char *const no_environment[] = {NULL};

static void start(struct fixture *f, const char *const first[3], const char *second)
{
    *f = (struct fixture){.first.answers = {first[0], first[1], first[2]},
                          .second.answers = {second}};
    fake_start(&f->first);
    fake_start(&f->second);
    snprintf(f->endpoints, sizeof(f->endpoints), "%s,%s", f->first.address, f->second.address);
    f->settings = CLIENT_SETTINGS_DEFAULT;
    f->settings.endpoints = f->endpoints;
    f->env = env_uv_open();
    assert_int_equal(main_put_pool_open(&f->pool, f->env, &f->settings, no_environment, &f->note),
                     OK);
}

static void stop(struct fixture *f)
{
    main_put_pool_close(f->pool);
    env_uv_close(f->env);
    fake_stop(&f->first);
    fake_stop(&f->second);
}

static enum exit_status put(struct fixture *f, uint64_t number)
{
    const struct put put = {.number = number,
                            .path = "/kv/a%20b",
                            .body = SLICE_LITERAL("va\r\nlue"),
                            .content_type = SLICE_LITERAL("text/x")};
    enum exit_status status = main_put_pool_begin(f->pool, &put, &f->number, &f->note);
    return status == EXIT_OK ? main_put_pool_finish(f->pool, &f->number, &f->note) : status;
}

static void a_put_is_sent_as_it_is(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[3]){CREATED}, NULL);
    assert_int_equal(put(&f, 7), EXIT_OK);
    assert_int_equal(main_put_pool_done(f.pool), 1);
    assert_int_equal(main_put_pool_retries(f.pool), 0);
    stop(&f);
    const char *request = f.first.request[0];
    assert_non_null(strstr(request, "PUT /kv/a%20b HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Content-Type: text/x\r\n"));
    assert_non_null(strstr(request, "Content-Length: 7\r\n"));
    assert_non_null(strstr(request, "\r\n\r\nva\r\nlue"));
}

static void what_could_not_be_done_is_sent_to_another_one(void **state)
{
    (void)state;
    static const char *const answers[] = {NO_LEADER, FAKE_CLOSES, NULL /* refused */};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fixture f;
        start(&f, (const char *const[3]){answers[i]}, CREATED);
        assert_int_equal(put(&f, 7), EXIT_OK);
        assert_int_equal(main_put_pool_done(f.pool), 1);
        assert_int_equal(main_put_pool_retries(f.pool), answers[i] == NULL ? 0 : 1);
        stop(&f);
        assert_non_null(strstr(f.second.request[0], "\r\n\r\nva\r\nlue"));
    }
}

static void a_refusal_is_final_and_named(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[3]){TOO_LARGE}, NULL);
    assert_int_equal(put(&f, 7), EXIT_FAILED);
    assert_int_equal(f.number, 7);
    assert_non_null(strstr(f.note.text, "Value too large"));
    assert_non_null(strstr(f.note.text, f.first.address));
    assert_int_equal(put(&f, 8), EXIT_FAILED); /* I2 */
    assert_int_equal(f.number, 7);
    stop(&f);
    assert_int_equal(f.first.requests, 1);
}

static void who_does_not_answer_in_time_is_given_up(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[3]){FAKE_IS_SILENT}, NULL);
    main_put_pool_close(f.pool);
    f.settings.timeout_ms = 300;
    f.settings.endpoints = f.first.address;
    assert_int_equal(main_put_pool_open(&f.pool, f.env, &f.settings, no_environment, &f.note), OK);
    assert_int_equal(put(&f, 7), EXIT_UNKNOWN);
    assert_non_null(strstr(f.note.text, "no answer within --timeout"));
    stop(&f);
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, (const char *const[3]){NULL}, NULL);
    main_put_pool_close(f.pool);
    f.settings.timeout_ms = 300;
    assert_int_equal(main_put_pool_open(&f.pool, f.env, &f.settings, no_environment, &f.note), OK);
    assert_int_equal(put(&f, 7), EXIT_UNAVAILABLE);
    assert_non_null(strstr(f.note.text, "Connection refused"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_is_sent_as_it_is),
        cmocka_unit_test(what_could_not_be_done_is_sent_to_another_one),
        cmocka_unit_test(a_refusal_is_final_and_named),
        cmocka_unit_test(who_does_not_answer_in_time_is_given_up),
        cmocka_unit_test(nobody_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
