/*
 * PATCH of a key, in this order, again and again until nothing came between:
 *
 *     read (linearizable) ──> merge ──> a transaction that checks the revision that was read
 *       ^                                       │ another one was there
 *       └───────────────────────────────────────┘ until the deadline, or ATTEMPTS_MAX: 409 conflict
 *
 * K1  With an Idempotency-Key each attempt has one of its own that follows from it, and the next is
 *     made only after the one before has failed for sure. So whoever repeats the request goes the
 *     same way through the same answers, and ends at the same one.
 * K2  What cannot be merged into is refused under that key as well, by a check that never holds:
 *     the request may have been carried out before the value became so, or another node may be at
 *     it.
 */
#include "api/kv_patch.h"

#include <inttypes.h>
#include <string.h>

#include "api/json_merge.h"
#include "api/kv_body.h"
#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "base/assert.h"

#define ATTEMPTS_MAX 100u
#define TYPE "application/merge-patch+json"

static void begin_attempt(struct exchange *x);

/* ---- before the body ---- */

err api_kv_patch_check(struct exchange *x, struct problem *problem)
{
    struct slice rest = http_header(x->request, "content-type");
    struct slice essence = api_text_trim(api_text_split(&rest, ';'));
    if (api_text_equals_nocase(essence, TYPE)) {
        return OK;
    }
    api_exchange_field(x, "Accept-Patch", SLICE_LITERAL(TYPE));
    return api_problem_set(problem, ERR_UNSUPPORTED_TYPE,
                           "PATCH takes a merge patch (RFC 7396); curl: -H 'Content-Type: " TYPE
                           "'");
}

/* ---- the write ---- */

static bool has_come_between(const struct exchange *x, const struct command_result *result)
{
    return result->e == ERR_PRECONDITION_FAILED &&
           result->failed == x->intent->patch.revision_check;
}

/* K2: by this attempt, or by one that was made under the same key. */
static bool is_refused(const struct exchange *x, const struct command_result *result)
{
    return result->e == ERR_PRECONDITION_FAILED && result->failed > x->intent->patch.revision_check;
}

static void respond_refusal(struct exchange *x, const struct command_result *result)
{
    const struct problem *own = x->intent->patch.refusal;
    bool is_too_large = result->failed > x->intent->patch.revision_check + 1;
    struct problem problem = {.e = OK};
    err e = api_problem_set(&problem, is_too_large ? ERR_TOO_LARGE : ERR_NOT_JSON,
                            "the value that was there when this was asked first could not be "
                            "merged into: nothing was written");
    ASSERT(e != OK);
    api_exchange_take_revision(x, result);
    if (result->is_replayed) {
        api_exchange_field_text(x, "Idempotency-Replayed", "true");
    }
    bool is_own = !result->is_replayed && own != NULL && own->e == e;
    api_exchange_respond_problem(x, is_own ? own : &problem);
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    if (is_refused(x, result)) {
        api_kv_add_write_times(x);
        respond_refusal(x, result);
        return;
    }
    if (!has_come_between(x, result)) {
        api_kv_write_done(write, result);
        return;
    }
    x->intent->patch.attempt++;
    if (x->intent->patch.attempt == ATTEMPTS_MAX ||
        env_now_ms(x->api->options.env) >= x->intent->patch.deadline_ms) {
        api_exchange_refuse(x, ERR_CONFLICT,
                            "other writes of this key came between reading and writing it, each "
                            "time until this was given up: nothing was written; try again");
        return;
    }
    begin_attempt(x);
}

static void write_merged(struct exchange *x, struct slice value, struct slice content_type)
{
    x->intent->idempotency_key = api_kv_attempt_key(
        x->intent->patch.key, "patch", x->intent->patch.attempt, x->intent->patch.text); /* K1 */
    struct buf *command = api_kv_intent_encode(x, value, content_type);
    x->op.write = (struct node_write){
        .command = command,
        .deadline_ms = x->intent->patch.deadline_ms,
        .received_ns = http_started_ns(x->request),
        .done = write_done,
    };
    node_write(x->api->node, x->key, &x->op.write);
}

/* ---- the merge ---- */

