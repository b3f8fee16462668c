/* pontoon cluster: who the members are, and changing that, from a shell. */
#include <inttypes.h>
#include <json-c/json_object.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "api/document.h"
#include "api/params.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/codec.h"
#include "base/limits.h"
#include "main/client.h"
#include "main/client_text.h"
#include "main/pause.h"

/* An election and other changes may come first: a node that is not told takes up to 30 s. */
#define TIMEOUT_MS 35000u
/* This part of it is for the way there and back: the node has the rest. */
#define TIMEOUT_SHARE_OF_WAY 7u
#define WAIT_PAUSE_MS 200u
#define LEVEL_LAG_MAX 256 /* entries: what makes a learner a voter, too */
#define MEMBERS_PATH "/admin/members"

static const char text[] =
    "pontoon cluster tells who the members are, and changes that. Any node may be asked.\n"
    "\n"
    "  pontoon cluster status                    who is there, and how far\n"
    "  pontoon cluster add 10.0.0.4:4000         a learner, a voter once it has caught up\n"
    "  pontoon cluster remove 3                  it is told, and ends\n"
    "  pontoon cluster replace 3 --with 10.0.0.4:4000    one that is gone by a new one, or one\n"
    "                                            that is there by a learner that has caught up\n"
    "  pontoon cluster move 3 10.0.0.9:4000      it has another address for peers\n"
    "  pontoon cluster promote 4                 a learner that stayed one becomes a voter\n"
    "  pontoon cluster transfer [2]              leadership, to that one or whoever can\n"
    "  pontoon cluster wait                      until all are voters, reached, and level\n"
    "\n"
    "Refused is what could cost the majority (--force does it), an id or address that is\n"
    "taken, and an id that was used before. A node that starts with --join needs no add.\n";

struct cluster_settings {
    const char *with;
    const char *id;
    bool is_learner;
    bool is_forced;
};

