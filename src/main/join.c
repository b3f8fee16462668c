#include "main/join.h"

#include <inttypes.h>
#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <string.h>

#include "base/assert.h"
#include "main/client.h"
#include "node/node.h"

#define JOIN_PATIENCE_MS 30000u /* an election and a change may come first */
#define ATTEMPT_MS 5000u        /* of that, the nodes are asked for so long at a time */
#define WAY_MS 5000u            /* there and back, beside it */

/* ---- the answer ---- */

static bool take_id(struct json_object *object, const char *name, uint64_t *out_id)
{
    struct json_object *value = json_object_object_get(object, name);
    int64_t number = json_object_get_int64(value);
    *out_id = number > 0 ? (uint64_t)number : 0;
    return json_object_is_type(value, json_type_int) && number > 0;
}

static bool take_text(struct json_object *object, const char *name, char *target, size_t size)
{
    struct json_object *value = json_object_object_get(object, name);
    const char *text = json_object_get_string(value);
    if (!json_object_is_type(value, json_type_string) || strlen(text) >= size) {
        return false;
    }
    (void)snprintf(target, size, "%s", text);
    return true;
}

/* 16 digits, as they are written. */
static bool take_cluster(struct json_object *object, uint64_t *out_id)
{
    char text[17];
    *out_id = 0;
    if (!take_text(object, "cluster_id", text, sizeof(text)) || strlen(text) != 16) {
        return false;
    }
    for (const char *digit = text; *digit != '\0'; digit++) {
        const char *digits = "0123456789abcdef";
        const char *found = strchr(digits, *digit);
        if (found == NULL) {
            return false;
        }
        *out_id = *out_id << 4 | (uint64_t)(found - digits);
    }
    return *out_id != 0;
}

static bool take_member(struct json_object *object, struct join_place *place)
{
    struct member *member = &place->members[place->member_count];
    *member = (struct member){.id = 0};
    if (place->member_count == MEMBERS_MAX || !take_id(object, "id", &member->id) ||
        !take_text(object, "peer_address", member->peer_address, sizeof(member->peer_address))) {
        return false;
    }
    place->member_count += member->peer_address[0] != '\0' ? 1 : 0;
    return true;
}

static bool take_answer(struct json_object *object, struct join_place *place)
{
    struct json_object *members = json_object_object_get(object, "members");
    if (!json_object_is_type(object, json_type_object) || !take_id(object, "id", &place->id) ||
        !take_cluster(object, &place->cluster_id) ||
        !json_object_is_type(members, json_type_array)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(members); i++) {
        if (!take_member(json_object_array_get_idx(members, i), place)) {
            return false;
        }
    }
    return place->member_count > 0;
}

err main_join_parse(struct slice answer, struct join_place *out_place, struct err_note *note)
{
    struct json_tokener *tokener = json_tokener_new();
    ASSERT(tokener != NULL && answer.size <= INT32_MAX);
    struct json_object *object =
        json_tokener_parse_ex(tokener, (const char *)answer.data, (int)answer.size);
    *out_place = (struct join_place){.is_joining = true};
    bool is_taken = take_answer(object, out_place);
    (void)json_object_put(object);
    json_tokener_free(tokener);
    return is_taken ? OK
                    : err_note_set(note, ERR_MALFORMED,
                                   "what answered is no pontoon of this kind: look at the URL");
}

/* ---- asking ---- */

static err error_of(enum exit_status status)
{
    return status == EXIT_UNAVAILABLE || status == EXIT_UNKNOWN ? ERR_NO_LEADER : ERR_CONFLICT;
}

