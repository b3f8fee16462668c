/* The whole of a transaction: {"if":[…],"then":[…],"else":[…]}, a part at a time. */
#include "api/txn_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_scan.h"
#include "api/suggest.h"
#include "api/text.h"
#include "api/ttl.h"
#include "api/txn_parse.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

#define ELEMENT_DEPTH 2u  /* a clause, and the comparison in it */
#define ELEMENT_PARTS 64u /* more than any has members */
#define CLAUSE_TEXT_MAX 60u

/* The parts of the body. */
enum part {
    PART_IF,
    PART_THEN,
    PART_ELSE,
    PART_COUNT
};

static const char *const part_names[PART_COUNT] = {"if", "then", "else"};

/* ---- members, for clauses and operations ---- */

err api_txn_refuse_name(const char *name, const struct txn_member *known, size_t count,
                        struct problem *problem)
{
    struct suggest suggest = {.name = slice_from_text(name)};
    for (size_t i = 0; i < count; i++) {
        api_suggest_offer(&suggest, known[i].name);
    }
    problem->did_you_mean = api_suggest_meant(&suggest);
    if (problem->did_you_mean != NULL) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "unknown member \"%.*s\": did you mean \"%s\"?",
                               (int)TXN_ECHO_SIZE_MAX, name, problem->did_you_mean);
    }
    return api_problem_set(problem, ERR_BAD_REQUEST, "unknown member \"%.*s\"",
                           (int)TXN_ECHO_SIZE_MAX, name);
}

err api_txn_take_bytes(struct json_object *value, const char *name, bool is_base64,
                       struct writer *target, struct slice *out_bytes, struct problem *problem)
{
    if (!json_object_is_type(value, json_type_string)) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is a text, in quotes", name);
    }
    struct slice text = api_json_text(value);
    if (!is_base64) {
        *out_bytes = text;
        return OK;
    }
    writer_reset(target);
    if (api_text_base64_decode(target, text) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"%s\" is base64 (RFC 4648) with padding and without spaces", name);
    }
    *out_bytes = writer_slice(target);
    return OK;
}

err api_txn_take_key(struct json_object *value, const char *name, bool is_base64,
                     struct writer *target, struct slice *out_key, struct problem *problem)
{
    err e = api_txn_take_bytes(value, name, is_base64, target, out_key, problem);
    if (e != OK) {
        return e;
    }
    if (out_key->size == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is empty; no key is", name);
    }
    if (out_key->size > KEY_SIZE_MAX) {
        problem->limit = KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_KEY_TOO_LONG,
                               "a key is at most %u bytes, this one has %zu", KEY_SIZE_MAX,
                               out_key->size);
    }
    return OK;
}

struct slice api_txn_prefix_end(struct slice prefix, struct writer *target)
{
    while (prefix.size > 0 && prefix.data[prefix.size - 1] == 0xff) {
        prefix.size--;
    }
    if (prefix.size == 0) {
        return SLICE_EMPTY;
    }
    writer_reset(target);
    writer_bytes(target, prefix);
    target->data[prefix.size - 1]++;
    return writer_slice(target);
}

err api_txn_take_number(struct json_object *value, const char *name, uint64_t *out_number,
                        struct problem *problem)
{
    bool is_number = json_object_is_type(value, json_type_int);
    bool is_text = json_object_is_type(value, json_type_string);
    struct slice text =
        is_number || is_text ? slice_from_text(json_object_get_string(value)) : SLICE_EMPTY;
    if (api_units_parse_u64(text, out_number) != OK || *out_number > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"%s\" is a whole number from 0 to %" PRIu64, name, REVISION_MAX);
    }
    return OK;
}

err api_txn_take_lease(struct json_object *value, uint64_t *out_lease, struct problem *problem)
{
    bool is_none = json_object_is_type(value, json_type_int) && json_object_get_int64(value) == 0;
    *out_lease = 0;
    if (is_none) {
        return OK;
    }
    struct slice text =
        json_object_is_type(value, json_type_string) ? api_json_text(value) : SLICE_EMPTY;
    return slice_equal(text, SLICE_LITERAL("0")) ? OK : api_lease_parse(text, out_lease, problem);
}

