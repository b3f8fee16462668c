/* pontoon watch: the changes of a key, or of all with a prefix, as they happen. */
#include <inttypes.h>
#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "main/call.h"
#include "main/child.h"
#include "main/client_text.h"
#include "main/command.h"
#include "main/events.h"
#include "main/listing.h"
#include "main/pause.h"
#include "main/value.h"

/* A node says something every 15 s, if there is nothing to tell: after this it is gone. */
#define SILENCE_MS 40000u
#define RETRY_MS 1000u /* unless the stream says how long */
#define RETRY_MS_MAX 60000u
#define ID_SIZE 32u
#define VARIABLE_SIZE_MAX (96u << 10) /* the kernel takes 128 KiB */

static const char text[] =
    "pontoon watch prints the changes of a key, or of all keys with a prefix, as they happen, a\n"
    "line each: what happened, the revision, the key and its new value.\n"
    "\n"
    "  pontoon watch app/name\n"
    "  pontoon watch --prefix app/ --initial          first what is there: \"put\" lines, "
    "\"synced\"\n"
    "  pontoon watch app/name --since 42              what came behind revision 42, too\n"
    "  pontoon watch app/name --limit 1               until the next change\n"
    "  pontoon watch --prefix app/ -- ./reload.sh     for each change\n"
    "\n"
    "Controls and backslashes are escaped as in C; -o json prints an object a line. When a\n"
    "connection breaks, another node is asked for what came since: no change is missed or told\n"
    "twice. The program's environment has PONTOON_EVENT (put, delete, expire), PONTOON_REVISION,\n"
    "PONTOON_KEY and PONTOON_VALUE, where they can stand there, and its input is the value.\n"
    "\n"
    "Status 1: the changes since then are not kept any more; 5: no node could at the beginning.\n";

struct watch_settings {
    bool is_prefix;
    bool wants_initial;
    bool wants_previous;
    const char *events;
    const char *since;
    uint64_t limit; /* 0: for ever */
};