static const struct flag cluster_flags[] = {
    {"with", 0, FLAG_TEXT, offsetof(struct cluster_settings, with), NULL, "HOST:PORT",
     "replace: where peers reach the new one"},
    {"id", 0, FLAG_TEXT, offsetof(struct cluster_settings, id), NULL, "N",
     "add, replace: its number (the next that is free)"},
    {"learner", 0, FLAG_SWITCH, offsetof(struct cluster_settings, is_learner), NULL, NULL,
     "add: it stays a learner until it is promoted"},
    {"force", 0, FLAG_SWITCH, offsetof(struct cluster_settings, is_forced), NULL, NULL,
     "remove, replace, move, promote: also if the majority could be lost"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

/* The flags that a verb may have. */
enum {
    TAKES_WITH = 1,
    TAKES_ID = 2,
    TAKES_LEARNER = 4,
    TAKES_FORCE = 8,
};

struct call;

/* "pontoon cluster VERB". */
struct verb {
    const char *name;
    const char *form; /* how it is called */
    size_t words_min; /* behind its name */
    size_t words_max;
    unsigned takes;
    enum exit_status (*run)(const struct call *call);
};

/* What a command is given, and what comes of it. */
struct call {
    const struct verb *verb;
    const char *first; /* words behind the verb; NULL: none */
    const char *second;
    const struct cluster_settings *settings;
    const struct client_settings *client_settings;
    struct client *client;
    struct env *env;
    struct err_note *note;
};

static const char *const verb_names[] = {"status",  "add",      "remove", "replace", "move",
                                         "promote", "transfer", "wait",   NULL};

const struct command_form main_form_cluster = {
    .synopsis = "status|add|remove|replace|move|promote|transfer|wait [ARGUMENT]...",
    .text = text,
    .flags = cluster_flags,
    .timeout_ms = TIMEOUT_MS,
    .verbs = verb_names,
};

/* ---- asking ---- */

static enum exit_status ask(const struct call *call, const char *method, const char *path,
                            struct slice body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const struct client_request request = {
        .method = method,
        .path = path,
        .body = body,
        .headers = body.data != NULL ? json : NULL,
    };
    return main_client_ask(call->client, &request, call->note);
}

/* The answer as JSON, to be put; NULL, with a note: it is none. */
static struct json_object *answer_of(const struct call *call)
{
    return main_client_json(call->client, call->note);
}

static bool wants_json(const struct call *call)
{
    return call->client_settings->output == CLIENT_OUTPUT_JSON;
}

static void print_answer(const struct call *call)
{
    struct slice body = main_client_answer(call->client).body;
    (void)fwrite(body.data, 1, body.size, stdout);
}

/* ---- the list ---- */

static const char *text_of(struct json_object *row, const char *name)
{
    const char *value = json_object_get_string(json_object_object_get(row, name));
    return value == NULL || value[0] == '\0' ? "-" : value;
}

static bool flag_of(struct json_object *row, const char *name)
{
    return json_object_get_boolean(json_object_object_get(row, name)) != 0;
}

static void print_row(struct json_object *row)
{
    (void)printf("%-5s %-9s %-22s %-28s %-10s %-8s %s\n", text_of(row, "id"),
                 flag_of(row, "becomes_voter") ? "joining" : text_of(row, "role"),
                 text_of(row, "peer_address"), text_of(row, "client_address"),
                 flag_of(row, "is_reachable") ? "yes" : "NO", text_of(row, "lag_entries"),
                 text_of(row, "version"));
}

static enum exit_status list(const struct call *call)
{
    enum exit_status status = ask(call, "GET", MEMBERS_PATH, SLICE_EMPTY);
    struct json_object *document = status == EXIT_OK ? answer_of(call) : NULL;
    if (document == NULL) {
        return status == EXIT_OK ? EXIT_FAILED : status;
    }
    if (wants_json(call)) {
        print_answer(call);
        (void)json_object_put(document);
        return EXIT_OK;
    }
    (void)printf("%-5s %-9s %-22s %-28s %-10s %-8s %s\n", "ID", "ROLE", "PEERS", "CLIENTS",
                 "REACHABLE", "LAG", "VERSION");
    struct json_object *members = json_object_object_get(document, "members");
    for (size_t i = 0; members != NULL && i < json_object_array_length(members); i++) {
        print_row(json_object_array_get_idx(members, i));
    }
    (void)json_object_put(document);
    return EXIT_OK;
}

/* ---- changes ---- */

static enum exit_status usage(const struct call *call)
{
    (void)err_note_set(call->note, ERR_BAD_REQUEST, "\"pontoon cluster %s\"", call->verb->form);
    return EXIT_USAGE;
}

/* A member's number, as it goes into a path. */
static bool is_id(const char *word)
{
    uint64_t id = 0;
    return api_units_parse_u64(slice_from_text(word), &id) == OK && id != 0;
}

static uint64_t id_of(const char *word)
{
    uint64_t id = 0;
    err e = api_units_parse_u64(slice_from_text(word), &id);
    ASSERT(e == OK); /* is_id */
    return id;
}

/*
 * What the node may take: less than is waited for it here. So it does not go on with what nobody
 * waits for any more, and its own answer is heard, which knows whether anything was done.
 */
static uint64_t node_timeout_ms(uint64_t timeout_ms)
{
    uint64_t node_ms = timeout_ms - timeout_ms / TIMEOUT_SHARE_OF_WAY;
    return node_ms < PARAMS_TIMEOUT_MS_MAX ? node_ms : PARAMS_TIMEOUT_MS_MAX;
}

/* Asks for a change: `path` may have a query. */
static enum exit_status ask_change(const struct call *call, const char *method, const char *path,
                                   struct slice body)
{
    char target[128];
    (void)snprintf(target, sizeof(target), "%s%c%stimeout=%" PRIu64 "ms", path,
                   strchr(path, '?') == NULL ? '?' : '&', call->settings->is_forced ? "force&" : "",
                   node_timeout_ms(call->client_settings->timeout_ms));
    return ask(call, method, target, body);
}

/* The body of add and replace. */
static void write_body(const struct call *call, const char *address, const char *old,
                       struct writer *out)
{
    struct json_object *document = json_object_new_object();
    (void)json_object_object_add(document, "addr", json_object_new_string(address));
    if (old != NULL) {
        api_document_add_u64(document, "old", id_of(old));
    }
    if (call->settings->id != NULL) {
        api_document_add_u64(document, "id", id_of(call->settings->id));
    }
    if ((call->verb->takes & TAKES_LEARNER) != 0) {
        (void)json_object_object_add(document, "learner",
                                     json_object_new_boolean(call->settings->is_learner));
    }
    writer_bytes(out, slice_from_text(json_object_to_json_string_ext(
                          document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)));
    (void)json_object_put(document);
}

static enum exit_status come(const struct call *call, const char *path, const char *address,
                             const char *old)
{
    struct writer body = {0};
    write_body(call, address, old, &body);
    enum exit_status status = ask_change(call, "POST", path, writer_slice(&body));
    writer_deinit(&body);
    if (status != EXIT_OK) {
        return status;
    }
    if (wants_json(call)) {
        print_answer(call);
        return EXIT_OK;
    }
    struct json_object *document = answer_of(call);
    if (document == NULL) {
        return EXIT_FAILED;
    }
    (void)printf("member %s: start it with  pontoon serve --join http://%s --peer-listen %s\n",
                 text_of(document, "id"), main_client_answer(call->client).address, address);
    (void)json_object_put(document);
    return EXIT_OK;
}

static enum exit_status add(const struct call *call)
{
    return come(call, MEMBERS_PATH, call->first, NULL);
}

static enum exit_status replace(const struct call *call)
{
    if (!is_id(call->first) || call->settings->with == NULL) {
        return usage(call);
    }
    return come(call, MEMBERS_PATH "/replace", call->settings->with, call->first);
}

/* METHOD /admin/members/ID and `tail`, whose answer says nothing: done is done. */
static enum exit_status change(const struct call *call, const char *method, const char *tail,
                               struct slice body)
{
    if (!is_id(call->first)) {
        return usage(call);
    }
    char path[96];
    uint64_t id = id_of(call->first);
    (void)snprintf(path, sizeof(path), MEMBERS_PATH "/%" PRIu64 "%s", id, tail);
    enum exit_status status = ask_change(call, method, path, body);
    if (status == EXIT_OK && wants_json(call)) {
        (void)printf("{\"id\":%" PRIu64 "}\n", id);
    }
    return status;
}

static enum exit_status cut(const struct call *call)
{
    return change(call, "DELETE", "", SLICE_EMPTY);
}

static enum exit_status promote(const struct call *call)
{
    return change(call, "POST", "/promote", SLICE_EMPTY);
}

static enum exit_status move(const struct call *call)
{
    struct writer body = {0};
    write_body(call, call->second, NULL, &body);
    enum exit_status status = change(call, "PATCH", "", writer_slice(&body));
    writer_deinit(&body);
    return status;
}

static enum exit_status transfer(const struct call *call)
{
    if (call->first != NULL && !is_id(call->first)) {
        return usage(call);
    }
    char path[64] = "/admin/leader";
    if (call->first != NULL) {
        (void)snprintf(path, sizeof(path), "/admin/leader?to=%" PRIu64, id_of(call->first));
    }
    enum exit_status status = ask_change(call, "POST", path, SLICE_EMPTY);
    if (status == EXIT_OK && wants_json(call)) {
        print_answer(call);
        return status;
    }
    struct json_object *document = status == EXIT_OK ? answer_of(call) : NULL;
    if (document != NULL) {
        (void)printf("member %s leads\n", text_of(document, "leader_id"));
        (void)json_object_put(document);
    }
    return status;
}

/* ---- waiting ---- */

/* By the leader's figures: null is not known. A restart of another member would cost nothing. */
static bool is_level(struct json_object *row)
{
    struct json_object *lag = json_object_object_get(row, "lag_entries");
    return lag != NULL && json_object_get_int64(lag) <= LEVEL_LAG_MAX;
}

/* All of them are voters, or meant to stay learners, in contact and level; somebody leads. */
static bool is_settled(struct json_object *document)
{
    struct json_object *members = json_object_object_get(document, "members");
    bool has_leader = false;
    for (size_t i = 0; members != NULL && i < json_object_array_length(members); i++) {
        struct json_object *row = json_object_array_get_idx(members, i);
        has_leader = has_leader || strcmp(text_of(row, "role"), "leader") == 0;
        if (!flag_of(row, "is_reachable") || flag_of(row, "becomes_voter") || !is_level(row)) {
            return false;
        }
    }
    return has_leader && !flag_of(document, "is_joint");
}

static enum exit_status wait(const struct call *call)
{
    uint64_t end_ms = env_now_ms(call->env) + call->client_settings->timeout_ms;
    for (;;) {
        enum exit_status status = ask(call, "GET", MEMBERS_PATH, SLICE_EMPTY);
        struct json_object *document = status == EXIT_OK ? answer_of(call) : NULL;
        bool is_done = document != NULL && is_settled(document);
        (void)json_object_put(document);
        if (is_done) {
            if (wants_json(call)) {
                print_answer(call);
            }
            return EXIT_OK;
        }
        if (env_now_ms(call->env) >= end_ms) {
            if (status == EXIT_OK) {
                (void)err_note_set(call->note, ERR_UNAVAILABLE,
                                   "a member is not reached, has not caught up, or nobody leads: "
                                   "\"pontoon cluster status\" tells which");
            }
            return EXIT_UNAVAILABLE;
        }
        main_pause(call->env, WAIT_PAUSE_MS);
    }
}

/* ---- the command ---- */

static const struct verb verbs[] = {
    {"status", "status", 0, 0, 0, list},
    {"add", "add HOST:PORT", 1, 1, TAKES_ID | TAKES_LEARNER, add},
    {"remove", "remove ID", 1, 1, TAKES_FORCE, cut},
    {"replace", "replace ID --with HOST:PORT", 1, 1, TAKES_WITH | TAKES_ID | TAKES_FORCE, replace},
    {"move", "move ID HOST:PORT", 2, 2, TAKES_FORCE, move},
    {"promote", "promote ID", 1, 1, TAKES_FORCE, promote},
    {"transfer", "transfer [ID]", 0, 1, 0, transfer},
    {"wait", "wait", 0, 0, 0, wait},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* Whether each flag is one of the verb's (F1). */
static err check_flags(const struct call *call)
{
    const struct cluster_settings *settings = call->settings;
    const struct {
        const char *name;
        bool is_given;
        unsigned bit;
    } flags[] = {
        {"with", settings->with != NULL, TAKES_WITH},
        {"id", settings->id != NULL, TAKES_ID},
        {"learner", settings->is_learner, TAKES_LEARNER},
        {"force", settings->is_forced, TAKES_FORCE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        if (flags[i].is_given && (call->verb->takes & flags[i].bit) == 0) {
            return err_note_set(call->note, ERR_BAD_REQUEST, "cluster %s takes no --%s",
                                call->verb->name, flags[i].name);
        }
    }
    if (settings->id != NULL && (!is_id(settings->id) || id_of(settings->id) > NODE_ID_MAX)) {
        return err_note_set(call->note, ERR_BAD_REQUEST,
                            "--id: \"%s\" is no id: they are numbers from 1 to %" PRIu64,
                            settings->id, NODE_ID_MAX);
    }
    return OK;
}

static enum exit_status run(struct call *call, const struct flag_words *words)
{
    const char *name = words->count > 0 ? words->items[0] : "";
    call->verb = find_verb(name);
    if (call->verb == NULL) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST,
                           "cluster \"%s\": there are status, add, remove, replace, move, promote, "
                           "transfer and wait",
                           name);
        return EXIT_USAGE;
    }
    if (words->count - 1 < call->verb->words_min) {
        return usage(call);
    }
    if (words->count - 1 > call->verb->words_max) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST,
                           "unexpected argument \"%s\": \"pontoon cluster %s\"",
                           words->items[1 + call->verb->words_max], call->verb->form);
        return EXIT_USAGE;
    }
    if (check_flags(call) != OK ||
        main_client_open(&call->client, call->client_settings, environ, call->note) != OK) {
        return EXIT_USAGE;
    }
    call->first = words->count > 1 ? words->items[1] : NULL;
    call->second = words->count > 2 ? words->items[2] : NULL;
    enum exit_status status = call->verb->run(call);
    main_client_close(call->client);
    return status;
}

enum exit_status main_cmd_cluster(struct env *env, int count, char *const *arguments)
{
    struct client_settings client_settings = CLIENT_SETTINGS_DEFAULT;
    struct cluster_settings settings = {.id = NULL};
    client_settings.timeout_ms = TIMEOUT_MS;
    const struct flag_group groups[] = {
        {cluster_flags, &settings}, {main_client_flags, &client_settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 3, &words, &note) == OK) {
        struct call call = {
            .settings = &settings,
            .client_settings = &client_settings,
            .env = env,
            .note = &note,
        };
        status = run(&call, &words);
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("cluster", &note, status);
}
