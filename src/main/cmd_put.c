/* pontoon put: writes one key. */
#include <stddef.h>

#include "main/call.h"
#include "main/command.h"
#include "main/guards.h"
#include "main/meta.h"
#include "main/value.h"

static const char text[] =
    "pontoon put writes a key. VALUE stands there, or comes from standard input (-) or a file\n"
    "(@FILE); one that begins with @ or is a dash goes through standard input.\n"
    "\n"
    "  pontoon put app/name Ada\n"
    "  pontoon put app/logo @logo.png --content-type image/png\n"
    "  date | pontoon put app/seen - --ttl 30s\n"
    "  pontoon put app/name Bob --if-match 42          only if it is still at revision 42\n"
    "  pontoon put app/name Ada --if-none-match '*'    only if it is not there yet\n"
    "\n"
    "Nothing is printed unless -o json or --return asks. Status 4: a condition does not hold; 6:\n"
    "it may have been written, as no node could tell any more.\n";

struct put_settings {
    struct guards guards;
    uint64_t ttl_ms; /* 0: not given */
    const char *lease;
    const char *content_type;
    bool keeps_ttl;
    bool wants_value;
};

static const struct flag put_flags[] = {
    {"ttl", 0, FLAG_DURATION, offsetof(struct put_settings, ttl_ms), NULL, "TIME",
     "it expires so long after this write"},
    {"keep-ttl", 0, FLAG_SWITCH, offsetof(struct put_settings, keeps_ttl), NULL, NULL,
     "it expires when it would have; else it does not any more"},
    {"lease", 0, FLAG_TEXT, offsetof(struct put_settings, lease), NULL, "ID",
     "it goes when that lease ends"},
    {"content-type", 0, FLAG_TEXT, offsetof(struct put_settings, content_type), NULL, "TYPE",
     "is stored with it, and served"},
    {"if-match", 0, FLAG_TEXT, offsetof(struct put_settings, guards.if_match), NULL, "ETAG",
     "only if it is at this revision; '*': if it is there"},
    {"if-none-match", 0, FLAG_TEXT, offsetof(struct put_settings, guards.if_none_match), NULL,
     "ETAG", "only if it is not; '*': if it is not there"},
    {"prev", 0, FLAG_TEXT, offsetof(struct put_settings, guards.prev), NULL, "VALUE",
     "only if its value is this one"},
    {"fence", 0, FLAG_TEXT, offsetof(struct put_settings, guards.fence), NULL, "NAME:TOKEN",
     "only while that lock is held (PONTOON_FENCE under \"pontoon lock\")"},
    {"return", 0, FLAG_SWITCH, offsetof(struct put_settings, wants_value), NULL, NULL,
     "print the value as the node has it now"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_put = {
    .synopsis = "KEY VALUE|-|@FILE",
    .text = text,
    .flags = put_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

static void draft_put(struct call *call, const struct put_settings *settings)
{
    struct draft *draft = &call->draft;
    if (settings->ttl_ms != 0) {
        main_draft_param_ms(draft, "ttl", settings->ttl_ms);
    }
    if (settings->keeps_ttl) {
        main_draft_param(draft, "keepttl", NULL);
    }
    if (settings->lease != NULL) {
        main_draft_param(draft, "lease", settings->lease);
    }
    if (settings->content_type != NULL) {
        main_draft_field(draft, "Content-Type", settings->content_type);
    }
    if (settings->wants_value) {
        main_draft_field(draft, "Prefer", "return=representation");
    }
    main_guards_draft(&settings->guards, draft);
    main_draft_field_once(draft, call->env);
}

static void report(const struct call *call, const struct put_settings *settings)
{
    struct client_answer answer = main_client_answer(call->client);
    if (main_call_wants_json(call)) {
        struct json_object *document = json_object_new_object();
        main_meta_add_bytes(document, "key", slice_from_text(call->words.items[0]));
        (void)json_object_object_add(document, "is_new",
                                     json_object_new_boolean(answer.status == 201));
        main_meta_add(call->client, document);
        (void)json_object_object_del(document, "size"); /* these are of the answer */
        if (!settings->wants_value) {
            (void)json_object_object_del(document, "content_type");
        } else {
            main_meta_add_bytes(document, "value", answer.body);
        }
        main_call_print_json(document);
    } else if (settings->wants_value) {
        main_value_print(answer.body, stdout);
    }
}

static enum exit_status put(struct call *call)
{
    const struct put_settings *settings = call->settings;
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    if (main_value_read(call->words.items[1], &call->body, &call->body_file, call->note) != OK) {
        return EXIT_FAILED;
    }
    draft_put(call, settings);
    status = main_call_send(call, "PUT", true);
    if (status == EXIT_OK) {
        report(call, settings);
    }
    return status;
}

enum exit_status main_cmd_put(struct env *env, int count, char *const *arguments)
{
    struct put_settings settings = {.ttl_ms = 0};
    struct call call = {.name = "put", .form = &main_form_put, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 2, .words_max = 2, .run = put};
    return main_call(&call, &rules, count, arguments);
}