/* ---- elements ---- */

/* Says where in the body it is. */
static err locate(enum part part, uint32_t place, struct problem *problem)
{
    char detail[PROBLEM_DETAIL_SIZE];
    memcpy(detail, problem->detail, sizeof(detail));
    return api_problem_set(problem, problem->e, "%s[%" PRIu32 "]: %s", part_names[part], place,
                           detail);
}

static void note_clause(struct txn_plan *plan, struct slice key, struct slice text)
{
    if (text.size > CLAUSE_TEXT_MAX) {
        text.size = CLAUSE_TEXT_MAX;
        while (text.size > 0 && (text.data[text.size] & 0xc0u) == 0x80) {
            text.size--; /* not within a character */
        }
    }
    writer_sized(&plan->clauses, key);
    writer_sized(&plan->clauses, text);
    plan->clause_count++;
}

static err parse_element(struct slice text, enum part part, const struct txn_limits *limits,
                         struct txn_plan *plan, struct problem *problem)
{
    struct txn_scratch scratch = {0};
    struct json_object *object = NULL;
    const char *why;
    err e = api_json_parse(text, ELEMENT_DEPTH, &object, &why);
    if (e != OK) {
        return api_problem_set(problem, e, "this is no JSON: %s", why);
    }
    if (!json_object_is_type(object, json_type_object)) {
        e = api_problem_set(problem, ERR_BAD_REQUEST, "%s", "it has to be an object, {…}");
    } else if (part == PART_IF) {
        struct slice key;
        e = api_txn_parse_clause(object, &scratch, plan, &key, problem);
        if (e == OK) {
            note_clause(plan, key, text);
        }
    } else {
        e = api_txn_parse_object(object, limits, &scratch, plan, part == PART_ELSE, problem);
    }
    writer_deinit(&scratch.key);
    writer_deinit(&scratch.end);
    writer_deinit(&scratch.value);
    (void)json_object_put(object);
    return e;
}

/* What api_json_next did not take. */
static err refuse_text(err e, const char *why, struct problem *problem)
{
    return api_problem_set(
        problem, ERR_BAD_REQUEST,
        e == ERR_TOO_LARGE ? "this is no clause or operation: %s" : "this is no JSON: %s", why);
}

static err parse_array(struct slice *rest, enum part part, const struct txn_limits *limits,
                       struct txn_plan *plan, struct problem *problem)
{
    static const struct json_bounds bounds = {ELEMENT_DEPTH, ELEMENT_PARTS};
    if (!api_json_take(rest, '[')) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is an array, [{…},…]",
                               part_names[part]);
    }
    if (api_json_take(rest, ']')) {
        return OK;
    }
    for (uint32_t place = 0;; place++) {
        struct slice text;
        const char *why;
        err e = api_json_next(rest, bounds, &text, &why);
        e = e == OK ? parse_element(text, part, limits, plan, problem)
                    : refuse_text(e, why, problem);
        if (e != OK) {
            return locate(part, place, problem);
        }
        if (api_json_take(rest, ']')) {
            return OK;
        }
        if (!api_json_take(rest, ',')) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "this is no JSON: after %s[%" PRIu32 "] there is neither a "
                                   "comma nor the end of the array",
                                   part_names[part], place);
        }
    }
}

/* ---- the body ---- */

static err refuse_part(struct slice name, struct problem *problem)
{
    char text[TXN_ECHO_SIZE_MAX + 1];
    size_t size = name.size < TXN_ECHO_SIZE_MAX ? name.size : TXN_ECHO_SIZE_MAX;
    memcpy(text, name.data, size);
    text[size] = '\0';
    struct txn_member known[PART_COUNT];
    for (unsigned i = 0; i < PART_COUNT; i++) {
        known[i] = (struct txn_member){part_names[i], 0};
    }
    return api_txn_refuse_name(text, known, PART_COUNT, problem);
}

