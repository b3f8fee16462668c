/* Operations: {"put":"a","value":"1","ttl":"30s"}, {"delete_prefix":"tmp/"}, {"incr":"n"}. */
#include <json-c/json_object_iterator.h>
#include <string.h>

#include "api/json_scan.h"
#include "api/text.h"
#include "api/ttl.h"
#include "api/txn_parse.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/decimal.h"
#include "base/limits.h"

enum member_bit {
    MEMBER_VALUE = 1,
    MEMBER_TYPE = 2,
    MEMBER_TTL = 4,
    MEMBER_LEASE = 8,
    MEMBER_KEEPTTL = 16,
    MEMBER_BY = 32,
    MEMBER_END = 64,
    MEMBER_RETURN = 128,
};

static const struct txn_member members[] = {
    {"value", MEMBER_VALUE},
    {"value_base64", MEMBER_VALUE},
    {"content_type", MEMBER_TYPE},
    {"ttl", MEMBER_TTL},
    {"lease", MEMBER_LEASE},
    {"keepttl", MEMBER_KEEPTTL},
    {"by", MEMBER_BY},
    {"end", MEMBER_END},
    {"end_base64", MEMBER_END},
    {"return", MEMBER_RETURN},
};

#define MEMBERS_TIME (MEMBER_TTL | MEMBER_LEASE)

static const struct word {
    const char *name;
    enum txn_type type;
    unsigned allowed;
} words[TXN_WORD_COUNT] = {
    [TXN_WORD_PUT] = {"put", TXN_PUT,
                      MEMBER_VALUE | MEMBER_TYPE | MEMBERS_TIME | MEMBER_KEEPTTL | MEMBER_RETURN},
    [TXN_WORD_DELETE] = {"delete", TXN_DELETE, MEMBER_END | MEMBER_RETURN},
    [TXN_WORD_GET] = {"get", TXN_GET, 0},
    [TXN_WORD_DELETE_PREFIX] = {"delete_prefix", TXN_DELETE_RANGE, 0},
    [TXN_WORD_INCR] = {"incr", TXN_ADD, MEMBER_BY | MEMBERS_TIME | MEMBER_KEEPTTL | MEMBER_RETURN},
    [TXN_WORD_APPEND] = {"append", TXN_APPEND,
                         MEMBER_VALUE | MEMBER_TYPE | MEMBERS_TIME | MEMBER_KEEPTTL |
                             MEMBER_RETURN},
    [TXN_WORD_TOUCH] = {"touch", TXN_TOUCH, MEMBERS_TIME},
};

/* What one operation has, while it is read. */
struct draft {
    const struct txn_limits *limits;
    struct txn_scratch *scratch;
    enum txn_word word;
    struct txn_op op;
    struct slice end;
    unsigned seen;
};

const char *api_txn_word(enum txn_word word)
{
    ASSERT(word < TXN_WORD_COUNT);
    return words[word].name;
}

/* The word in `name`, which may end in _base64. */
static bool find_word(const char *name, enum txn_word *out_word, bool *out_is_base64)
{
    for (unsigned i = 0; i < TXN_WORD_COUNT; i++) {
        size_t size = strlen(words[i].name);
        if (strncmp(name, words[i].name, size) != 0) {
            continue;
        }
        *out_is_base64 = strcmp(name + size, "_base64") == 0;
        if (*out_is_base64 || name[size] == '\0') {
            *out_word = (enum txn_word)i;
            return true;
        }
    }
    return false;
}

/* ---- members ---- */

static err take_value(struct json_object *value, const char *name, struct draft *draft,
                      struct problem *problem)
{
    bool is_base64 = strcmp(name, "value_base64") == 0;
    err e = api_txn_take_bytes(value, name, is_base64, &draft->scratch->value, &draft->op.value,
                               problem);
    uint64_t limit = draft->limits->value_bytes_max;
    if (e == OK && draft->op.value.size > limit) {
        problem->limit = limit;
        problem->setting = "max-value-bytes";
        e = api_problem_set(problem, ERR_TOO_LARGE,
                            "a value is at most %llu bytes, this one has %zu",
                            (unsigned long long)limit, draft->op.value.size);
    }
    return e;
}

static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static err take_type(struct json_object *value, struct draft *draft, struct problem *problem)
{
    if (json_object_is_type(value, json_type_string)) {
        draft->op.content_type = api_json_text(value);
        if (draft->op.content_type.size <= CONTENT_TYPE_SIZE_MAX &&
            is_visible(draft->op.content_type)) {
            return OK;
        }
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "\"content_type\" is a text of at most %u bytes of visible ASCII",
                           CONTENT_TYPE_SIZE_MAX);
}