/* Once: the nodes may take `patience_ms`. `id` 0: the cluster chooses. */
static err ask_once(const struct options *options, node_id id, uint64_t patience_ms,
                    struct join_place *out_place, struct err_note *note)
{
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    settings.endpoints = options->join;
    settings.timeout_ms = patience_ms + WAY_MS;
    char *nothing[] = {NULL};
    char path[64];
    struct client *client = NULL;
    struct writer body = {0};
    err e = main_client_open(&client, &settings, nothing, note);
    if (e != OK) {
        return e;
    }
    (void)snprintf(path, sizeof(path), "/admin/members?timeout=%" PRIu64 "ms", patience_ms);
    writer_format(&body, "{\"addr\":\"%s\"", options->peer_default);
    if (id != 0) {
        writer_format(&body, ",\"id\":%" PRIu64, id);
    }
    writer_format(&body, "}");
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct client_request request = {
        .method = "POST",
        .path = path,
        .body = writer_slice(&body),
        .headers = headers,
    };
    enum exit_status status = main_client_ask(client, &request, note);
    e = status == EXIT_OK ? main_join_parse(main_client_answer(client).body, out_place, note)
                          : error_of(status);
    main_client_close(client);
    writer_deinit(&body);
    return e;
}

static uint64_t now_ms(struct env *env)
{
    return env_now_ns(env) / 1000000; /* the loop, and its clock, stand still meanwhile */
}

/*
 * Asks until it is taken in or told why not. In pieces, so that a person can be told what it waits
 * for (J1). What took long was waited for, whatever it is called: a leader, say, or the end of
 * another change. What comes at once would come again.
 */
static err ask(struct env *env, struct log *log, const struct options *options, node_id id,
               struct join_place *out_place, struct err_note *note)
{
    uint64_t begin_ms = now_ms(env);
    uint64_t end_ms = begin_ms + JOIN_PATIENCE_MS;
    struct err_note said = {""};
    LOG_INFO(log, "asking to be taken in", LOG_TEXT("nodes", options->join),
             LOG_TEXT("address", options->peer_default));
    for (;;) {
        uint64_t left_ms = end_ms - begin_ms;
        uint64_t patience_ms = left_ms < ATTEMPT_MS ? left_ms : ATTEMPT_MS;
        err e = ask_once(options, id, patience_ms, out_place, note);
        bool was_long = now_ms(env) - begin_ms >= patience_ms / 2;
        begin_ms = now_ms(env);
        if (e == OK || !was_long || begin_ms >= end_ms) {
            return e == OK ? OK : err_note_wrap(note, e, "join %s", options->join);
        }
        if (strcmp(said.text, note->text) != 0) {
            said = *note;
            LOG_INFO(log, "not taken in yet, asking again", LOG_TEXT("reason", said.text));
        }
    }
}

/* The number that --id gave, or 0: its default is for clusters that begin. */
static node_id wanted_id(const struct options *options)
{
    return main_options_is_given(options, "id") ? options->id : 0;
}

err main_join(struct env *env, struct log *log, const struct options *options,
              struct join_place *out_place, struct err_note *note)
{
    struct node_directory found = {.id = 0};
    ASSERT(options->join != NULL);
    err e = node_look_at(env, options->data, &found, note);
    if (e != OK && e != ERR_NO_FILE) {
        return e;
    }
    node_id id = e == OK ? found.id : wanted_id(options);
    if (e == OK && !found.is_joining) {
        *out_place = (struct join_place){.id = id, .member_count = 1}; /* J2 */
        out_place->members[0].id = id;
        if (!found.has_joined) {
            return err_note_set(note, ERR_IDENTITY,
                                "%s is a first member's of a cluster of its own: start it without "
                                "--join, or choose another --data",
                                options->data);
        }
        LOG_INFO(log, "this directory is a member's already: --join is not needed",
                 LOG_U64("id", id));
        return OK;
    }
    e = ask(env, log, options, id, out_place, note);
    if (e == OK) {
        LOG_INFO(log, "joining", LOG_U64("id", out_place->id),
                 LOG_TEXT("address", options->peer_default),
                 LOG_U64("members", out_place->member_count));
    }
    return e;
}