static err parse_part(struct slice *rest, unsigned *seen, const struct txn_limits *limits,
                      struct txn_plan *plan, struct problem *problem)
{
    static const struct json_bounds name_bounds = {0, 0};
    struct slice name;
    const char *why = NULL;
    err e = api_json_next(rest, name_bounds, &name, &why);
    if (e != OK || name.data[0] != '"' || !api_json_take(rest, ':')) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "this is no JSON: %s",
                               why != NULL ? why : "a member is \"NAME\": VALUE");
    }
    name = (struct slice){name.data + 1, name.size - 2};
    for (unsigned part = 0; part < PART_COUNT; part++) {
        if (!slice_equal(name, slice_from_text(part_names[part]))) {
            continue;
        }
        if ((*seen & 1u << part) != 0) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is given twice",
                                   part_names[part]);
        }
        *seen |= 1u << part;
        plan->builder.txn.has_else = plan->builder.txn.has_else || part == PART_ELSE;
        return parse_array(rest, (enum part)part, limits, plan, problem);
    }
    return refuse_part(name, problem);
}

static err parse_body(struct slice body, const struct txn_limits *limits, struct txn_plan *plan,
                      struct problem *problem)
{
    struct slice rest = body;
    unsigned seen = 0;
    if (!api_json_take(&rest, '{')) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the body has to be one JSON object, such as "
                               "{\"if\":[{\"key\":\"a\",\"exists\":false}],"
                               "\"then\":[{\"put\":\"a\",\"value\":\"1\"}]}");
    }
    while (!api_json_take(&rest, '}')) {
        if (seen != 0 && !api_json_take(&rest, ',')) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "this is no JSON: between two members there is no comma, or "
                                   "the object has no end");
        }
        err e = parse_part(&rest, &seen, limits, plan, problem);
        if (e != OK) {
            return e;
        }
    }
    api_json_skip(&rest);
    if (rest.size > 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "there is something behind the JSON object");
    }
    return OK;
}

err api_txn_parse(struct slice body, const struct txn_limits *limits, struct txn_plan *plan,
                  struct problem *problem)
{
    err e = parse_body(body, limits, plan, problem);
    return e == OK ? api_txn_finish(plan, problem) : e;
}

err api_txn_parse_op(struct slice text, const struct txn_limits *limits, struct txn_plan *plan,
                     struct problem *problem)
{
    static const struct json_bounds bounds = {ELEMENT_DEPTH, ELEMENT_PARTS};
    struct slice rest = text;
    struct slice object;
    const char *why;
    err e = api_json_next(&rest, bounds, &object, &why);
    api_json_skip(&rest);
    if (e == OK && rest.size > 0) {
        e = ERR_BAD_REQUEST;
        why = "there is something behind the object";
    }
    if (e != OK) {
        return refuse_text(e, why, problem);
    }
    return parse_element(object, PART_THEN, limits, plan, problem);
}

/* ---- what is looked at in the end ---- */

struct written {
    struct slice key;
    uint32_t place;
};

/* By key. */
struct written_keys {
    struct written *keys;
    size_t count;
};

static int compare_written(const void *a, const void *b)
{
    const struct written *one = a;
    const struct written *other = b;
    int order = slice_compare(one->key, other->key);
    return order != 0 ? order : (one->place > other->place) - (one->place < other->place);
}

static err refuse_twice(enum part part, const struct written *first, uint32_t second,
                        struct problem *problem)
{
    uint32_t low = first->place < second ? first->place : second;
    uint32_t high = first->place < second ? second : first->place;
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "%s[%" PRIu32 "] and %s[%" PRIu32 "] write the same key: a transaction "
                           "writes each at most once",
                           part_names[part], low, part_names[part], high);
}

