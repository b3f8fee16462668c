/* pontoon ls: the keys that there are. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "main/call.h"
#include "main/client_text.h"
#include "main/command.h"
#include "main/listing.h"
#include "main/meta.h"
#include "main/value.h"

#define PAGE_KEYS 1000u /* asked for at a time */

static const char text[] =
    "pontoon ls lists keys, in the order of their bytes: all of them as of one revision.\n"
    "\n"
    "  pontoon ls\n"
    "  pontoon ls app/                            those that begin with app/\n"
    "  pontoon ls app/ --delimiter /              as directories: nothing below the next /\n"
    "  pontoon ls app/ --long                     with revision and size\n"
    "  pontoon ls app/ --min-mod-revision 43      those that were changed since revision 42\n"
    "  pontoon ls --null | xargs -0 -n1 pontoon get\n"
    "\n"
    "A line a key; controls and backslashes in it are escaped as in C. --null prints keys as they\n"
    "are, -o json an object a line.\n";

struct ls_settings {
    const char *delimiter;
    const char *match;
    uint64_t limit; /* 0: all */
    uint64_t at;
    uint64_t min_mod_revision; /* 0: no bound; likewise below */
    uint64_t max_mod_revision;
    uint64_t min_create_revision;
    uint64_t max_create_revision;
    bool is_long;
    bool is_reverse;
    bool has_zeros;
    bool wants_count;
};

