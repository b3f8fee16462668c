/* pontoon del: removes one key, or all that begin with a prefix. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/units.h"
#include "main/call.h"
#include "main/client_text.h"
#include "main/command.h"
#include "main/guards.h"
#include "main/meta.h"
#include "main/value.h"

static const char text[] =
    "pontoon del removes a key, and prints how many were there: 1 or 0.\n"
    "\n"
    "  pontoon del app/name\n"
    "  pontoon del app/name --if-match 42        only if it is still at revision 42\n"
    "  pontoon del --prefix app/ --dry-run       how many keys begin with app/\n"
    "  pontoon del --prefix app/                 all of them, in one revision\n"
    "\n"
    "A key that is not there is no failure; --if-match '*' makes it one. Status 4: a condition\n"
    "does not hold; 6: it may have been removed, as no node could tell any more.\n";

struct del_settings {
    struct guards guards;
    const char *prefix;
    bool is_dry;
    bool wants_all;
    bool wants_value;
};

static const struct flag del_flags[] = {
    {"prefix", 'p', FLAG_TEXT, offsetof(struct del_settings, prefix), NULL, "P",
     "all keys that begin with it"},
    {"all", 0, FLAG_SWITCH, offsetof(struct del_settings, wants_all), NULL, NULL,
     "with --prefix '': really every key"},
    {"dry-run", 0, FLAG_SWITCH, offsetof(struct del_settings, is_dry), NULL, NULL,
     "with --prefix: count them and remove none"},
    {"if-match", 0, FLAG_TEXT, offsetof(struct del_settings, guards.if_match), NULL, "ETAG",
     "only if it is at this revision; '*': if it is there"},
    {"prev", 0, FLAG_TEXT, offsetof(struct del_settings, guards.prev), NULL, "VALUE",
     "only if its value is this one"},
    {"fence", 0, FLAG_TEXT, offsetof(struct del_settings, guards.fence), NULL, "NAME:TOKEN",
     "only while that lock is held (PONTOON_FENCE under \"pontoon lock\")"},
    {"return", 0, FLAG_SWITCH, offsetof(struct del_settings, wants_value), NULL, NULL,
     "print the value that was removed"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_del = {
    .synopsis = "KEY | --prefix P",
    .text = text,
    .flags = del_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

/* ---- one key ---- */

static void report_one(const struct call *call, const struct del_settings *settings)
{
    struct slice body = main_client_answer(call->client).body;
    if (main_call_wants_json(call)) {
        struct json_object *document = json_object_new_object();
        main_meta_add_bytes(document, "key", slice_from_text(call->words.items[0]));
        main_meta_add(call->client, document);
        (void)json_object_object_del(document, "size"); /* these are of the answer */
        (void)json_object_object_del(document, "content_type");
        if (settings->wants_value) {
            main_meta_add_bytes(document, "value", body);
        }
        main_call_print_json(document);
    } else if (settings->wants_value) {
        main_value_print(body, stdout);
    } else {
        const char *deleted = main_client_header(call->client, "KV-Deleted");
        (void)puts(deleted == NULL ? "1" : deleted);
    }
}

static enum exit_status del_one(struct call *call, const struct del_settings *settings)
{
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    if (settings->wants_value) {
        main_draft_field(&call->draft, "Prefer", "return=representation");
    }
    main_guards_draft(&settings->guards, &call->draft);
    main_draft_field_once(&call->draft, call->env);
    status = main_call_send(call, "DELETE", false);
    if (status == EXIT_OK) {
        report_one(call, settings);
    }
    return status;
}

/* ---- a prefix ---- */

static enum exit_status report_prefix(const struct call *call)
{
    struct json_object *document = main_client_json(call->client, call->note);
    if (document == NULL) {
        return EXIT_FAILED;
    }
    if (main_call_wants_json(call)) {
        main_call_print_json(document);
        return EXIT_OK;
    }
    struct json_object *number = json_object_object_get(document, "deleted");
    if (number == NULL) {
        number = json_object_object_get(document, "would_delete");
    }
    (void)printf("%" PRId64 "\n", json_object_get_int64(number));
    (void)json_object_put(document);
    return EXIT_OK;
}

static enum exit_status del_prefix(struct call *call, const struct del_settings *settings)
{
    main_call_draft(call, "/kv");
    main_draft_param(&call->draft, "prefix", settings->prefix);
    if (settings->wants_all) {
        main_draft_param(&call->draft, "all", "yes");
    }
    if (settings->is_dry) {
        main_draft_param(&call->draft, "dry-run", "1");
    }
    enum exit_status status = main_call_send(call, "DELETE", false);
    return status == EXIT_OK ? report_prefix(call) : status;
}

/* ---- the command ---- */

/* What does not go together: a mistake here removes too much. */
static const char *contradiction(const struct call *call, const struct del_settings *settings)
{
    const struct guards *guards = &settings->guards;
    if (settings->prefix == NULL) {
        return settings->is_dry      ? "--dry-run is for --prefix"
               : settings->wants_all ? "--all is for --prefix ''"
                                     : NULL;
    }
    if (call->words.count > 0) {
        return "a KEY or a --prefix, not both";
    }
    if (guards->if_match != NULL || guards->prev != NULL || settings->wants_value) {
        return "--if-match, --prev and --return are about one key, not a --prefix";
    }
    if (guards->fence != NULL) {
        return "--fence guards one key; \"pontoon txn\" may remove a prefix under a condition";
    }
    bool is_empty = settings->prefix[0] == '\0';
    if (is_empty && !settings->wants_all && !settings->is_dry) {
        return "--prefix '' is every key that there is: --all says that you mean it";
    }
    return !is_empty && settings->wants_all ? "--all is for --prefix ''" : NULL;
}

static enum exit_status del(struct call *call)
{
    const struct del_settings *settings = call->settings;
    const char *why = contradiction(call, settings);
    if (why != NULL) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST, "%s", why);
        return EXIT_USAGE;
    }
    if (settings->prefix != NULL) {
        return del_prefix(call, settings);
    }
    return call->words.count == 0 ? main_call_usage(call) : del_one(call, settings);
}

enum exit_status main_cmd_del(struct env *env, int count, char *const *arguments)
{
    struct del_settings settings = {.prefix = NULL};
    struct call call = {.name = "del", .form = &main_form_del, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_max = 1, .run = del};
    return main_call(&call, &rules, count, arguments);
}
