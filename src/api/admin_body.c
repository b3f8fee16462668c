#include "api/admin_body.h"

#include <inttypes.h>
#include <json-c/json_object.h>
#include <json-c/json_object_iterator.h>
#include <json-c/json_tokener.h>
#include <string.h>

#include "api/suggest.h"
#include "base/assert.h"
#include "base/mem.h"
#include "env/address.h"

#define ECHO_SIZE_MAX 48 /* of what a client sent, in a detail */

static const struct {
    const char *name;
    enum admin_field field;
} fields_known[] = {
    {"addr", ADMIN_FIELD_ADDR},
    {"id", ADMIN_FIELD_ID},
    {"old", ADMIN_FIELD_OLD},
    {"learner", ADMIN_FIELD_LEARNER},
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Also of a line's end, which an editor leaves behind. */
static struct slice trim(struct slice text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

static bool starts_with(struct slice text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

err api_admin_parse_address(struct slice text, struct admin_spec *spec, struct problem *problem)
{
    struct slice address = trim(text);
    if (starts_with(address, "http://")) {
        address.data += strlen("http://");
        address.size -= strlen("http://");
    }
    if (address.size > 0 && address.data[address.size - 1] == '/') {
        address.size--;
    }
    if (address.size == 0 || address.size > ADDRESS_SIZE_MAX ||
        memchr(address.data, '\0', address.size) != NULL) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "an address is HOST:PORT, where the other members reach the node, "
                               "not \"%.*s\"",
                               (int)(text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX),
                               (const char *)text.data);
    }
    memcpy(spec->address, address.data, address.size);
    spec->address[address.size] = '\0';
    struct env_address parsed;
    struct err_note note;
    return env_address_parse_remote(spec->address, &parsed, &note) == OK
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST,
                                 "an address is HOST:PORT, where the other members reach the node: "
                                 "%s",
                                 note.text);
}

static int digit_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t letter = byte | 0x20u;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : 16;
}

/* 0: it is no number, or too large a one. */
static uint64_t parse_number(struct slice text, unsigned base)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)digit_value(text.data[i]);
        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return 0;
        }
        value = value * base + digit;
    }
    return value;
}

static uint64_t parse_c_number(struct slice text)
{
    if (text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20u) == 'x') {
        return parse_number((struct slice){text.data + 2, text.size - 2}, 16);
    }
    bool is_octal = text.size > 1 && text.data[0] == '0';
    return parse_number(text, is_octal ? 8 : 10);
}

err api_admin_parse_id(struct slice text, bool is_c, uint64_t *out_id, struct problem *problem)
{
    uint64_t id = is_c ? parse_c_number(text) : parse_number(text, 10);
    *out_id = id <= NODE_ID_MAX ? id : 0;
    if (*out_id == 0) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a member's id is a number from 1 to %" PRIu64 ", not \"%.*s\"", NODE_ID_MAX,
            (int)(text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX), (const char *)text.data);
    }
    return OK;
}

/* ---- the object ---- */

static err take_number(const char *name, struct json_object *value, node_id *out_id,
                       struct problem *problem)
{
    int64_t number = json_object_get_int64(value); /* of a larger one: the largest there is */
    if (!json_object_is_type(value, json_type_int) || number <= 0 ||
        (uint64_t)number > NODE_ID_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"%s\" is a number from 1 to %" PRIu64 ", not %.*s", name,
                               NODE_ID_MAX, (int)ECHO_SIZE_MAX, json_object_get_string(value));
    }
    *out_id = (node_id)number;
    return OK;
}

static err take_field(enum admin_field field, const char *name, struct json_object *value,
                      struct admin_spec *spec, struct problem *problem)
{
    switch (field) {
    case ADMIN_FIELD_ADDR:
        if (!json_object_is_type(value, json_type_string)) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "\"addr\" is a text, HOST:PORT");
        }
        return api_admin_parse_address(
            (struct slice){(const uint8_t *)json_object_get_string(value),
                           (size_t)json_object_get_string_len(value)},
            spec, problem); /* with its NULs, if it has any */
    case ADMIN_FIELD_ID:
        return take_number(name, value, &spec->id, problem);
    case ADMIN_FIELD_OLD:
        return take_number(name, value, &spec->old, problem);
    case ADMIN_FIELD_LEARNER:
        if (!json_object_is_type(value, json_type_boolean)) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "\"learner\" is true or false");
        }
        spec->is_learner = json_object_get_boolean(value);
        spec->wants_vote = !spec->is_learner;
        return OK;
    }
    UNREACHABLE();
}

static err refuse_name(const char *name, unsigned fields, struct problem *problem)
{
    for (size_t i = 0; i < ARRAY_COUNT(fields_known); i++) {
        bool is_allowed = (fields & (unsigned)fields_known[i].field) != 0;
        if (is_allowed && api_suggest_distance(slice_from_text(name),
                                               slice_from_text(fields_known[i].name)) <= 2) {
            problem->did_you_mean = fields_known[i].name;
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "unknown member \"%.*s\": did you mean \"%s\"?", ECHO_SIZE_MAX,
                                   name, fields_known[i].name);
        }
    }
    return api_problem_set(problem, ERR_BAD_REQUEST, "unknown member \"%.*s\" in the body",
                           ECHO_SIZE_MAX, name);
}

static err take_all(struct json_object *object, unsigned fields, unsigned *seen,
                    struct admin_spec *spec, struct problem *problem)
{
    err e = OK;
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator it = json_object_iter_begin(object);
         e == OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        struct json_object *value = json_object_iter_peek_value(&it);
        unsigned field = 0;
        for (size_t i = 0; i < ARRAY_COUNT(fields_known); i++) {
            if (strcmp(name, fields_known[i].name) == 0) {
                field = (unsigned)fields_known[i].field & fields;
            }
        }
        e = field == 0 ? refuse_name(name, fields, problem)
                       : take_field((enum admin_field)field, name, value, spec, problem);
        *seen |= field;
    }
    return e;
}

err api_admin_parse_body(struct slice body, unsigned fields, unsigned needed,
                         struct admin_spec *spec, struct problem *problem)
{
    struct json_tokener *tokener = json_tokener_new();
    ASSERT(tokener != NULL);
    ASSERT(body.size <= INT32_MAX);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = NULL;
    body = trim(body);
    if (body.size > 0) {
        object = json_tokener_parse_ex(tokener, (const char *)body.data, (int)body.size);
    }
    unsigned seen = 0;
    err e = OK;
    bool is_whole = json_tokener_get_parse_end(tokener) == body.size;
    if (!json_object_is_type(object, json_type_object) || !is_whole) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "the body has to be one JSON object, such as "
                            "{\"addr\":\"10.0.0.4:4000\"}");
    } else {
        e = take_all(object, fields, &seen, spec, problem);
    }
    for (size_t i = 0; i < ARRAY_COUNT(fields_known) && e == OK; i++) {
        unsigned field = (unsigned)fields_known[i].field;
        if ((needed & field & ~seen) != 0) {
            e = api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is missing in the body",
                                fields_known[i].name);
        }
    }
    (void)json_object_put(object);
    json_tokener_free(tokener);
    return e;
}