static const struct flag watch_flags[] = {
    {"prefix", 'p', FLAG_SWITCH, offsetof(struct watch_settings, is_prefix), NULL, NULL,
     "all keys that begin with KEY"},
    {"since", 0, FLAG_TEXT, offsetof(struct watch_settings, since), NULL, "REVISION",
     "begin behind that one, not now"},
    {"initial", 0, FLAG_SWITCH, offsetof(struct watch_settings, wants_initial), NULL, NULL,
     "first what is there, then \"synced\""},
    {"old-value", 0, FLAG_SWITCH, offsetof(struct watch_settings, wants_previous), NULL, NULL,
     "with the value before, in -o json"},
    {"events", 0, FLAG_TEXT, offsetof(struct watch_settings, events), NULL, "NAMES",
     "these alone: put,delete,expire"},
    {"limit", 'n', FLAG_U64, offsetof(struct watch_settings, limit), NULL, "N",
     "end after so many changes"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_watch = {
    .synopsis = "KEY [-- PROGRAM...]",
    .text = text,
    .flags = watch_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
    .takes_program = true,
};

struct watch {
    struct call *call;
    const struct watch_settings *settings;
    struct events events;
    char last_id[ID_SIZE];  /* "": none yet */
    uint64_t told_since_id; /* changes: they come again behind it, in the same order */
    uint64_t seen_since_id; /* in this stream */
    bool is_state; /* what is there comes, not what changes: until "synced", and without ids */
    uint64_t told;
    bool was_connected; /* ever */
    bool is_fresh;      /* nothing of this stream came yet */
    bool is_over;
    struct writer line;
    struct writer key;
    struct writer value;
};

/* ---- one change ---- */

static struct json_object *parse(struct slice data)
{
    if (data.size > INT_MAX) {
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *document =
        json_tokener_parse_ex(tokener, (const char *)data.data, (int)data.size);
    json_tokener_free(tokener);
    return document;
}

static void print_json(const char *name, struct json_object *document)
{
    struct json_object *line = json_object_new_object();
    (void)json_object_object_add(line, "event", json_object_new_string(name));
    struct lh_entry *member;
    lh_foreach(json_object_get_object(document), member)
    {
        const char *key = lh_entry_k(member);
        struct json_object *value = lh_entry_v(member);
        (void)json_object_object_add(line, key, json_object_get(value));
    }
    main_call_print_json(line);
}

static void print_line(struct watch *watch, const char *name, struct json_object *document)
{
    const char *revision = json_object_get_string(json_object_object_get(document, "revision"));
    struct writer *line = &watch->line;
    writer_reset(line);
    writer_format(line, "%s %s ", name, revision == NULL ? "-" : revision);
    main_value_escape(writer_slice(&watch->key), line);
    if (watch->value.size > 0) {
        writer_u8(line, ' ');
        main_value_escape(writer_slice(&watch->value), line);
    }
    writer_u8(line, '\n');
    main_value_write(writer_slice(line), stdout);
}

/* "NAME=bytes" with its NUL, unless that cannot be: NULL then. */
static const char *variable(struct writer *out, const char *name, struct slice bytes)
{
    if (bytes.size > VARIABLE_SIZE_MAX ||
        (bytes.size > 0 && memchr(bytes.data, '\0', bytes.size) != NULL)) {
        return NULL;
    }
    writer_format(out, "%s=", name);
    writer_bytes(out, bytes);
    writer_u8(out, '\0');
    return (const char *)out->data;
}

static void run_program(struct watch *watch, const char *name, struct json_object *document)
{
    const char *revision = json_object_get_string(json_object_object_get(document, "revision"));
    struct writer texts[4] = {{NULL, 0, 0}};
    const char *const found[] = {
        variable(&texts[0], "PONTOON_EVENT", slice_from_text(name)),
        variable(&texts[1], "PONTOON_REVISION", slice_from_text(revision == NULL ? "" : revision)),
        variable(&texts[2], "PONTOON_KEY", writer_slice(&watch->key)),
        variable(&texts[3], "PONTOON_VALUE", writer_slice(&watch->value)),
    };
    const char *variables[ARRAY_COUNT(found) + 1];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(found); i++) {
        if (found[i] != NULL) {
            variables[count++] = found[i];
        }
    }
    variables[count] = NULL;
    const struct child_order order = {
        .program = watch->call->program,
        .variables = variables,
        .has_input = true,
        .input = writer_slice(&watch->value),
    };
    struct child child;
    struct err_note note = {""};
    if (main_child_start(&child, &order, &note) != OK) {
        (void)fprintf(stderr, "pontoon: %s\n", note.text);
    } else {
        main_child_wait(&child);
        if (child.status != 0) {
            (void)fprintf(stderr, "pontoon: %s ended with status %d\n", order.program[0],
                          child.status);
        }
    }
    main_child_close(&child);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        writer_deinit(&texts[i]);
    }
}

static bool is_change(const char *name)
{
    return strcmp(name, "put") == 0 || strcmp(name, "delete") == 0 || strcmp(name, "expire") == 0;
}

static bool tell_change(struct watch *watch, const char *name, struct json_object *document)
{
    writer_reset(&watch->key);
    writer_reset(&watch->value);
    if (main_listing_bytes(document, "key", &watch->key) != OK) {
        return false;
    }
    /* A delete has none. */
    err e = main_listing_bytes(document, "value", &watch->value);
    ASSERT(e == OK || watch->value.size == 0);
    if (watch->call->program != NULL) {
        run_program(watch, name, document);
    } else if (main_call_wants_json(watch->call)) {
        print_json(name, document);
    } else {
        print_line(watch, name, document);
    }
    watch->told++;
    return true;
}

static void tell_mark(const struct watch *watch, const struct event *event)
{
    bool is_reset = strcmp(event->name, "reset") == 0;
    if (watch->call->program != NULL || (!is_reset && strcmp(event->name, "synced") != 0)) {
        return;
    }
    const char *id = event->id[0] != '\0' ? event->id : "-";
    (void)printf(main_call_wants_json(watch->call) ? "{\"event\":\"%s\",\"id\":\"%s\"}\n"
                                                   : "%s %s\n",
                 event->name, id);
}

static void forget_changes(struct watch *watch)
{
    watch->told_since_id = 0;
    watch->seen_since_id = 0;
}

/* Where a state is cut, it begins anew: nothing in it has an id to go on behind. */
static void take_mark(struct watch *watch, const char *name)
{
    if (strcmp(name, "synced") == 0) {
        watch->is_state = false;
    } else if (strcmp(name, "reset") == 0 && watch->settings->wants_initial) {
        watch->is_state = true;
        watch->last_id[0] = '\0';
        forget_changes(watch);
    }
}

/* For main_events_take. */
static bool on_event(void *ctx, const struct event *event)
{
    struct watch *watch = ctx;
    if (is_change(event->name)) {
        struct json_object *document = parse(event->data);
        bool is_told = document != NULL;
        watch->seen_since_id += watch->is_state ? 0 : 1;
        bool is_new = watch->is_state || watch->seen_since_id > watch->told_since_id;
        if (is_new && document != NULL) {
            is_told = tell_change(watch, event->name, document);
            watch->told_since_id = watch->seen_since_id;
        }
        (void)json_object_put(document);
        if (!is_told) {
            (void)err_note_set(watch->call->note, ERR_MALFORMED, "an event is not of this kind");
            return false;
        }
    } else {
        tell_mark(watch, event);
        take_mark(watch, event->name);
    }
    if (event->id[0] != '\0' && strcmp(event->name, "reset") != 0) {
        (void)snprintf(watch->last_id, sizeof(watch->last_id), "%s", event->id);
        forget_changes(watch);
    }
    watch->is_over = watch->settings->limit != 0 && watch->told >= watch->settings->limit;
    return !watch->is_over && fflush(stdout) == 0;
}

/* ---- the stream ---- */

/* For client_request. */
static bool on_piece(void *ctx, struct slice bytes)
{
    struct watch *watch = ctx;
    watch->was_connected = true;
    if (watch->is_fresh && watch->last_id[0] == '\0' && !watch->settings->wants_initial &&
        watch->settings->since == NULL) {
        /* From here on it would go on, even if nothing has come by then. */
        const char *revision = main_client_header(watch->call->client, "KV-Revision");
        (void)snprintf(watch->last_id, sizeof(watch->last_id), "%s",
                       revision == NULL ? "" : revision);
    }
    watch->is_fresh = false;
    return main_events_take(&watch->events, bytes);
}

static void draft_watch(struct watch *watch)
{
    const struct watch_settings *settings = watch->settings;
    struct draft *draft = &watch->call->draft;
    main_call_draft(watch->call, settings->is_prefix ? "/watch" : "/watch/");
    if (settings->is_prefix) {
        main_draft_param(draft, "prefix", watch->call->words.items[0]);
    } else {
        main_draft_segment(draft, watch->call->words.items[0]);
    }
    if (watch->last_id[0] != '\0') {
        main_draft_field(draft, "Last-Event-ID", watch->last_id);
    } else if (settings->since != NULL) {
        main_draft_param(draft, "since", settings->since);
    }
    if (settings->wants_initial) {
        main_draft_param(draft, "initial", "1");
    }
    if (settings->wants_previous) {
        main_draft_param(draft, "prev", "1");
    }
    if (settings->events != NULL) {
        main_draft_param(draft, "events", settings->events);
    }
    main_draft_field(draft, "Accept", "text/event-stream");
}

static enum exit_status follow(struct watch *watch)
{
    struct client_request request = {
        .method = "GET", .piece = on_piece, .ctx = watch, .silence_ms = SILENCE_MS};
    draft_watch(watch);
    if (main_draft_finish(&watch->call->draft, &request, watch->call->note) != OK) {
        return EXIT_USAGE;
    }
    watch->seen_since_id = 0;
    watch->is_state = watch->settings->wants_initial && watch->last_id[0] == '\0';
    watch->is_fresh = true;
    main_events_begin(&watch->events);
    return main_client_ask(watch->call->client, &request, watch->call->note);
}

static uint64_t pause_ms(const struct watch *watch)
{
    uint64_t told_ms = watch->events.retry_ms;
    return told_ms == 0 ? RETRY_MS : told_ms < RETRY_MS_MAX ? told_ms : RETRY_MS_MAX;
}

static enum exit_status follow_on(struct watch *watch)
{
    struct err_note *note = watch->call->note;
    for (;;) {
        note->text[0] = '\0';
        enum exit_status status = follow(watch);
        if (watch->is_over) {
            note->text[0] = '\0';
            return EXIT_OK;
        }
        bool may_go_on = watch->was_connected && (status == EXIT_OK || status == EXIT_UNAVAILABLE);
        if (!may_go_on) {
            return status == EXIT_OK ? EXIT_UNAVAILABLE : status;
        }
        (void)fprintf(stderr, "pontoon: %s; going on elsewhere\n",
                      status == EXIT_OK ? "the stream was ended" : note->text);
        main_client_turn(watch->call->client);
        main_pause(watch->call->env, pause_ms(watch));
    }
}

static enum exit_status watch(struct call *call)
{
    const struct watch_settings *settings = call->settings;
    struct watch watch = {.call = call, .settings = settings};
    if (!settings->is_prefix && call->words.items[0][0] == '\0') {
        (void)err_note_set(call->note, ERR_BAD_REQUEST, "a key has at least one byte");
        return EXIT_USAGE;
    }
    watch.events = (struct events){
        .event = on_event, .ctx = &watch, .size_max = 2 * (size_t)CLIENT_ANSWER_SIZE_MAX};
    enum exit_status status = follow_on(&watch);
    main_events_deinit(&watch.events);
    writer_deinit(&watch.line);
    writer_deinit(&watch.key);
    writer_deinit(&watch.value);
    return status;
}

enum exit_status main_cmd_watch(struct env *env, int count, char *const *arguments)
{
    struct watch_settings settings = {.limit = 0};
    struct call call = {
        .name = "watch", .form = &main_form_watch, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = watch};
    return main_call(&call, &rules, count, arguments);
}