/* K2: the value is what is wrong. */
static void refuse_value(struct exchange *x, const struct problem *problem)
{
    if (x->intent->patch.key.size == 0) {
        api_exchange_respond_problem(x, problem);
        return;
    }
    struct problem *refusal = http_alloc(x->request, sizeof(*refusal));
    *refusal = *problem;
    x->intent->patch.refusal = refusal;
    write_merged(x, SLICE_EMPTY, SLICE_EMPTY);
}

static void refuse_merge(struct exchange *x, err e, enum json_merge_side side, const char *why)
{
    struct problem problem = {.e = OK};
    if (e == ERR_TOO_LARGE) {
        problem.limit = JSON_MERGE_PARTS_MAX;
        e = api_problem_set(&problem, e, "%s: %s; a merge takes up to %u levels and %u parts",
                            side == JSON_MERGE_PATCH ? "the patch" : "the value that is there", why,
                            JSON_MERGE_DEPTH_MAX, JSON_MERGE_PARTS_MAX);
    } else if (side == JSON_MERGE_PATCH) {
        e = api_problem_set(&problem, ERR_BAD_REQUEST, "the patch is no JSON: %s", why);
    } else {
        e = api_problem_set(&problem, ERR_NOT_JSON,
                            "the value that is there is no JSON that could be merged into and keep "
                            "all of it: %s; PUT replaces it",
                            why);
    }
    ASSERT(e != OK);
    if (side == JSON_MERGE_PATCH) {
        api_exchange_respond_problem(x, &problem);
    } else {
        refuse_value(x, &problem);
    }
}

static void merge(struct exchange *x, const struct store_record *record)
{
    struct writer merged = {0};
    enum json_merge_side side;
    const char *why;
    struct slice target = SLICE_EMPTY;
    struct slice content_type = SLICE_LITERAL("application/json");
    if (record != NULL) {
        content_type = record->content_type;
        target = record->value.data != NULL ? record->value : SLICE_LITERAL("");
    }
    x->intent->patch.revision = record != NULL ? record->mod_revision : 0;
    x->intent->patch.refusal = NULL;
    err e = api_json_merge(target, x->intent->patch.body, &merged, &side, &why);
    uint64_t limit = x->api->options.value_bytes_max;
    if (e != OK) {
        refuse_merge(x, e, side, why);
    } else if (merged.size > limit) {
        struct problem problem = {.limit = limit, .setting = "max-value-bytes"};
        e = api_problem_set(&problem, ERR_TOO_LARGE,
                            "a value is at most %" PRIu64 " bytes, merged this one has %zu", limit,
                            merged.size);
        ASSERT(e == ERR_TOO_LARGE);
        refuse_value(x, &problem);
    } else {
        write_merged(x, writer_slice(&merged), content_type);
    }
    writer_deinit(&merged);
}

/* ---- the read ---- */

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct exchange *x = CONTAINER_OF(read, struct exchange, op.read);
    if (e == ERR_NOT_FOUND) {
        merge(x, NULL);
        return;
    }
    if (e != OK) {
        api_exchange_refuse(x, e, api_kv_explain_read(x, e));
        return;
    }
    struct store_record copy = *record; /* it lies in what is about to be the write */
    merge(x, &copy);
    buf_unref(copy.owner);
}

static void begin_attempt(struct exchange *x)
{
    x->op.read = (struct node_read){
        .key = x->key,
        .consistency = READ_LINEARIZABLE,
        .deadline_ms = x->intent->patch.deadline_ms,
        .received_ns = http_started_ns(x->request),
        .done = read_done,
    };
    node_read(x->api->node, &x->op.read);
}

void api_kv_patch(struct exchange *x)
{
    struct kv_intent *intent = x->intent;
    struct problem problem = {.e = OK};
    ASSERT(intent != NULL && intent->is_patch);
    if (api_exchange_begin_key(x, intent->idempotency_key, &problem) != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    struct kv_body body;
    if (!api_kv_body_take(x, &body)) {
        return;
    }
    intent->patch.body = body.value;
    if (body.decoded.size > 0) {
        uint8_t *copy = http_alloc(x->request, body.value.size);
        memcpy(copy, body.value.data, body.value.size);
        intent->patch.body.data = copy;
    }
    api_kv_body_deinit(&body);
    intent->patch.key = intent->idempotency_key;
    intent->patch.deadline_ms = env_now_ms(x->api->options.env) + x->params.timeout_ms;
    begin_attempt(x);
}
