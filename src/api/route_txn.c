/*
 * POST /txn: conditions, what is done if they hold, and what if not (docs/api.md, section 4). All
 * of it is one command: one entry of the log, one revision, or nothing.
 */
#include <string.h>

#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "api/txn_answer.h"
#include "api/txn_call.h"
#include "base/assert.h"

/* ---- before the body ---- */

err api_txn_call_timeout(void *ctx, struct slice value, struct problem *problem)
{
    struct txn_call *call = ctx;
    return api_params_take_timeout(value, &call->timeout_ms, problem);
}

static err check_fields(const struct http_request *request, struct problem *problem)
{
    struct slice encoding = http_header(request, "content-encoding");
    if (encoding.size > 0 && !api_text_equals_nocase(encoding, "identity")) {
        return api_problem_set(problem, ERR_UNSUPPORTED_ENCODING,
                               "encoded bodies are not taken here; send it as it is, without "
                               "Content-Encoding");
    }
    return api_kv_intent_refuse(request, INTENT_TAKES_KEY, ERR_BAD_REQUEST, "here the body says it",
                                problem);
}

err api_txn_call_new(struct exchange *x, const struct param_own *params, size_t param_count,
                     struct problem *problem)
{
    struct txn_call *call = http_alloc(x->request, sizeof(*call));
    *call = (struct txn_call){.timeout_ms = x->api->options.request_timeout_ms};
    x->txn = call;
    struct slice query = http_query(x->request);
    err e = check_fields(x->request, problem);
    if (e == OK && query.size > 0) {
        e = api_params_parse_own(query, http_alloc(x->request, query.size), params, param_count,
                                 call, problem);
    }
    struct slice key = http_header(x->request, "idempotency-key");
    if (e == OK && key.data != NULL) {
        e = api_kv_parse_idempotency_key(key, &call->idempotency_key, problem);
    }
    return e;
}

err api_txn_prepare(struct exchange *x, struct problem *problem)
{
    static const struct param_own params[] = {{"timeout", api_txn_call_timeout}};
    return api_txn_call_new(x, params, ARRAY_COUNT(params), problem);
}

/* ---- the answer ---- */

static void respond_result(struct exchange *x, const struct command_result *result)
{
    struct writer text = {0};
    api_txn_write_answer(&text, &x->txn->plan, result);
    struct buf *body = writer_to_buf(&text);
    writer_deinit(&text);
    api_exchange_field(x, "Content-Type", SLICE_LITERAL("application/json"));
    api_exchange_field(x, "Cache-Control", SLICE_LITERAL("no-store"));
    api_exchange_respond(x, 200, body, buf_slice(body));
    buf_unref(body);
}

static void refuse(struct exchange *x, const struct command_result *result)
{
    struct problem problem = {.e = OK};
    struct slice key;
    api_txn_set_refusal(x->api->node, &x->txn->plan, result, &problem, &key);
    if (key.size > 0) {
        uint8_t *copy = http_alloc(x->request, key.size);
        memcpy(copy, key.data, key.size);
        x->key = (struct slice){copy, key.size};
    }
    api_exchange_respond_problem(x, &problem);
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    struct txn_plan plan = x->txn->plan; /* the exchange is gone with its answer */
    api_kv_add_write_times(x);
    api_exchange_take_revision(x, result);
    if (result->is_replayed) {
        api_exchange_field_text(x, "Idempotency-Replayed", "true");
    }
    if (result->e == OK) {
        respond_result(x, result);
    } else {
        refuse(x, result);
    }
    api_txn_plan_deinit(&plan);
}

/* ---- the command ---- */

static void set_key(struct exchange *x, struct slice body)
{
    struct txn *txn = &x->txn->plan.builder.txn;
    txn->idempotency_key = x->txn->idempotency_key;
    if (txn->idempotency_key.size > 0) {
        struct hash128 path = hash128(http_path(x->request));
        txn->fingerprint = hash128_add(path, hash128(body));
    }
}

void api_txn_call_refuse(struct exchange *x, const struct problem *problem)
{
    api_txn_plan_deinit(&x->txn->plan);
    api_exchange_respond_problem(x, problem);
}

void api_txn_call_run(struct exchange *x)
{
    struct txn_plan *plan = &x->txn->plan;
    const struct api_options *options = &x->api->options;
    struct problem problem = {.e = OK};
    if (api_exchange_begin_key(x, x->txn->idempotency_key, &problem) != OK) {
        api_txn_call_refuse(x, &problem);
        return;
    }
    set_key(x, buf_slice(http_body(x->request)));
    struct txn txn = txn_builder_result(&plan->builder);
    const struct command command = {.type = COMMAND_TXN, .key = plan->key, .txn = &txn};
    x->op.write.command = command_encode(&command);
    txn_builder_deinit(&plan->builder);
    http_body_release(x->request);
    x->op.write.deadline_ms = env_now_ms(options->env) + x->txn->timeout_ms;
    x->op.write.received_ns = http_started_ns(x->request);
    x->op.write.done = write_done;
    node_write(x->api->node, plan->key, &x->op.write);
}

void api_txn_answer(struct exchange *x)
{
    const struct txn_limits limits = {x->api->options.value_bytes_max};
    struct problem problem = {.e = OK};
    struct slice body = buf_slice(http_body(x->request));
    if (api_txn_parse(body, &limits, &x->txn->plan, &problem) != OK) {
        api_txn_call_refuse(x, &problem);
        return;
    }
    api_txn_call_run(x);
}
