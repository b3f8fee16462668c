/* pontoon drain: a node out of service, and back. */
#include <json-c/json_object.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "main/client.h"
#include "main/client_text.h"
#include "main/pause.h"

#define PATH "/admin/drain"
#define WAIT_PAUSE_MS 50u

static const char text[] =
    "pontoon drain takes a node out of service: what it leads goes to another member, then it\n"
    "refuses new requests (503, and /readyz fails), answers those at work, and goes on as a\n"
    "member until it is stopped. It ends when leadership has gone.\n"
    "\n"
    "  pontoon drain -e 10.0.0.1:3000            that very node\n"
    "  pontoon drain -e 10.0.0.1:3000 --wait     also until it has answered what it had taken\n"
    "  pontoon drain -e 10.0.0.1:3000 --undo     it takes requests again\n"
    "\n"
    "A node that gets SIGTERM does all of that by itself, before it ends.\n";

struct drain_settings {
    bool waits;
    bool is_undone;
};

static const struct flag drain_flags[] = {
    {"wait", 0, FLAG_SWITCH, offsetof(struct drain_settings, waits), NULL, NULL,
     "until what the node had taken is answered, up to --timeout"},
    {"undo", 0, FLAG_SWITCH, offsetof(struct drain_settings, is_undone), NULL, NULL,
     "take requests again"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_drain = {
    .synopsis = "",
    .text = text,
    .flags = drain_flags,
    .timeout_ms = CLIENT_TIMEOUT_MS,
};

static void report(const struct client *client, const struct client_settings *settings,
                   struct json_object *document)
{
    if (settings->output == CLIENT_OUTPUT_JSON) {
        struct slice body = main_client_answer(client).body;
        (void)fwrite(body.data, 1, body.size, stdout);
        return;
    }
    const char *id = json_object_get_string(json_object_object_get(document, "node_id"));
    struct json_object *leader = json_object_object_get(document, "leader_id");
    bool is_draining = json_object_get_boolean(json_object_object_get(document, "is_draining"));
    if (!is_draining) {
        (void)printf("node %s takes requests\n", id);
    } else if (json_object_get_int64(leader) == 0) {
        (void)printf("node %s is drained; nobody leads\n", id);
    } else {
        (void)printf("node %s is drained; node %s leads\n", id, json_object_get_string(leader));
    }
}

/* Whether nothing that it had taken is left. */
static bool is_quiet(struct json_object *stats)
{
    struct json_object *raft = json_object_object_get(stats, "raft");
    return json_object_get_int64(json_object_object_get(raft, "pending_writes")) == 0 &&
           json_object_get_int64(json_object_object_get(raft, "pending_reads")) == 0;
}

static enum exit_status wait_until_quiet(struct client *client, struct env *env,
                                         uint64_t timeout_ms, struct err_note *note)
{
    const struct client_request request = {.method = "GET", .path = "/stats"};
    uint64_t end_ms = env_now_ms(env) + timeout_ms;
    for (;;) {
        enum exit_status status = main_client_ask(client, &request, note);
        struct json_object *stats = status == EXIT_OK ? main_client_json(client, note) : NULL;
        bool is_done = stats != NULL && is_quiet(stats);
        (void)json_object_put(stats);
        if (is_done) {
            return EXIT_OK;
        }
        if (status != EXIT_OK || env_now_ms(env) >= end_ms) {
            if (status == EXIT_OK) {
                (void)err_note_set(note, ERR_UNAVAILABLE,
                                   "it is drained, and still has requests to answer");
            }
            return EXIT_UNAVAILABLE;
        }
        main_pause(env, WAIT_PAUSE_MS);
    }
}

static enum exit_status run(struct env *env, const struct client_settings *client_settings,
                            const struct drain_settings *settings, struct err_note *note)
{
    struct client *client = NULL;
    if (main_client_open(&client, client_settings, environ, note) != OK) {
        return EXIT_USAGE;
    }
    if (main_client_endpoint_count(client) > 1) {
        main_client_close(client);
        (void)err_note_set(note, ERR_BAD_REQUEST,
                           "say which node, and only that one: -e HOST:PORT");
        return EXIT_USAGE;
    }
    const struct client_request request = {.method = settings->is_undone ? "DELETE" : "POST",
                                           .path = PATH};
    enum exit_status status = main_client_ask(client, &request, note);
    struct json_object *document = status == EXIT_OK ? main_client_json(client, note) : NULL;
    if (status == EXIT_OK && document == NULL) {
        status = EXIT_FAILED;
    }
    if (status == EXIT_OK) {
        report(client, client_settings, document);
        if (settings->waits) {
            status = wait_until_quiet(client, env, client_settings->timeout_ms, note);
        }
    }
    (void)json_object_put(document);
    main_client_close(client);
    return status;
}

enum exit_status main_cmd_drain(struct env *env, int count, char *const *arguments)
{
    struct client_settings client_settings = CLIENT_SETTINGS_DEFAULT;
    struct drain_settings settings = {.waits = false};
    const struct flag_group groups[] = {
        {drain_flags, &settings}, {main_client_flags, &client_settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 0, &words, &note) == OK) {
        if (settings.waits && settings.is_undone) {
            (void)err_note_set(&note, ERR_BAD_REQUEST, "--undo has nothing to --wait for");
        } else {
            status = run(env, &client_settings, &settings, &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("drain", &note, status);
}
