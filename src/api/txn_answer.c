#include "api/txn_answer.h"

#include <inttypes.h>

#include "api/kv_int.h"
#include "api/text.h"
#include "api/ttl.h"
#include "base/assert.h"

static void write_member(struct writer *out, const char *name, struct slice bytes)
{
    writer_u8(out, ',');
    api_text_json_member(out, name, bytes);
}

/* Of the record that is there now. */
static void write_record(struct writer *out, const struct txn_result *result)
{
    writer_format(out,
                  ",\"etag\":\"%" PRIu64 "\",\"version\":%" PRIu64 ",\"create_revision\":%" PRIu64,
                  result->mod_revision, result->version, result->create_revision);
}

static void write_time(struct writer *out, const struct txn_result *result)
{
    char text[TTL_TEXT_SIZE];
    if (result->ttl_ms != 0) {
        size_t size = api_ttl_write(text, result->ttl_ms);
        writer_format(out, ",\"ttl\":%.*s", (int)size, text);
    }
    if (result->lease != 0) {
        writer_format(out, ",\"lease\":\"%016" PRIx64 "\"", result->lease);
    }
}

static void write_value(struct writer *out, const char *name, const struct txn_result *result)
{
    write_member(out, name, result->value);
    if (result->content_type.size > 0) {
        write_member(out, "content_type", result->content_type);
    }
}

/* What "return" asked for. */
static void write_returned(struct writer *out, uint8_t flags, const struct txn_result *result)
{
    if (!result->has_record) {
        return;
    }
    if ((flags & TXN_RETURN_OLD) != 0) {
        write_value(out, "old_value", result);
    } else if ((flags & TXN_RETURN_NEW) != 0) {
        write_value(out, "value", result);
    }
}

static const char *yes_or_no(bool is_so)
{
    return is_so ? "true" : "false";
}

static void write_range(struct writer *out, const struct txn_name *name,
                        const struct txn_result *result)
{
    api_text_json_member(out, name->word == TXN_WORD_DELETE_PREFIX ? "prefix" : "key", name->key);
    if (name->end.size > 0) {
        write_member(out, "end", name->end);
    }
    writer_format(out, ",\"deleted\":%" PRIu64, result->number);
}

/* Of PUT, ADD and APPEND. */
static void write_put(struct writer *out, const struct txn_name *name,
                      const struct txn_result *result)
{
    if (result->type == TXN_ADD) { /* a text: a reader's number may have fewer bits */
        writer_format(out, ",\"number\":\"%" PRId64 "\"", (int64_t)result->number);
    } else if (result->type == TXN_APPEND) {
        writer_format(out, ",\"size\":%" PRIu64, result->number);
    }
    writer_format(out, ",\"created\":%s", yes_or_no(!result->existed));
    write_record(out, result);
    write_time(out, result);
    write_returned(out, name->flags, result);
}

void api_txn_write_result(struct writer *out, const struct txn_name *name,
                          const struct txn_result *result)
{
    if (result->type == TXN_DELETE_RANGE) {
        write_range(out, name, result);
        return;
    }
    api_text_json_member(out, "key", name->key);
    switch ((int)result->type) {
    case TXN_GET:
        writer_format(out, ",\"found\":%s", yes_or_no(result->existed));
        if (result->existed) {
            write_record(out, result);
            write_time(out, result);
            write_value(out, "value", result);
        }
        break;
    case TXN_DELETE:
        writer_format(out, ",\"deleted\":%d", result->existed ? 1 : 0);
        write_returned(out, name->flags, result);
        break;
    case TXN_TOUCH:
        write_record(out, result);
        write_time(out, result);
        break;
    default:
        write_put(out, name, result);
        break;
    }
}

void api_txn_write_answer(struct writer *out, const struct txn_plan *plan,
                          const struct command_result *result)
{
    ASSERT(result->e == OK);
    bool is_else = result->has_failed;
    writer_format(out, "{\"succeeded\":%s,\"revision\":%" PRIu64 ",\"results\":[",
                  yes_or_no(!is_else), result->revision);
    struct reader names = reader_of(writer_slice(&plan->names[is_else]));
    struct reader results = reader_of(result->results);
    struct txn_name name;
    for (uint32_t i = 0; api_txn_next_name(&names, &name); i++) {
        struct txn_result one;
        err e = txn_result_decode(&results, &one);
        ASSERT(e == OK); /* it was checked when it came */
        writer_format(out, i == 0 ? "{" : ",{");
        api_txn_write_result(out, &name, &one);
        writer_u8(out, '}');
    }
    writer_bytes(out, SLICE_LITERAL("]}\n"));
}

/* ---- refusals ---- */

static void set_clause(const struct txn_plan *plan, const struct command_result *result,
                       struct problem *problem, struct slice *out_key)
{
    struct slice text;
    api_txn_find_clause(plan, result->failed, &problem->clause, out_key, &text);
    problem->has_clause = true;
    err e;
    if (result->existed) {
        problem->etag = result->mod_revision;
        e = api_problem_set(problem, result->e,
                            "if[%" PRIu32 "] does not hold: %.*s; the key is at revision %" PRIu64
                            ", version %" PRIu64 "; nothing was done",
                            problem->clause, SLICE_ARGS(text), result->mod_revision,
                            result->version);
    } else {
        e = api_problem_set(problem, result->e,
                            "if[%" PRIu32 "] does not hold: %.*s; nothing was done",
                            problem->clause, SLICE_ARGS(text));
    }
    ASSERT(e == result->e);
}

static bool is_of_operation(err e)
{
    return e == ERR_NOT_FOUND || e == ERR_LEASE_NOT_FOUND || e == ERR_NOT_A_NUMBER ||
           e == ERR_TOO_LARGE;
}

static void set_operation(const struct node *node, const struct txn_plan *plan,
                          const struct command_result *result, struct problem *problem,
                          struct slice *out_key)
{
    bool is_else = result->has_failed;
    struct reader names = reader_of(writer_slice(&plan->names[is_else]));
    struct txn_name name = {.key = SLICE_EMPTY};
    for (uint32_t i = 0; i <= result->failed; i++) {
        if (!api_txn_next_name(&names, &name)) {
            break;
        }
    }
    *out_key = name.key;
    const char *why = api_kv_explain_refusal(node, result->e);
    if (result->e == ERR_TOO_LARGE) {
        why = "the value would be larger than --max-value-bytes, or the results of all operations "
              "together, or the number of deleted keys, larger than a transaction's can be";
    }
    err e;
    if (plan->is_single) {
        e = api_problem_set(problem, result->e, "%s: %s", api_txn_word(name.word), why);
    } else {
        problem->has_operation = true;
        problem->operation = result->failed;
        e = api_problem_set(problem, result->e, "%s[%" PRIu32 "], %s: %s; nothing was done",
                            is_else ? "else" : "then", result->failed, api_txn_word(name.word),
                            why);
    }
    ASSERT(e == result->e);
}

void api_txn_set_refusal(const struct node *node, const struct txn_plan *plan,
                         const struct command_result *result, struct problem *problem,
                         struct slice *out_key)
{
    *out_key = SLICE_EMPTY;
    if (result->e == ERR_PRECONDITION_FAILED && result->has_failed) {
        set_clause(plan, result, problem, out_key);
    } else if (is_of_operation(result->e)) {
        set_operation(node, plan, result, problem, out_key);
    } else {
        api_kv_set_refusal(node, result, problem);
    }
}
