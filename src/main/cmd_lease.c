/* pontoon lease: leases, to which keys may be attached. */
#include <inttypes.h>
#include <json-c/json_object.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/units.h"
#include "main/call.h"
#include "main/client_text.h"
#include "main/command.h"
#include "main/listing.h"
#include "main/pause.h"
#include "main/value.h"

#define RENEW_SHARE 3
#define RENEW_MS_MIN 50
#define AGAIN_MS 1000u /* after nobody could */

static const char text[] =
    "pontoon lease makes and keeps leases. Keys that are attached to one (\"pontoon put --lease "
    "ID\")\n"
    "go when it ends.\n"
    "\n"
    "  ID=$(pontoon lease grant 10s)\n"
    "  pontoon put service/a 10.0.0.1 --lease \"$ID\"\n"
    "  pontoon lease keep \"$ID\" &          renews it until that is ended\n"
    "  pontoon lease show \"$ID\"            what is left of it, its ttl, and its keys\n"
    "  pontoon lease list\n"
    "  pontoon lease revoke \"$ID\"          now, with its keys\n"
    "\n"
    "Status 3: there is no such lease, or not any more.\n";

struct lease_settings {
    bool is_once;
};

static const struct flag lease_flags[] = {
    {"once", 0, FLAG_SWITCH, offsetof(struct lease_settings, is_once), NULL, NULL,
     "keep: renew it now, and end"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

static const char *const verb_names[] = {"grant", "keep", "revoke", "list", "show", NULL};

const struct command_form main_form_lease = {
    .synopsis = "grant TTL | keep ID | revoke ID | list | show ID",
    .text = text,
    .flags = lease_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
    .verbs = verb_names,
};

/* ---- requests and answers ---- */

static void draft_lease(struct call *call)
{
    main_call_draft(call, "/leases/");
    main_draft_segment(&call->draft, call->words.items[1]);
}

/* The answer, to be put; NULL, with a note and maybe printed already. */
static struct json_object *ask(struct call *call, const char *method, enum exit_status *out_status)
{
    *out_status = main_call_send(call, method, false);
    struct json_object *document =
        *out_status == EXIT_OK ? main_client_json(call->client, call->note) : NULL;
    if (*out_status == EXIT_OK && document == NULL) {
        *out_status = EXIT_FAILED;
    }
    if (document != NULL && main_call_wants_json(call)) {
        main_call_print_answer(call);
    }
    return document;
}

static const char *text_of(struct json_object *document, const char *name)
{
    const char *value = json_object_get_string(json_object_object_get(document, name));
    return value == NULL ? "-" : value;
}

/* ---- the verbs ---- */

static enum exit_status grant(struct call *call)
{
    uint64_t ttl_ms = 0;
    const char *word = call->words.items[1];
    if (api_units_parse_duration(slice_from_text(word), &ttl_ms) != OK || ttl_ms == 0) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST,
                           "TTL is a duration like 500ms, 10s or 2m, not \"%s\"", word);
        return EXIT_USAGE;
    }
    main_call_draft(call, "/leases");
    main_draft_param_ms(&call->draft, "ttl", ttl_ms);
    main_draft_field_once(&call->draft, call->env);
    enum exit_status status;
    struct json_object *document = ask(call, "POST", &status);
    if (document != NULL && !main_call_wants_json(call)) {
        (void)puts(text_of(document, "id"));
    }
    (void)json_object_put(document);
    return status;
}

static enum exit_status revoke(struct call *call)
{
    draft_lease(call);
    enum exit_status status = main_call_send(call, "DELETE", false);
    if (status == EXIT_OK && main_call_wants_json(call)) {
        main_call_print_answer(call);
    }
    return status;
}

static enum exit_status renew(struct call *call, uint64_t *out_ttl_ms)
{
    draft_lease(call);
    main_draft_path(&call->draft, "/keepalive");
    enum exit_status status;
    struct json_object *document = ask(call, "POST", &status);
    double ttl = json_object_get_double(json_object_object_get(document, "ttl"));
    *out_ttl_ms = ttl > 0 && ttl < 1e9 ? (uint64_t)(ttl * 1000) : 0;
    if (document != NULL && !main_call_wants_json(call)) {
        (void)printf("%s\n", text_of(document, "ttl"));
    }
    (void)fflush(stdout);
    (void)json_object_put(document);
    return status;
}

