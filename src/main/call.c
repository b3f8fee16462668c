#include "main/call.h"

#include <errno.h>
#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "main/meta.h"
#include "main/value.h"

/* ---- the command line ---- */

/* The arguments before "--"; what stands behind is the program's. */
static int split_program(struct call *call, int count, char *const *arguments)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--") == 0) {
            call->program = i + 1 < count ? arguments + i + 1 : NULL;
            return i;
        }
    }
    return count;
}

enum exit_status main_call_usage(const struct call *call)
{
    (void)err_note_set(call->note, ERR_BAD_REQUEST, "\"pontoon %s %s\"", call->name,
                       call->form->synopsis);
    return EXIT_USAGE;
}

static enum exit_status run(struct call *call, const struct call_rules *rules)
{
    if (call->words.count < rules->words_min) {
        return main_call_usage(call);
    }
    if (main_client_open(&call->client, &call->client_settings, environ, call->note) != OK) {
        return EXIT_USAGE;
    }
    enum exit_status status = rules->run(call);
    main_client_close(call->client);
    main_draft_deinit(&call->draft);
    writer_deinit(&call->body);
    return status;
}

enum exit_status main_call(struct call *call, const struct call_rules *rules, int count,
                           char *const *arguments)
{
    struct err_note note = {""};
    call->client_settings = CLIENT_SETTINGS_DEFAULT;
    call->client_settings.timeout_ms = call->form->timeout_ms;
    call->note = &note;
    static const struct flag no_flags[] = {{NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL}};
    const struct flag *own = call->form->flags;
    const struct flag_group groups[] = {{own == NULL ? no_flags : own, call->settings},
                                        {main_client_flags, &call->client_settings},
                                        {NULL, NULL}};
    int own_count = call->form->takes_program ? split_program(call, count, arguments) : count;
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, own_count, arguments, rules->words_max, &call->words, &note) ==
        OK) {
        status = run(call, rules);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        int number = errno;
        status = status == EXIT_OK ? EXIT_FAILED : status;
        (void)err_note_set(&note, ERR_IO, "write standard output: %s", strerrordesc_np(number));
    }
    call->note = NULL;
    /* A program's own status is not ours to explain. */
    return status == EXIT_OK || note.text[0] == '\0'
               ? status
               : main_command_complain(call->name, &note, status);
}

/* ---- a request ---- */

void main_call_draft(struct call *call, const char *path)
{
    main_draft_deinit(&call->draft);
    main_draft_init(&call->draft, path);
}

enum exit_status main_call_draft_key(struct call *call, const char *key)
{
    if (key[0] == '\0') {
        (void)err_note_set(call->note, ERR_BAD_REQUEST, "a key has at least one byte");
        return EXIT_USAGE;
    }
    main_call_draft(call, "/kv/");
    main_draft_segment(&call->draft, key);
    return EXIT_OK;
}

enum exit_status main_call_send_wait(struct call *call, const char *method, bool has_body,
                                     uint64_t wait_ms)
{
    struct client_request request = {.method = method, .wait_ms = wait_ms, .shares_timeout = true};
    if (has_body) {
        request.body = call->body.data == NULL ? SLICE_LITERAL("") : writer_slice(&call->body);
        request.body_file = call->body_file;
    }
    if (main_draft_finish(&call->draft, &request, call->note) != OK) {
        return EXIT_USAGE;
    }
    return main_client_ask(call->client, &request, call->note);
}

enum exit_status main_call_send(struct call *call, const char *method, bool has_body)
{
    return main_call_send_wait(call, method, has_body, 0);
}

/* ---- the outcome ---- */

bool main_call_wants_json(const struct call *call)
{
    return call->client_settings.output == CLIENT_OUTPUT_JSON;
}

void main_call_print_text(struct slice text)
{
    main_value_write(text, stdout);
    if (text.size == 0 || text.data[text.size - 1] != '\n') {
        (void)putchar('\n');
    }
}

void main_call_print_answer(const struct call *call)
{
    main_call_print_text(main_client_answer(call->client).body);
}

void main_call_print_change(const struct call *call)
{
    if (!main_call_wants_json(call)) {
        main_call_print_answer(call);
        return;
    }
    struct json_object *document = json_object_new_object();
    main_meta_add_bytes(document, "key", slice_from_text(call->words.items[0]));
    main_meta_add(call->client, document);
    (void)json_object_object_del(document, "size"); /* these are of the answer */
    (void)json_object_object_del(document, "content_type");
    main_meta_add_bytes(document, "result", main_client_answer(call->client).body);
    main_call_print_json(document);
}

void main_call_print_json(struct json_object *document)
{
    ASSERT(document != NULL);
    (void)puts(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                            JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(document);
}
