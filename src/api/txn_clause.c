/* Clauses: {"key":"a","etag":"41"}, {"prefix":"b/","version":{"ge":3}}. */
#include <json-c/json_object_iterator.h>
#include <string.h>

#include "api/json_scan.h"
#include "api/text.h"
#include "api/ttl.h"
#include "api/txn_parse.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

/* What a condition compares with. */
enum operand {
    OPERAND_ETAG,
    OPERAND_EXISTS,
    OPERAND_TEXT,
    OPERAND_BASE64,
    OPERAND_NUMBER,
    OPERAND_LEASE,
};

struct condition {
    const char *name;
    enum txn_target target;
    enum operand operand;
};

static const struct condition conditions[] = {
    {"etag", TXN_MOD_REVISION, OPERAND_ETAG},
    {"exists", TXN_MOD_REVISION, OPERAND_EXISTS},
    {"value", TXN_VALUE, OPERAND_TEXT},
    {"value_base64", TXN_VALUE, OPERAND_BASE64},
    {"version", TXN_VERSION, OPERAND_NUMBER},
    {"create_revision", TXN_CREATE_REVISION, OPERAND_NUMBER},
    {"mod_revision", TXN_MOD_REVISION, OPERAND_NUMBER},
    {"lease", TXN_LEASE, OPERAND_LEASE},
};

enum place_bit {
    PLACE_KEY = 1,
    PLACE_PREFIX = 2,
    PLACE_END = 4,
};

/* Where it is looked at; a base64 form has the same bit. */
static const struct txn_member places[] = {
    {"key", PLACE_KEY},       {"key_base64", PLACE_KEY},
    {"prefix", PLACE_PREFIX}, {"prefix_base64", PLACE_PREFIX},
    {"end", PLACE_END},       {"end_base64", PLACE_END},
};

static const struct {
    const char *name;
    enum txn_relation relation;
} relations[] = {
    {"eq", TXN_EQUAL},         {"ne", TXN_NOT_EQUAL}, {"lt", TXN_LESS},
    {"le", TXN_LESS_OR_EQUAL}, {"gt", TXN_GREATER},   {"ge", TXN_GREATER_OR_EQUAL},
};

/* ---- operands ---- */

/* 41, "41", "\"41\"", "\"41-gzip\"", as the ETag was. */
static err take_etag(struct json_object *value, uint64_t *out_revision, struct problem *problem)
{
    struct slice text = {(const uint8_t *)json_object_get_string(value),
                         (size_t)json_object_get_string_len(value)};
    if (!json_object_is_type(value, json_type_string)) {
        return api_txn_take_number(value, "etag", out_revision, problem);
    }
    if (text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"') {
        text = (struct slice){text.data + 1, text.size - 2};
    }
    struct slice rest = text;
    struct slice digits = api_text_split(&rest, '-');
    bool is_coded = digits.size < text.size;
    if ((is_coded && !slice_equal(rest, SLICE_LITERAL("gzip"))) ||
        api_units_parse_u64(digits, out_revision) != OK || *out_revision > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"etag\" is a key's ETag, such as \"41\", or 0 for a key that is "
                               "not there");
    }
    return OK;
}

static err take_exists(struct json_object *value, struct txn_check *check, struct problem *problem)
{
    bool is_equal = check->relation == TXN_EQUAL;
    if (!json_object_is_type(value, json_type_boolean) ||
        (!is_equal && check->relation != TXN_NOT_EQUAL)) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"exists\" is true or false");
    }
    bool has_to_exist = json_object_get_boolean(value) == is_equal;
    if (has_to_exist && check->end.size > 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "what is asked of a range has to hold for every key that is there, "
                               "so \"exists\" of a range is false, or of a single key");
    }
    check->relation = has_to_exist ? TXN_NOT_EQUAL : TXN_EQUAL;
    return OK;
}

static err take_operand(const struct condition *condition, struct json_object *value,
                        struct txn_scratch *scratch, struct txn_check *check,
                        struct problem *problem)
{
    switch (condition->operand) {
    case OPERAND_ETAG:
        return take_etag(value, &check->number, problem);
    case OPERAND_EXISTS:
        return take_exists(value, check, problem);
    case OPERAND_TEXT:
    case OPERAND_BASE64:
        return api_txn_take_bytes(value, condition->name, condition->operand == OPERAND_BASE64,
                                  &scratch->value, &check->value, problem);
    case OPERAND_NUMBER:
        return api_txn_take_number(value, condition->name, &check->number, problem);
    case OPERAND_LEASE:
        return api_txn_take_lease(value, &check->number, problem);
    }
    UNREACHABLE();
}

/* ---- conditions ---- */

static err add_check(const struct condition *condition, struct json_object *value,
                     struct txn_scratch *scratch, struct txn_plan *plan, struct txn_check *check,
                     struct problem *problem)
{
    check->target = condition->target;
    check->number = 0;
    check->value = SLICE_EMPTY;
    err e = take_operand(condition, value, scratch, check, problem);
    if (e != OK) {
        return e;
    }
    if (plan->builder.txn.check_count == TXN_CHECKS_MAX) {
        problem->limit = TXN_CHECKS_MAX;
        return api_problem_set(problem, ERR_TOO_LARGE, "a transaction has at most %u conditions",
                               TXN_CHECKS_MAX);
    }
    txn_add_check(&plan->builder, check);
    writer_u32(&plan->clause_of, plan->clause_count);
    return OK;
}