/* "30s", or a number of seconds. */
static err take_ttl(struct json_object *value, uint64_t *out_ms, struct problem *problem)
{
    if (json_object_is_type(value, json_type_string)) {
        return api_ttl_parse(api_json_text(value), "\"ttl\"", out_ms, problem);
    }
    const char *text = value == NULL ? "null" : json_object_get_string(value);
    return api_ttl_parse_seconds(slice_from_text(text), "\"ttl\"", out_ms, problem);
}

static err take_by(struct json_object *value, struct draft *draft, struct problem *problem)
{
    bool is_number = json_object_is_type(value, json_type_int);
    bool is_text = json_object_is_type(value, json_type_string);
    struct slice text =
        is_number || is_text ? slice_from_text(json_object_get_string(value)) : SLICE_EMPTY;
    int64_t by;
    if (api_units_parse_i64(text, &by) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"by\" is a whole number of 64 bits, such as 1 or -5");
    }
    draft->op.number = (uint64_t)by;
    return OK;
}

static err take_return(struct json_object *value, struct draft *draft, struct problem *problem)
{
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    bool is_old = strcmp(text, "old") == 0;
    bool is_delete = draft->word == TXN_WORD_DELETE;
    if (!is_old && (is_delete || strcmp(text, "new") != 0)) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               is_delete ? "\"return\" of delete is \"old\""
                                         : "\"return\" is \"old\" or \"new\"");
    }
    draft->op.flags |= is_old ? TXN_RETURN_OLD : TXN_RETURN_NEW;
    return OK;
}

static err take_keepttl(struct json_object *value, struct draft *draft, struct problem *problem)
{
    if (!json_object_is_type(value, json_type_boolean)) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"keepttl\" is true or false");
    }
    draft->op.flags |= json_object_get_boolean(value) ? TXN_KEEP_TTL : 0;
    return OK;
}

static err take_member(unsigned bit, const char *name, struct json_object *value,
                       struct draft *draft, struct problem *problem)
{
    switch (bit) {
    case MEMBER_VALUE:
        return take_value(value, name, draft, problem);
    case MEMBER_TYPE:
        return take_type(value, draft, problem);
    case MEMBER_TTL:
        return take_ttl(value, &draft->op.ttl_ms, problem);
    case MEMBER_LEASE:
        return api_txn_take_lease(value, &draft->op.lease, problem);
    case MEMBER_KEEPTTL:
        return take_keepttl(value, draft, problem);
    case MEMBER_BY:
        return take_by(value, draft, problem);
    case MEMBER_END:
        return api_txn_take_key(value, name, strcmp(name, "end_base64") == 0, &draft->scratch->end,
                                &draft->end, problem);
    default:
        ASSERT(bit == MEMBER_RETURN);
        return take_return(value, draft, problem);
    }
}

static err refuse_name(const char *name, const struct draft *draft, struct problem *problem)
{
    struct txn_member known[ARRAY_COUNT(members)];
    size_t count = 0;
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        is_known = is_known || strcmp(name, members[i].name) == 0;
        if ((members[i].bit & words[draft->word].allowed) != 0) {
            known[count++] = members[i];
        }
    }
    if (is_known) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is not of %s", name,
                               words[draft->word].name);
    }
    return api_txn_refuse_name(name, known, count, problem);
}

static err take_members(struct json_object *object, struct draft *draft, struct problem *problem)
{
    err e = OK;
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator it = json_object_iter_begin(object);
         e == OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        enum txn_word word;
        bool is_base64;
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
            bit |= strcmp(name, members[i].name) == 0 ? members[i].bit : 0;
        }
        if (find_word(name, &word, &is_base64)) {
            continue;
        }
        if ((bit & words[draft->word].allowed) == 0) {
            return refuse_name(name, draft, problem);
        }
        if ((draft->seen & bit) != 0) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "\"%s\" is the second of its kind",
                                   name);
        }
        draft->seen |= bit;
        e = take_member(bit, name, json_object_iter_peek_value(&it), draft, problem);
    }
    return e;
}

/* ---- the operation ---- */

