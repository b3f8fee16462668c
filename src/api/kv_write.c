/* Writes of one key: from the body to the answer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/kv_body.h"
#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "api/timing.h"
#include "api/ttl.h"
#include "base/assert.h"
#include "base/decimal.h"
#include "base/limits.h"

const char *api_kv_explain_refusal(const struct node *node, err e)
{
    switch ((int)e) {
    case ERR_NO_LEADER:
    case ERR_NOT_LEADER:
    case ERR_PROPOSAL_DROPPED:
        return "no leader could take this write in time: it was not applied and never will be, try "
               "again";
    case ERR_OUTCOME_UNKNOWN:
        return "the write was proposed and its outcome was not seen in time: it may or may not "
               "happen; read the key before you write it again";
    case ERR_DRAINING:
        return node_explain_draining(node);
    case ERR_DIVERGED:
        return api_kv_explain_divergence;
    case ERR_OVERLOADED:
        return node_explain_overload(node);
    case ERR_NOT_FOUND:
        return "there is no such key to touch";
    case ERR_LEASE_NOT_FOUND:
        return "there is no such lease: it has ended, or never was";
    case ERR_NOT_A_NUMBER:
        return "the value is not a whole decimal number of 64 bits, or the sum would be none";
    case ERR_TOO_LARGE:
        return "the value would be larger than a value may be";
    case ERR_IDEMPOTENCY_MISMATCH:
        return "this Idempotency-Key has been used with another request; a new request needs a new "
               "key";
    case ERR_FENCE_LOST:
        return "the lock is not held with this token any more: whoever holds it now may be writing";
    case ERR_QUOTA:
        return "revisions have come to their end, and nothing can be written any more";
    case ERR_NO_SPACE:
        return "the disk is full, this was not written; make room on the disks of the nodes, reads "
               "and deletes go on";
    default:
        return "the write failed inside the server; its log says more under this request's time";
    }
}

static void set_quota(const struct node *node, struct problem *problem)
{
    struct node_status status;
    node_status(node, &status);
    problem->setting = "quota-bytes";
    problem->limit = status.quota_bytes;
    problem->used = status.state != NULL ? store_region_used(status.state) : 0;
    err e = api_problem_set(problem, ERR_QUOTA,
                            "the storage quota is reached, this was not written; delete keys, or "
                            "raise --quota-bytes on every node; reads and deletes go on");
    ASSERT(e == ERR_QUOTA);
}

void api_kv_set_refusal(const struct node *node, const struct command_result *result,
                        struct problem *problem)
{
    ASSERT(result->e != OK);
    if (result->e == ERR_QUOTA && result->revision < REVISION_MAX) {
        set_quota(node, problem);
        return;
    }
    err e = api_problem_set(problem, result->e, "%s", api_kv_explain_refusal(node, result->e));
    ASSERT(e == result->e);
}

const char *api_kv_explain_write(const struct exchange *x, err e)
{
    return api_kv_explain_refusal(x->api->node, e);
}

static void refuse_write(struct exchange *x, const struct command_result *result)
{
    struct problem problem = {.e = OK};
    if (result->e == ERR_TOO_LARGE) { /* appending */
        problem.limit = x->api->options.value_bytes_max;
        problem.setting = "max-value-bytes";
    }
    api_kv_set_refusal(x->api->node, result, &problem);
    api_exchange_respond_problem(x, &problem);
}

void api_kv_add_write_times(struct exchange *x)
{
    const struct write_times *times = &x->op.write.times;
    const struct timing_row rows[] = {{"queue", times->queue_us},
                                      {"fsync", times->fsync_us},
                                      {"replicate", times->replicate_us},
                                      {"apply", times->apply_us}};
    api_timing_add(x, rows, ARRAY_COUNT(rows));
}

/* What a condition did not find as it wants it. */
static void refuse_by_condition(struct exchange *x, const struct command_result *result)
{
    struct problem problem = {.e = OK};
    const struct kv_intent *intent = x->intent;
    ASSERT(intent != NULL);
    const char *source =
        result->failed < intent->check_count ? intent->sources[result->failed] : "the condition";
    err e;
    if (result->existed) {
        problem.etag = result->mod_revision;
        e = api_problem_set(&problem, result->e,
                            "the key is at revision %" PRIu64 ", which is not what %s asks for; "
                            "read it again before the next try",
                            result->mod_revision, source);
    } else {
        e = api_problem_set(&problem, result->e,
                            "there is no such key, which is not what %s asks for", source);
    }
    ASSERT(e == result->e);
    api_exchange_respond_problem(x, &problem);
}

/* The new number, or size, or what Prefer asks for. What is answered again has no more than what
 * was asked for the first time. */