static enum exit_status keep(struct call *call)
{
    const struct lease_settings *settings = call->settings;
    for (;;) {
        uint64_t ttl_ms = 0;
        enum exit_status status = renew(call, &ttl_ms);
        bool may_go_on = status == EXIT_OK || status == EXIT_UNAVAILABLE || status == EXIT_UNKNOWN;
        if (settings->is_once || !may_go_on) {
            return status;
        }
        if (status != EXIT_OK) {
            (void)fprintf(stderr, "pontoon: %s; asking again\n", call->note->text);
            main_pause(call->env, AGAIN_MS);
            continue;
        }
        uint64_t pause_ms = ttl_ms / RENEW_SHARE;
        main_pause(call->env, pause_ms > RENEW_MS_MIN ? pause_ms : RENEW_MS_MIN);
    }
}

static void print_lease(const struct call *call, struct json_object *lease)
{
    if (main_call_wants_json(call)) {
        main_call_print_json(json_object_get(lease));
    } else {
        (void)printf("%s %s %s\n", text_of(lease, "id"), text_of(lease, "remaining"),
                     text_of(lease, "ttl"));
    }
}

static void print_key(const struct call *call, struct json_object *row)
{
    struct writer key = {0};
    struct writer line = {0};
    (void)call;
    if (main_listing_bytes(row, "key", &key) == OK) {
        main_value_escape(writer_slice(&key), &line);
        (void)printf("%.*s\n", (int)line.size, (const char *)line.data);
    }
    writer_deinit(&key);
    writer_deinit(&line);
}

/* Prints the rows of all pages; the first one is drafted. */
static enum exit_status each_row(struct call *call, const char *rows_name,
                                 void (*print)(const struct call *call, struct json_object *row),
                                 bool prints_lease)
{
    enum exit_status status = EXIT_OK;
    for (bool goes_on = true; goes_on && status == EXIT_OK;) {
        status = main_call_send(call, "GET", false);
        struct json_object *page =
            status == EXIT_OK ? main_client_json(call->client, call->note) : NULL;
        if (page == NULL) {
            return status == EXIT_OK ? EXIT_FAILED : status;
        }
        if (prints_lease) {
            print_lease(call, page);
            prints_lease = false;
        }
        struct json_object *rows = json_object_object_get(page, rows_name);
        bool is_list = json_object_is_type(rows, json_type_array) != 0;
        for (size_t i = 0; is_list && i < json_object_array_length(rows); i++) {
            print(call, json_object_array_get_idx(rows, i));
        }
        const char *next = main_listing_next(page, "/leases");
        goes_on = next != NULL;
        if (goes_on) {
            main_call_draft(call, next);
        }
        (void)json_object_put(page);
    }
    return status;
}

/* With -o json, an object a line. */
static enum exit_status list(struct call *call)
{
    if (call->client_settings.output == CLIENT_OUTPUT_TABLE) {
        (void)puts("ID REMAINING TTL");
    }
    main_call_draft(call, "/leases");
    return each_row(call, "leases", print_lease, false);
}

static enum exit_status show(struct call *call)
{
    draft_lease(call);
    main_draft_param(&call->draft, "keys", NULL);
    if (!main_call_wants_json(call)) {
        return each_row(call, "keys", print_key, true);
    }
    enum exit_status status = main_call_send(call, "GET", false);
    if (status == EXIT_OK) {
        main_call_print_answer(call);
    }
    return status;
}

/* ---- the command ---- */

static enum exit_status lease(struct call *call)
{
    static const struct {
        size_t words;
        enum exit_status (*run)(struct call *call);
    } verbs[] = {{2, grant}, {2, keep}, {2, revoke}, {1, list}, {2, show}};
    const struct lease_settings *settings = call->settings;
    for (size_t i = 0; verb_names[i] != NULL; i++) {
        if (strcmp(verb_names[i], call->words.items[0]) == 0 &&
            call->words.count == verbs[i].words && (!settings->is_once || verbs[i].run == keep)) {
            return verbs[i].run(call);
        }
    }
    return main_call_usage(call);
}

enum exit_status main_cmd_lease(struct env *env, int count, char *const *arguments)
{
    struct lease_settings settings = {.is_once = false};
    struct call call = {
        .name = "lease", .form = &main_form_lease, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 2, .run = lease};
    return main_call(&call, &rules, count, arguments);
}
