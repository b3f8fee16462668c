#include "env/uv.h"
#include "fake_node.h"
#include "main/call.h"

#define FINE FAKE_ANSWER("200 OK", "text/plain", "fine")

/* Sends the second word to the key in the first. */
static enum exit_status send_it(struct call *call)
{
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    writer_bytes(&call->body, slice_from_text(call->words.items[1]));
    return main_call_send(call, "PUT", true);
}

static enum exit_status run(const char *const *words, bool takes_program, char *const **out_program)
{
    struct env *env = env_uv_open();
    const struct call_rules rules = {.words_min = 2, .words_max = 2, .run = send_it};
    const struct command_form form = {.synopsis = "KEY VALUE",
                                      .text = "",
                                      .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
                                      .takes_program = takes_program};
    struct call call = {.name = "test", .form = &form, .env = env};
    char *arguments[8];
    int count = 0;
    for (; words[count] != NULL; count++) {
        arguments[count] = (char *)(uintptr_t)words[count];
    }
    arguments[count] = NULL;
    enum exit_status status = main_call(&call, &rules, count, arguments);
    if (out_program != NULL) {
        *out_program = call.program;
        assert_true(call.program == NULL || call.program > arguments);
    }
    env_uv_close(env);
    return status;
}

static void words_become_a_request(void **state)
{
    (void)state;
    struct fake_node node = {.answers = {FINE}};
    fake_start(&node);
    const char *const words[] = {"a b", "-e", node.address, "val", NULL};
    assert_int_equal(run(words, false, NULL), EXIT_OK);
    fake_stop(&node);
    assert_non_null(strstr(node.request[0], "PUT /kv/a%20b?timeout=4000ms HTTP/1.1\r\n"));
    assert_non_null(strstr(node.request[0], "\r\n\r\nval"));
}

static void a_value_of_no_bytes_is_sent_as_one(void **state)
{
    (void)state;
    struct fake_node node = {.answers = {FINE}};
    fake_start(&node);
    const char *const words[] = {"a", "-e", node.address, "", NULL};
    assert_int_equal(run(words, false, NULL), EXIT_OK);
    fake_stop(&node);
    assert_non_null(strstr(node.request[0], "Content-Length: 0\r\n"));
}

static void what_is_called_wrongly_asks_nobody(void **state)
{
    (void)state;
    static const char *const rows[][6] = {
        {"a", NULL},
        {"a", "b", "c", NULL},
        {"a", "b", "--what", NULL},
        {"", "b", NULL},
        {"a", "b", "-e", "nowhere", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(run(rows[i], false, NULL), EXIT_USAGE);
    }
}

static void a_refusal_is_the_status(void **state)
{
    (void)state;
    struct fake_node node = {.answers = {FAKE_ANSWER("404 Not Found", "text/plain", "no")}};
    fake_start(&node);
    const char *const words[] = {"a", "b", "-e", node.address, NULL};
    assert_int_equal(run(words, false, NULL), EXIT_NOT_FOUND);
    fake_stop(&node);
}

static void a_program_stands_behind_the_dashes(void **state)
{
    (void)state;
    struct fake_node node = {.answers = {FINE, FINE}};
    char *const *program = NULL;
    fake_start(&node);
    const char *const words[] = {"a", "b", "-e", node.address, "--", "ls", "-l", NULL};
    assert_int_equal(run(words, true, &program), EXIT_OK);
    assert_non_null(program);
    const char *const none[] = {"a", "b", "-e", node.address, "--", NULL};
    assert_int_equal(run(none, true, &program), EXIT_OK);
    assert_null(program);
    fake_stop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_a_request),
        cmocka_unit_test(a_value_of_no_bytes_is_sent_as_one),
        cmocka_unit_test(what_is_called_wrongly_asks_nobody),
        cmocka_unit_test(a_refusal_is_the_status),
        cmocka_unit_test(a_program_stands_behind_the_dashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