/* A key that is written by itself and lies in a range that is deleted. */
static err check_range(enum part part, const struct txn_op *range, uint32_t place,
                       const struct written_keys *written, struct problem *problem)
{
    const struct written *keys = written->keys;
    size_t low = 0;
    size_t high = written->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(keys[middle].key, range->key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_in = low < written->count &&
                 (range->end.size == 0 || slice_compare(keys[low].key, range->end) < 0);
    return is_in ? refuse_twice(part, &keys[low], place, problem) : OK;
}

static err check_written(enum part part, struct slice ops, uint32_t count, struct problem *problem)
{
    struct written *keys = mem_calloc(count + 1, sizeof(*keys));
    size_t key_count = 0;
    struct txn_op op;
    struct reader walk = reader_of(ops);
    for (uint32_t i = 0; txn_next_op(&walk, &op); i++) {
        if (op.type != TXN_GET && op.type != TXN_DELETE_RANGE) {
            keys[key_count++] = (struct written){op.key, i};
        }
    }
    qsort(keys, key_count, sizeof(*keys), compare_written);
    err e = OK;
    for (size_t i = 1; i < key_count && e == OK; i++) {
        if (slice_equal(keys[i - 1].key, keys[i].key)) {
            e = refuse_twice(part, &keys[i - 1], keys[i].place, problem);
        }
    }
    const struct written_keys written = {keys, key_count};
    walk = reader_of(ops);
    for (uint32_t i = 0; e == OK && txn_next_op(&walk, &op); i++) {
        if (op.type == TXN_DELETE_RANGE) {
            e = check_range(part, &op, i, &written, problem);
        }
    }
    mem_free(keys);
    return e;
}

/* Where it goes: any of its keys will do. */
static struct slice any_key(const struct txn_plan *plan)
{
    for (unsigned i = 0; i < ARRAY_COUNT(plan->names); i++) {
        struct reader names = reader_of(writer_slice(&plan->names[i]));
        struct txn_name name;
        if (api_txn_next_name(&names, &name)) {
            return name.key;
        }
    }
    struct reader clauses = reader_of(writer_slice(&plan->clauses));
    return reader_sized(&clauses, KEY_SIZE_MAX);
}

err api_txn_finish(struct txn_plan *plan, struct problem *problem)
{
    struct txn txn = txn_builder_result(&plan->builder);
    err e = check_written(PART_THEN, txn.then_ops, txn.then_count, problem);
    if (e == OK) {
        e = check_written(PART_ELSE, txn.else_ops, txn.else_count, problem);
    }
    if (e != OK) {
        return e;
    }
    plan->key = any_key(plan);
    if (plan->key.size == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a transaction without conditions and operations does nothing; "
                               "\"then\":[{\"get\":\"a\"}] reads a key");
    }
    if (txn_builder_size(&plan->builder) > VALUE_SIZE_CEILING) {
        problem->limit = VALUE_SIZE_CEILING;
        return api_problem_set(problem, ERR_TOO_LARGE,
                               "a transaction is at most %u bytes as the log has it, this one has "
                               "more",
                               VALUE_SIZE_CEILING);
    }
    return OK;
}

void api_txn_plan_deinit(struct txn_plan *plan)
{
    txn_builder_deinit(&plan->builder);
    writer_deinit(&plan->names[0]);
    writer_deinit(&plan->names[1]);
    writer_deinit(&plan->clauses);
    writer_deinit(&plan->clause_of);
    plan->key = SLICE_EMPTY;
}

/* ---- for the answer ---- */

bool api_txn_next_name(struct reader *walk, struct txn_name *out_name)
{
    if (walk->size == 0) {
        return false;
    }
    out_name->word = reader_u8(walk);
    out_name->flags = reader_u8(walk);
    out_name->key = reader_sized(walk, KEY_SIZE_MAX);
    out_name->end = reader_sized(walk, KEY_SIZE_MAX);
    ASSERT(reader_ok(walk));
    return true;
}

void api_txn_find_clause(const struct txn_plan *plan, uint32_t place, uint32_t *out_clause,
                         struct slice *out_key, struct slice *out_text)
{
    ASSERT(place < plan->clause_of.size / 4);
    *out_clause = load_u32(plan->clause_of.data + 4 * (size_t)place);
    struct reader walk = reader_of(writer_slice(&plan->clauses));
    for (uint32_t i = 0; i <= *out_clause; i++) {
        *out_key = reader_sized(&walk, KEY_SIZE_MAX);
        *out_text = reader_sized(&walk, CLAUSE_TEXT_MAX);
    }
    ASSERT(reader_ok(&walk));
}
