#include "env/uv.h"
#include "fake_node.h"
#include "main/connection.h"

#define BODY_SIZE_MAX 8

/* A connection to a node that answers as told, and what came of it. */
struct fixture {
    struct fake_node node;
    struct env *env;
    struct connection connection;
    struct buf *request;
    int connected;
    int answered;
    int lost;
    int status;
    bool is_last;
    uint64_t retry_after_ms;
    uint64_t body_size;
    char content_type[64];
    char body[64];
    char why[64];
};

static void on_connected(void *ctx)
{
    struct fixture *f = ctx;
    f->connected++;
    main_connection_send(&f->connection, &f->request, 1);
}

static void on_answered(void *ctx, const struct connection_answer *answer)
{
    struct fixture *f = ctx;
    f->answered++;
    f->status = answer->status;
    f->is_last = answer->is_last;
    f->retry_after_ms = answer->retry_after_ms;
    f->body_size = answer->body_size;
    snprintf(f->content_type, sizeof(f->content_type), "%s", answer->content_type);
    snprintf(f->body, sizeof(f->body), "%.*s", (int)answer->body.size,
             (const char *)answer->body.data);
}

static void on_lost(void *ctx, const char *why)
{
    struct fixture *f = ctx;
    f->lost++;
    snprintf(f->why, sizeof(f->why), "%s", why);
}

/* From dialling to the end of the connection, if the node ends it. */
static void ask(struct fixture *f, const char *answer)
{
    static const struct connection_handler handler = {
        .connected = on_connected, .answered = on_answered, .lost = on_lost};
    *f = (struct fixture){.node.answers = {answer}};
    fake_start(&f->node);
    f->env = env_uv_open();
    f->request = buf_copy(SLICE_LITERAL("GET /kv/a HTTP/1.1\r\nHost: a\r\n\r\n"));
    main_connection_init(&f->connection, f->env, BODY_SIZE_MAX, &handler, f);
    main_connection_dial(&f->connection, f->node.address);
    while (f->lost == 0) {
        env_uv_run_once(f->env, true);
    }
}

static void stop(struct fixture *f)
{
    assert_int_equal(f->lost, 1); /* N2 */
    assert_null(f->connection.stream);
    main_connection_deinit(&f->connection);
    main_connection_deinit(&f->connection);
    env_uv_close(f->env);
    buf_drop(&f->request);
    fake_stop(&f->node);
}

static void an_answer_is_read_as_it_is(void **state)
{
    (void)state;
    struct fixture f;
    ask(&f, "HTTP/1.1 503 No\r\nRetry-After: 2\r\nContent-Type: text/x\r\nX: y\r\n"
            "Content-Length: 5\r\n\r\nvalue");
    assert_int_equal(f.connected, 1);
    assert_int_equal(f.answered, 1);
    assert_int_equal(f.status, 503);
    assert_int_equal(f.retry_after_ms, 2000);
    assert_int_equal(f.body_size, 5);
    assert_string_equal(f.content_type, "text/x");
    assert_string_equal(f.body, "value");
    assert_false(f.is_last);
    assert_string_equal(f.why, "it closed the connection");
    stop(&f);
}

static void an_answer_may_be_the_last_one_and_end_with_it(void **state)
{
    (void)state;
    struct fixture f;
    ask(&f, FAKE_ANSWER("200 OK", "text/plain", "0123456789"));
    assert_int_equal(f.answered, 1);
    assert_true(f.is_last);
    assert_int_equal(f.retry_after_ms, 0);
    assert_string_equal(f.body, "01234567");
    assert_int_equal(f.body_size, 10);
    stop(&f);
}

static void an_informational_answer_is_none(void **state)
{
    (void)state;
    struct fixture f;
    ask(&f, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(f.answered, 1);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.content_type, "");
    stop(&f);
}

static void what_is_no_answer_ends_it(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fixture f;
        ask(&f, answers[i]);
        assert_int_equal(f.answered, i); /* N1: one was asked for */
        assert_string_equal(f.why, "what it answers is no HTTP");
        stop(&f);
    }
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    struct fixture f;
    ask(&f, NULL);
    assert_int_equal(f.connected, 0);
    assert_string_equal(f.why, "Connection refused");
    stop(&f);
}

static void statuses_tell_what_may_be_repeated(void **state)
{
    (void)state;
    static const int repeated[] = {408, 429, 500, 502, 503, 504};
    int count = 0;
    for (int status = 300; status < 600; status++) {
        count += main_connection_may_repeat(status);
    }
    for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++) {
        assert_true(main_connection_may_repeat(repeated[i]));
    }
    assert_int_equal(count, sizeof(repeated) / sizeof(repeated[0]));
    assert_true(main_connection_may_be_done(504));
    assert_true(main_connection_may_be_done(500));
    assert_false(main_connection_may_be_done(503));
    assert_false(main_connection_may_be_done(413));
}

static void a_refusal_is_explained(void **state)
{
    (void)state;
    struct writer out = {0};
    const struct connection_answer answer = {
        .status = 413,
        .content_type = "application/problem+json",
        .body = SLICE_LITERAL("{\"title\":\"Value too large\",\"detail\":\"by far\"}"),
    };
    main_connection_explain(&answer, "h:1", &out);
    assert_true(slice_equal(writer_slice(&out), SLICE_LITERAL("h:1: Value too large: by far")));
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_as_it_is),
        cmocka_unit_test(an_answer_may_be_the_last_one_and_end_with_it),
        cmocka_unit_test(an_informational_answer_is_none),
        cmocka_unit_test(what_is_no_answer_ends_it),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(statuses_tell_what_may_be_repeated),
        cmocka_unit_test(a_refusal_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
