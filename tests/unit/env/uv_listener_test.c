#include "env_testing.h"

static struct env *env;
static struct err_note note;

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    note.text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    env_uv_close(env);
    return 0;
}

static void ignore_connected(void *ctx, struct env_stream *stream, err e)
{
    (void)ctx;
    (void)stream;
    (void)e;
}

static void ignore_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    (void)ctx;
    (void)stream;
    (void)bytes;
}

static void ignore_ended(void *ctx, struct env_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static const struct env_stream_handler ignorant = {
    .connected = ignore_connected, .received = ignore_received, .ended = ignore_ended};

struct acceptance {
    struct env_listener *listener;
    struct env_stream *stream;
    bool is_over;
};

static void keep_stream(void *ctx, struct env_stream *stream)
{
    struct acceptance *acceptance = ctx;
    env_stream_set_handler(stream, &ignorant, NULL);
    acceptance->stream = stream;
    acceptance->is_over = true;
}

static void close_stream(void *ctx, struct env_stream *stream)
{
    struct acceptance *acceptance = ctx;
    env_stream_close(stream);
    acceptance->is_over = true;
}

static void close_listener(void *ctx, struct env_stream *stream)
{
    struct acceptance *acceptance = ctx;
    env_listener_close(acceptance->listener);
    acceptance->listener = NULL;
    keep_stream(ctx, stream);
}

static void listen_and_dial(const char *address,
                            void (*accepted)(void *ctx, struct env_stream *stream),
                            struct acceptance *acceptance)
{
    *acceptance = (struct acceptance){.is_over = false};
    assert_int_equal(env_listen(env, address, accepted, acceptance, &acceptance->listener, &note),
                     OK);
    struct env_stream *dialled =
        env_stream_dial(env, env_listener_address(acceptance->listener), &ignorant, NULL);
    run_until(env, &acceptance->is_over);
    env_uv_run_once(env, false);
    env_stream_close(dialled);
}

static void port_0_is_any_port_and_the_address_says_which(void **state)
{
    (void)state;
    struct acceptance acceptance;
    listen_and_dial("127.0.0.1:0", keep_stream, &acceptance);
    const char *address = env_listener_address(acceptance.listener);
    assert_memory_equal(address, "127.0.0.1:", 10);
    assert_string_not_equal(address, "127.0.0.1:0");
    assert_memory_equal(env_stream_peer(acceptance.stream), "127.0.0.1:", 10);
    env_stream_close(acceptance.stream);
    env_listener_close(acceptance.listener);
    env_listener_close(NULL);
}

static void names_can_be_listened_on(void **state)
{
    (void)state;
    struct acceptance acceptance;
    listen_and_dial("localhost:0", keep_stream, &acceptance);
    env_stream_close(acceptance.stream);
    env_listener_close(acceptance.listener);
}

static void an_accepted_stream_may_be_closed_at_once(void **state)
{
    (void)state;
    struct acceptance acceptance;
    listen_and_dial("127.0.0.1:0", close_stream, &acceptance);
    env_listener_close(acceptance.listener);
}

static void a_listener_may_be_closed_when_it_accepts(void **state)
{
    (void)state;
    struct acceptance acceptance;
    listen_and_dial("127.0.0.1:0", close_listener, &acceptance);
    assert_null(acceptance.listener);
    env_stream_close(acceptance.stream);
}

static void an_address_in_use_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct env_listener *first;
    struct env_listener *second;
    char expected[ERR_NOTE_SIZE];
    assert_int_equal(env_listen(env, "127.0.0.1:0", keep_stream, NULL, &first, &note), OK);
    const char *address = env_listener_address(first);
    assert_int_equal(env_listen(env, address, keep_stream, NULL, &second, &note), ERR_ADDRESS);
    (void)snprintf(expected, sizeof(expected), "listen on %s: Address already in use", address);
    assert_string_equal(note.text, expected);
    env_listener_close(first);
    env_uv_run_once(env, false);
}

static void an_address_of_another_machine_is_refused(void **state)
{
    (void)state;
    struct env_listener *listener;
    assert_int_equal(env_listen(env, "192.0.2.1:0", keep_stream, NULL, &listener, &note),
                     ERR_ADDRESS);
    assert_string_equal(note.text, "listen on 192.0.2.1:0: Cannot assign requested address");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    struct env_listener *listener;
    assert_int_equal(env_listen(env, "3000", keep_stream, NULL, &listener, &note), ERR_ADDRESS);
    assert_non_null(strstr(note.text, "HOST:PORT"));
    assert_int_equal(env_listen(env, "a..b:1", keep_stream, NULL, &listener, &note), ERR_ADDRESS);
    assert_memory_equal(note.text, "listen on a..b:1: ", 18);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(port_0_is_any_port_and_the_address_says_which),
        TEST(names_can_be_listened_on),
        TEST(an_accepted_stream_may_be_closed_at_once),
        TEST(a_listener_may_be_closed_when_it_accepts),
        TEST(an_address_in_use_is_refused_with_a_reason),
        TEST(an_address_of_another_machine_is_refused),
        TEST(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