static void respond_content(struct exchange *x, int status, const struct txn_result *op,
                            bool is_replayed)
{
    const struct kv_intent *intent = x->intent;
    char text[DECIMAL_SIZE_MAX + 1];
    bool had_nothing = op->type == TXN_DELETE && !op->existed;
    bool has_none = is_replayed && !op->has_record && !had_nothing;
    if (intent->wanted == PREFER_RETURN_MINIMAL) {
        api_exchange_field(x, "Preference-Applied",
                           slice_from_text(api_prefer_return_text(intent->wanted)));
        api_exchange_respond(x, 204, NULL, SLICE_EMPTY);
        return;
    }
    if (intent->wanted == PREFER_RETURN_REPRESENTATION && !has_none) {
        api_exchange_field(x, "Preference-Applied",
                           slice_from_text(api_prefer_return_text(intent->wanted)));
        struct slice type = op->content_type;
        bool has_type = type.size > 0 && api_kv_is_field_text(type);
        if (has_type) { /* it lies in the result, the answer's head may be written later */
            uint8_t *copy = http_alloc(x->request, type.size);
            memcpy(copy, type.data, type.size);
            type.data = copy;
        }
        api_exchange_field(x, "Content-Type",
                           has_type ? type : SLICE_LITERAL("application/octet-stream"));
        api_exchange_respond(x, op->has_record ? status : 204, NULL, op->value);
        return;
    }
    api_exchange_field(x, "Content-Type", SLICE_LITERAL("text/plain"));
    if (op->type == TXN_ADD || op->type == TXN_APPEND) {
        int size = snprintf(text, sizeof(text), "%" PRId64, (int64_t)op->number);
        api_exchange_respond(x, status, NULL, (struct slice){(const uint8_t *)text, (size_t)size});
        return;
    }
    api_exchange_respond(x, status, NULL, SLICE_LITERAL("OK"));
}

/* `op` is NULL for a plain write. */
static void add_write_fields(struct exchange *x, const struct command_result *result,
                             const struct txn_result *op)
{
    if (x->method == HTTP_METHOD_DELETE) {
        api_exchange_field_text(x, "KV-Deleted", result->existed ? "1" : "0");
        return;
    }
    struct kv_record_fields record = {
        .create_revision = result->create_revision,
        .mod_revision = result->mod_revision,
        .version = result->version,
        .modified_ms = result->modified_ms,
    };
    if (op != NULL) {
        record.ttl_ms = op->ttl_ms;
        record.lease = op->lease;
    }
    api_kv_add_record_fields(x, &record);
}

void api_kv_write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    api_kv_add_write_times(x);
    api_exchange_take_revision(x, result);
    if (result->is_replayed) {
        api_exchange_field_text(x, "Idempotency-Replayed", "true");
    }
    if (result->e == ERR_PRECONDITION_FAILED) {
        refuse_by_condition(x, result);
        return;
    }
    if (result->e != OK) {
        refuse_write(x, result);
        return;
    }
    bool tells_making = x->method == HTTP_METHOD_PUT || x->method == HTTP_METHOD_PATCH;
    int status = tells_making && !result->existed ? 201 : 200;
    if (x->intent != NULL) {
        struct reader results = reader_of(result->results);
        struct txn_result op;
        err e = txn_result_decode(&results, &op);
        ASSERT(e == OK); /* it was checked when it came */
        add_write_fields(x, result, &op);
        api_kv_add_common_fields(x);
        respond_content(x, status, &op, result->is_replayed);
        return;
    }
    add_write_fields(x, result, NULL);
    api_exchange_field(x, "Content-Type", SLICE_LITERAL("text/plain"));
    api_kv_add_common_fields(x);
    api_exchange_respond(x, status, NULL, SLICE_LITERAL("OK"));
}

/* curl -d says "form" of whatever it sends: not stored (docs/api.md, section 1, content type). */
static struct slice content_type_to_store(const struct http_request *request)
{
    struct slice type = http_header(request, "content-type");
    struct slice rest = type;
    struct slice essence = api_text_trim(api_text_split(&rest, ';'));
    return api_text_equals_nocase(essence, "application/x-www-form-urlencoded") ? SLICE_EMPTY
                                                                                : type;
}

/* The command for what was asked, with `value`, which is what counts from now on. */
static struct buf *encode(struct exchange *x, struct slice value)
{
    bool is_delete = x->method == HTTP_METHOD_DELETE;
    struct slice content_type = is_delete ? SLICE_EMPTY : content_type_to_store(x->request);
    if (x->intent != NULL) {
        return api_kv_intent_encode(x, value, content_type);
    }
    const struct command command = {
        .type = is_delete ? COMMAND_DELETE : COMMAND_PUT,
        .key = x->key,
        .value = value,
        .content_type = content_type,
    };
    return command_encode(&command);
}

void api_kv_write(struct exchange *x)
{
    const struct api_options *options = &x->api->options;
    if (x->intent != NULL) {
        struct problem problem = {.e = OK};
        if (api_exchange_begin_key(x, x->intent->idempotency_key, &problem) != OK) {
            api_exchange_respond_problem(x, &problem);
            return;
        }
    }
    struct kv_body body = {.value = SLICE_EMPTY, .decoded = {0}};
    if (x->method != HTTP_METHOD_DELETE && !api_kv_body_take(x, &body)) {
        return;
    }
    x->op.write.command = encode(x, body.value);
    api_kv_body_deinit(&body);
    http_body_release(x->request);
    x->op.write.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.write.received_ns = http_started_ns(x->request);
    x->op.write.done = api_kv_write_done;
    node_write(x->api->node, x->key, &x->op.write);
}
