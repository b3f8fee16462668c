/* pontoon get: one key's value. */
#include <stddef.h>
#include <string.h>

#include "main/call.h"
#include "main/command.h"
#include "main/meta.h"
#include "main/out_file.h"
#include "main/value.h"

static const char text[] =
    "pontoon get prints a key's value: its bytes and nothing else, but for a line's end on a\n"
    "terminal.\n"
    "\n"
    "  pontoon get app/name\n"
    "  pontoon get app/name --meta                  its revisions, size and type\n"
    "  pontoon get app/name -o json                 both\n"
    "  pontoon get big --range 0-1023 -O part       the first KiB, into a file\n"
    "  pontoon get app/name --consistency stale     what the node asked has, at once\n"
    "  pontoon get app/name --min-revision 42       once that node has come to revision 42\n"
    "\n"
    "Status 3: there is no such key.\n";

static const char *const consistencies[] = {"linearizable", "stale", NULL};

struct get_settings {
    bool wants_meta;
    const char *range;
    uint64_t consistency;
    uint64_t min_revision; /* 0: not given, as below */
    uint64_t max_staleness_ms;
    uint64_t at;
    const char *out;
};

static const struct flag get_flags[] = {
    {"meta", 0, FLAG_SWITCH, offsetof(struct get_settings, wants_meta), NULL, NULL,
     "what is known of it instead of the value"},
    {"out", 'O', FLAG_TEXT, offsetof(struct get_settings, out), NULL, "FILE",
     "write the value there: all of it or nothing"},
    {"range", 0, FLAG_TEXT, offsetof(struct get_settings, range), NULL, "FIRST-LAST",
     "these bytes alone: 0-99, 100-, or -10 for the last ten"},
    {"consistency", 0, FLAG_CHOICE, offsetof(struct get_settings, consistency), consistencies,
     "linearizable|stale", "as of now, or as of this node (linearizable)"},
    {"max-staleness", 0, FLAG_DURATION, offsetof(struct get_settings, max_staleness_ms), NULL,
     "TIME", "this node's, if it heard from the leader so lately"},
    {"min-revision", 0, FLAG_U64, offsetof(struct get_settings, min_revision), NULL, "REVISION",
     "wait until the node has applied it"},
    {"at", 0, FLAG_U64, offsetof(struct get_settings, at), NULL, "REVISION",
     "the value that it had then"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_get = {
    .synopsis = "KEY",
    .text = text,
    .flags = get_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

static void draft_query(struct call *call, const struct get_settings *settings)
{
    struct draft *draft = &call->draft;
    if (settings->consistency != 0) {
        main_draft_param(draft, "consistency", consistencies[settings->consistency]);
    }
    if (settings->max_staleness_ms != 0) {
        main_draft_param_ms(draft, "max-staleness", settings->max_staleness_ms);
    }
    if (settings->min_revision != 0) {
        main_draft_param_u64(draft, "min-revision", settings->min_revision);
    }
    if (settings->at != 0) {
        main_draft_param_u64(draft, "at", settings->at);
    }
    if (settings->range != NULL) {
        struct writer range = {0};
        writer_format(&range, "bytes=%s", settings->range);
        writer_u8(&range, '\0');
        main_draft_field(draft, "Range", (const char *)range.data);
        writer_deinit(&range);
    }
}

static err write_file(struct call *call, const char *path)
{
    struct out_file *file = NULL;
    err e = main_out_file_open(&file, call->env, path, call->note);
    if (e != OK) {
        return e;
    }
    e = main_out_file_put(file, main_client_answer(call->client).body);
    if (e == OK) {
        e = main_out_file_finish(file);
    }
    main_out_file_close(file);
    return e == OK ? OK : err_note_set(call->note, e, "write %s: %s", path, err_title(e));
}

static void print_json(const struct call *call, bool has_value)
{
    struct json_object *document = json_object_new_object();
    main_meta_add_bytes(document, "key", slice_from_text(call->words.items[0]));
    main_meta_add(call->client, document);
    if (has_value) {
        main_meta_add_bytes(document, "value", main_client_answer(call->client).body);
    }
    main_call_print_json(document);
}

static enum exit_status get(struct call *call)
{
    const struct get_settings *settings = call->settings;
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    draft_query(call, settings);
    status = main_call_send(call, settings->wants_meta ? "HEAD" : "GET", false);
    if (status != EXIT_OK) {
        return status;
    }
    /* Ranges are a later thing than gets: a node that has none would send all of it. */
    if (settings->range != NULL && !settings->wants_meta &&
        main_client_answer(call->client).status != 206) {
        (void)err_note_set(call->note, ERR_NOT_IMPLEMENTED,
                           "the node sent the whole value: it knows no --range");
        return EXIT_FAILED;
    }
    bool has_file = settings->out != NULL;
    if (has_file && write_file(call, settings->out) != OK) {
        return EXIT_FAILED;
    }
    if (main_call_wants_json(call)) {
        print_json(call, !has_file && !settings->wants_meta);
    } else if (settings->wants_meta) {
        main_meta_print(call->client, stdout);
    } else if (!has_file) {
        main_value_print(main_client_answer(call->client).body, stdout);
    }
    return EXIT_OK;
}

enum exit_status main_cmd_get(struct env *env, int count, char *const *arguments)
{
    struct get_settings settings = {.consistency = 0};
    struct call call = {.name = "get", .form = &main_form_get, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = get};
    return main_call(&call, &rules, count, arguments);
}