static err find_relation(const char *name, enum txn_relation *out_relation, struct problem *problem)
{
    for (size_t i = 0; i < ARRAY_COUNT(relations); i++) {
        if (strcmp(name, relations[i].name) == 0) {
            *out_relation = relations[i].relation;
            return OK;
        }
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "a comparison is one of eq, ne, lt, le, gt and ge, not \"%.*s\"",
                           (int)TXN_ECHO_SIZE_MAX, name);
}

/* A plain operand, or {"ge":3}, or several of these: all have to hold. */
static err add_condition(const struct condition *condition, struct json_object *value,
                         struct txn_scratch *scratch, struct txn_plan *plan,
                         struct txn_check *check, struct problem *problem)
{
    check->relation = TXN_EQUAL;
    if (!json_object_is_type(value, json_type_object)) {
        return add_check(condition, value, scratch, plan, check, problem);
    }
    if (json_object_object_length(value) == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"%s\" has no comparison, such as {\"ge\":3}", condition->name);
    }
    err e = OK;
    struct json_object_iterator end = json_object_iter_end(value);
    for (struct json_object_iterator it = json_object_iter_begin(value);
         e == OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        e = find_relation(json_object_iter_peek_name(&it), &check->relation, problem);
        if (e == OK) {
            e = add_check(condition, json_object_iter_peek_value(&it), scratch, plan, check,
                          problem);
        }
    }
    return e;
}

static const struct condition *find_condition(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(conditions); i++) {
        if (strcmp(name, conditions[i].name) == 0) {
            return &conditions[i];
        }
    }
    return NULL;
}

static err refuse_name(const char *name, struct problem *problem)
{
    struct txn_member known[ARRAY_COUNT(places) + ARRAY_COUNT(conditions)];
    memcpy(known, places, sizeof(places));
    for (size_t i = 0; i < ARRAY_COUNT(conditions); i++) {
        known[ARRAY_COUNT(places) + i] = (struct txn_member){conditions[i].name, 0};
    }
    return api_txn_refuse_name(name, known, ARRAY_COUNT(known), problem);
}

/* ---- where ---- */

static err take_place(const char *name, unsigned bit, struct json_object *value,
                      struct txn_scratch *scratch, struct txn_check *check, struct problem *problem)
{
    bool is_base64 = strstr(name, "_base64") != NULL;
    bool is_end = bit == PLACE_END;
    return api_txn_take_key(value, name, is_base64, is_end ? &scratch->end : &scratch->key,
                            is_end ? &check->end : &check->key, problem);
}

static err check_places(unsigned seen, struct txn_scratch *scratch, struct txn_check *check,
                        struct problem *problem)
{
    if (seen == PLACE_KEY) {
        return OK;
    }
    if (seen == (PLACE_KEY | PLACE_END)) {
        return slice_compare(check->key, check->end) < 0
                   ? OK
                   : api_problem_set(problem, ERR_BAD_REQUEST,
                                     "\"end\" has to come after \"key\": a range is from its key "
                                     "to before its end");
    }
    if (seen != PLACE_PREFIX) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a condition is of \"key\", of \"prefix\", or of \"key\" and \"end\"");
    }
    check->end = api_txn_prefix_end(check->key, &scratch->end);
    return check->end.size > 0
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST,
                                 "a prefix of a condition needs a byte other than 0xff in it");
}

static err take_places(struct json_object *object, struct txn_scratch *scratch,
                       struct txn_check *check, struct problem *problem)
{
    unsigned seen = 0;
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct json_object *value = NULL;
        if (!json_object_object_get_ex(object, places[i].name, &value)) {
            continue;
        }
        if ((seen & places[i].bit) != 0) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is the second of its kind",
                                   places[i].name);
        }
        seen |= places[i].bit;
        err e = take_place(places[i].name, places[i].bit, value, scratch, check, problem);
        if (e != OK) {
            return e;
        }
    }
    return check_places(seen, scratch, check, problem);
}

static bool is_place(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        if (strcmp(name, places[i].name) == 0) {
            return true;
        }
    }
    return false;
}

err api_txn_parse_clause(struct json_object *object, struct txn_scratch *scratch,
                         struct txn_plan *plan, struct slice *out_key, struct problem *problem)
{
    struct txn_check check = {.relation = TXN_EQUAL};
    err e = take_places(object, scratch, &check, problem);
    unsigned count = 0;
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator it = json_object_iter_begin(object);
         e == OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        const struct condition *condition = find_condition(name);
        if (condition != NULL) {
            e = add_condition(condition, json_object_iter_peek_value(&it), scratch, plan, &check,
                              problem);
            count++;
        } else if (!is_place(name)) {
            e = refuse_name(name, problem);
        }
    }
    if (e == OK && count == 0) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "it says nothing of its key: give it \"exists\", \"etag\", \"value\", "
                            "\"version\", \"create_revision\", \"mod_revision\" or \"lease\"");
    }
    *out_key = check.key;
    return e;
}