static const struct flag ls_flags[] = {
    {"delimiter", 'd', FLAG_TEXT, offsetof(struct ls_settings, delimiter), NULL, "TEXT",
     "keys are told up to there, behind the prefix"},
    {"long", 'l', FLAG_SWITCH, offsetof(struct ls_settings, is_long), NULL, NULL,
     "with the revision and the size of each"},
    {"reverse", 'r', FLAG_SWITCH, offsetof(struct ls_settings, is_reverse), NULL, NULL,
     "the last one first"},
    {"limit", 'n', FLAG_U64, offsetof(struct ls_settings, limit), NULL, "N",
     "no more than so many (all)"},
    {"match", 0, FLAG_TEXT, offsetof(struct ls_settings, match), NULL, "GLOB",
     "those alone that look like *this*"},
    {"min-mod-revision", 0, FLAG_U64, offsetof(struct ls_settings, min_mod_revision), NULL, "N",
     "those that were changed then or later"},
    {"max-mod-revision", 0, FLAG_U64, offsetof(struct ls_settings, max_mod_revision), NULL, "N",
     "those that were last changed then or earlier"},
    {"min-create-revision", 0, FLAG_U64, offsetof(struct ls_settings, min_create_revision), NULL,
     "N", "those that were made then or later"},
    {"max-create-revision", 0, FLAG_U64, offsetof(struct ls_settings, max_create_revision), NULL,
     "N", "those that were made then or earlier"},
    {"at", 0, FLAG_U64, offsetof(struct ls_settings, at), NULL, "REVISION", "as they were then"},
    {"count", 0, FLAG_SWITCH, offsetof(struct ls_settings, wants_count), NULL, NULL,
     "how many there are, and no key"},
    {"null", '0', FLAG_SWITCH, offsetof(struct ls_settings, has_zeros), NULL, NULL,
     "a zero byte behind each key, and nothing escaped"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_ls = {
    .synopsis = "[PREFIX]",
    .text = text,
    .flags = ls_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

struct ls {
    struct call *call;
    const struct ls_settings *settings;
    uint64_t printed;
    struct writer line;
};

/* ---- one key ---- */

static void print_json(const struct listing_item *item)
{
    if (item->row != NULL) {
        main_call_print_json(json_object_get(item->row));
        return;
    }
    struct json_object *document = json_object_new_object();
    main_meta_add_bytes(document, "prefix", item->name);
    main_call_print_json(document);
}

static void print_columns(const struct listing_item *item)
{
    const char *etag = json_object_get_string(json_object_object_get(item->row, "etag"));
    struct json_object *size = json_object_object_get(item->row, "size");
    char size_text[24] = "-";
    if (size != NULL) {
        (void)snprintf(size_text, sizeof(size_text), "%" PRId64, json_object_get_int64(size));
    }
    (void)printf("%12s %10s ", etag == NULL ? "-" : etag, size_text);
}

static void print_item(void *ctx, const struct listing_item *item)
{
    struct ls *ls = ctx;
    const struct ls_settings *settings = ls->settings;
    if (settings->limit != 0 && ls->printed >= settings->limit) {
        return;
    }
    ls->printed++;
    if (main_call_wants_json(ls->call)) {
        print_json(item);
        return;
    }
    if (settings->has_zeros) {
        main_value_write(item->name, stdout);
        (void)putchar('\0');
        return;
    }
    if (settings->is_long || ls->call->client_settings.output == CLIENT_OUTPUT_TABLE) {
        print_columns(item);
    }
    writer_reset(&ls->line);
    main_value_escape(item->name, &ls->line);
    writer_u8(&ls->line, '\n');
    main_value_write(writer_slice(&ls->line), stdout);
}

/* ---- pages ---- */

static void draft_bound(struct call *call, const char *name, uint64_t revision)
{
    if (revision != 0) {
        main_draft_param_u64(&call->draft, name, revision);
    }
}

static void draft_range(struct call *call, const struct ls_settings *settings)
{
    struct draft *draft = &call->draft;
    main_call_draft(call, "/kv");
    main_draft_param(draft, "prefix", call->words.count > 0 ? call->words.items[0] : "");
    if (settings->delimiter != NULL) {
        main_draft_param(draft, "delimiter", settings->delimiter);
    }
    if (settings->match != NULL) {
        main_draft_param(draft, "match", settings->match);
    }
    draft_bound(call, "min-mod-revision", settings->min_mod_revision);
    draft_bound(call, "max-mod-revision", settings->max_mod_revision);
    draft_bound(call, "min-create-revision", settings->min_create_revision);
    draft_bound(call, "max-create-revision", settings->max_create_revision);
    draft_bound(call, "at", settings->at);
}

static void draft_page(struct call *call, const struct ls_settings *settings)
{
    bool is_short = settings->limit != 0 && settings->limit < PAGE_KEYS;
    draft_range(call, settings);
    main_draft_param_u64(&call->draft, "limit", is_short ? settings->limit : PAGE_KEYS);
    main_draft_param(&call->draft, "values", "0");
    if (settings->is_reverse) {
        main_draft_param(&call->draft, "reverse", "1");
    }
}

/* Prints the page that came, and drafts the next one if there is any. */
static enum exit_status take_page(struct ls *ls, bool *out_goes_on)
{
    struct call *call = ls->call;
    struct json_object *page = main_client_json(call->client, call->note);
    *out_goes_on = false;
    if (page == NULL ||
        main_listing_each(page, ls->settings->is_reverse, print_item, ls, call->note) != OK) {
        (void)json_object_put(page);
        return EXIT_FAILED;
    }
    const char *next = main_listing_next(page, "/kv");
    bool is_full = ls->settings->limit != 0 && ls->printed >= ls->settings->limit;
    if (next != NULL && !is_full && ferror(stdout) == 0) {
        *out_goes_on = true;
        main_call_draft(call, next);
    }
    (void)json_object_put(page);
    return EXIT_OK;
}

static enum exit_status count(struct call *call, const struct ls_settings *settings)
{
    draft_range(call, settings);
    main_draft_param(&call->draft, "count", NULL);
    enum exit_status status = main_call_send(call, "HEAD", false);
    if (status != EXIT_OK) {
        return status;
    }
    const char *number = main_client_header(call->client, "KV-Count");
    if (number == NULL) {
        (void)err_note_set(call->note, ERR_MALFORMED, "the node's answer has no KV-Count");
        return EXIT_FAILED;
    }
    (void)printf(main_call_wants_json(call) ? "{\"count\":%s}\n" : "%s\n", number);
    return EXIT_OK;
}

static enum exit_status ls(struct call *call)
{
    struct ls ls = {.call = call, .settings = call->settings};
    if (ls.settings->wants_count) {
        return count(call, ls.settings);
    }
    if (call->client_settings.output == CLIENT_OUTPUT_TABLE) {
        (void)printf("%12s %10s %s\n", "REVISION", "SIZE", "KEY");
    }
    draft_page(call, ls.settings);
    enum exit_status status = EXIT_OK;
    for (bool goes_on = true; goes_on && status == EXIT_OK;) {
        status = main_call_send(call, "GET", false);
        if (status == EXIT_OK) {
            status = take_page(&ls, &goes_on);
        }
    }
    writer_deinit(&ls.line);
    return status;
}

enum exit_status main_cmd_ls(struct env *env, int count, char *const *arguments)
{
    struct ls_settings settings = {.limit = 0};
    struct call call = {.name = "ls", .form = &main_form_ls, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_max = 1, .run = ls};
    return main_call(&call, &rules, count, arguments);
}