static err take_word(struct json_object *object, struct draft *draft, struct problem *problem)
{
    unsigned count = 0;
    const char *unknown = NULL;
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator it = json_object_iter_begin(object);
         !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        bool is_base64;
        if (!find_word(name, &draft->word, &is_base64)) {
            unknown = unknown == NULL ? name : unknown;
            continue;
        }
        if (++count > 1) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "it has two operations: each is an object of its own");
        }
        err e = api_txn_take_key(json_object_iter_peek_value(&it), name, is_base64,
                                 &draft->scratch->key, &draft->op.key, problem);
        if (e != OK) {
            return e;
        }
    }
    if (count > 0) {
        return OK;
    }
    struct txn_member known[TXN_WORD_COUNT];
    for (unsigned i = 0; i < TXN_WORD_COUNT; i++) {
        known[i] = (struct txn_member){words[i].name, 0};
    }
    if (unknown != NULL) {
        return api_txn_refuse_name(unknown, known, TXN_WORD_COUNT, problem);
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "an operation is an object with put, delete, get, delete_prefix, incr, "
                           "append or touch and its key, such as {\"put\":\"a\",\"value\":\"1\"}");
}

/* What excludes what, and what has to be there. */
static err check_members(const struct draft *draft, struct problem *problem)
{
    unsigned seen = draft->seen;
    bool keeps = (draft->op.flags & TXN_KEEP_TTL) != 0;
    bool has_ttl = (seen & MEMBER_TTL) != 0;
    bool has_lease = (seen & MEMBER_LEASE) != 0;
    const char *name = words[draft->word].name;
    if ((words[draft->word].allowed & MEMBER_VALUE) != 0 && (seen & MEMBER_VALUE) == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s needs a \"value\", or a \"value_base64\"", name);
    }
    if (has_ttl + has_lease + keeps > 1) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "ttl, lease and keepttl exclude each other: a key is on one of them");
    }
    if (draft->word == TXN_WORD_TOUCH && !has_ttl && !has_lease) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "touch gives the key another time: say which, with \"ttl\" (0: "
                               "none) or \"lease\"");
    }
    if ((seen & MEMBER_END) != 0 && (seen & MEMBER_RETURN) != 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a range is deleted without an answer for each key: \"return\" is "
                               "of a single key");
    }
    if ((seen & MEMBER_END) != 0 && slice_compare(draft->op.key, draft->end) >= 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "\"end\" has to come after the key: a range is from its key to "
                               "before its end");
    }
    return OK;
}

static void finish(struct draft *draft)
{
    struct txn_op *op = &draft->op;
    op->type = words[draft->word].type;
    if (draft->word == TXN_WORD_DELETE_PREFIX) {
        op->end = api_txn_prefix_end(op->key, &draft->scratch->end);
    } else if (draft->end.size > 0) {
        op->type = TXN_DELETE_RANGE;
        op->end = draft->end;
    }
    if (draft->word == TXN_WORD_INCR && (draft->seen & MEMBER_BY) == 0) {
        op->number = 1;
    } else if (draft->word == TXN_WORD_APPEND) {
        op->number = draft->limits->value_bytes_max;
    }
    /* A number that is counted, a text that is appended to, keep their time. */
    bool is_change = draft->word == TXN_WORD_INCR || draft->word == TXN_WORD_APPEND;
    if (is_change && (draft->seen & (MEMBERS_TIME | MEMBER_KEEPTTL)) == 0) {
        op->flags |= TXN_KEEP_TTL;
    }
}

static void add_name(struct txn_plan *plan, const struct draft *draft, bool is_else)
{
    struct writer *names = &plan->names[is_else];
    writer_u8(names, (uint8_t)draft->word);
    writer_u8(names, draft->op.flags);
    writer_sized(names, draft->op.key);
    writer_sized(names, draft->end);
}

err api_txn_parse_object(struct json_object *object, const struct txn_limits *limits,
                         struct txn_scratch *scratch, struct txn_plan *plan, bool is_else,
                         struct problem *problem)
{
    struct draft draft = {.limits = limits, .scratch = scratch};
    err e = take_word(object, &draft, problem);
    if (e == OK) {
        e = take_members(object, &draft, problem);
    }
    if (e == OK) {
        e = check_members(&draft, problem);
    }
    if (e == OK && plan->builder.txn.then_count + plan->builder.txn.else_count == TXN_OPS_MAX) {
        problem->limit = TXN_OPS_MAX;
        e = api_problem_set(problem, ERR_TOO_LARGE, "a transaction has at most %u operations",
                            TXN_OPS_MAX);
    }
    if (e != OK) {
        return e;
    }
    finish(&draft);
    txn_add_op(&plan->builder, &draft.op, is_else);
    add_name(plan, &draft, is_else);
    return OK;
}
