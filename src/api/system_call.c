#include "api/system_call.h"

#include <string.h>

#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "api/ttl.h"
#include "base/assert.h"

#define PAUSE_MS 100u /* an election takes longer, a lost message does not */

/* ---- calls ---- */

/* Y2: an earlier attempt, should it still come, changes nothing any more. All else is refused
 * before it is proposed, or is not remembered under the key (apply_answer.c): then it may. */
static bool is_decided(err e)
{
    return e == OK || e == ERR_LEASE_NOT_FOUND || e == ERR_FENCE_LOST || e == ERR_CONFLICT ||
           e == ERR_IDEMPOTENCY_MISMATCH;
}

static void finish(struct system_call *call, struct command_result *result)
{
    if (call->is_unknown && !is_decided(result->e)) {
        result->e = ERR_OUTCOME_UNKNOWN;
    }
    struct reader results = reader_of(result->results);
    struct txn_result op;
    bool has_op =
        (result->e == OK || result->e == ERR_LOCKED) && txn_result_decode(&results, &op) == OK;
    if (result->e == OK && !has_op) {
        result->e = ERR_INTERNAL;
    }
    buf_drop(&call->command);
    env_timer_deinit(&call->again);
    call->done(call, result, has_op ? &op : NULL);
}

static bool may_repeat(const struct system_call *call, err e)
{
    bool may_pass = e == ERR_OUTCOME_UNKNOWN || e == ERR_NO_LEADER || e == ERR_NOT_LEADER ||
                    e == ERR_PROPOSAL_DROPPED;
    return call->is_repeatable && may_pass && !call->api->is_ending &&
           env_now_ms(call->api->options.env) + PAUSE_MS < call->deadline_ms;
}

static void attempt_done(struct node_write *write, const struct command_result *result)
{
    struct system_call *call = CONTAINER_OF(write, struct system_call, write);
    call->is_unknown = call->is_unknown || result->e == ERR_OUTCOME_UNKNOWN;
    if (may_repeat(call, result->e)) {
        list_push_back(&call->api->paused_calls, &call->link);
        env_timer_start(&call->again, PAUSE_MS, 0);
        return;
    }
    struct command_result last = *result;
    finish(call, &last);
}

/* Each has its own deadline: an answer that was lost is not waited for until the end. */
static void attempt(struct system_call *call)
{
    const struct api_options *options = &call->api->options;
    uint64_t now_ms = env_now_ms(options->env);
    uint64_t end_ms = now_ms + options->request_timeout_ms;
    bool is_last = !call->is_repeatable || end_ms > call->deadline_ms;
    struct command command;
    err e = command_decode(buf_slice(call->command), &command);
    ASSERT(e == OK);
    call->write = (struct node_write){
        .command = buf_copy(buf_slice(call->command)),
        .deadline_ms = is_last ? call->deadline_ms : end_ms,
        .received_ns = env_now_ns(options->env),
        .done = attempt_done,
    };
    node_write(call->api->node, command.key, &call->write);
}

static void again(struct env_timer *timer)
{
    struct system_call *call = CONTAINER_OF(timer, struct system_call, again);
    list_remove(&call->link);
    attempt(call);
}

void api_system_call(struct system_call *call, const struct txn_op *op)
{
    struct txn_builder builder = {0};
    ASSERT(call->done != NULL && call->deadline_ms > 0);
    builder.txn.idempotency_key = call->idempotency_key;
    builder.txn.fingerprint = call->fingerprint;
    txn_add_op(&builder, op, false);
    struct txn txn = txn_builder_result(&builder);
    /* A lease is no key of a user: any one leads to its region. */
    struct slice key = op->key.size > 0 ? op->key : SLICE_LITERAL("lease");
    const struct command command = {.type = COMMAND_TXN, .key = key, .txn = &txn};
    call->command = command_encode(&command);
    txn_builder_deinit(&builder);
    call->is_unknown = false;
    env_timer_init(call->api->options.env, &call->again, again);
    attempt(call);
}

void api_system_calls_end(struct api *api)
{
    struct list paused;
    list_init(&paused);
    list_splice_back(&paused, &api->paused_calls);
    while (!list_is_empty(&paused)) {
        struct system_call *call = CONTAINER_OF(paused.next, struct system_call, link);
        struct command_result result = {.e = ERR_DRAINING};
        list_remove(&call->link);
        finish(call, &result);
    }
}

struct slice api_system_call_key(struct api *api, uint8_t target[SYSTEM_KEY_SIZE])
{
    uint64_t random[2] = {env_random(api->options.env), env_random(api->options.env)};
    target[0] = 1; /* no header field can have that */
    memcpy(target + 1, random, sizeof(random));
    return (struct slice){target, SYSTEM_KEY_SIZE};
}

/* ---- requests ---- */

void api_system_take_key(struct exchange *x, struct slice body, struct system_call *call)
{
    struct slice key = http_header_find(x->request, SLICE_LITERAL("Idempotency-Key"));
    if (key.data == NULL) {
        return;
    }
    struct writer text = {0};
    writer_u8(&text, (uint8_t)x->method);
    writer_sized(&text, http_path(x->request));
    api_kv_fingerprint_query(&text, http_query(x->request));
    writer_sized(&text, http_header(x->request, "content-type"));
    writer_sized(&text, http_header(x->request, "kv-fence"));
    writer_bytes(&text, body);
    call->idempotency_key = key;
    call->fingerprint = hash128(writer_slice(&text));
    call->is_repeatable = true;
    writer_deinit(&text);
}

err api_system_check_fields(struct exchange *x, bool takes_fence, struct problem *problem)
{
    struct slice key = http_header_find(x->request, SLICE_LITERAL("Idempotency-Key"));
    struct slice type = http_header(x->request, "content-type");
    struct slice encoding = http_header(x->request, "content-encoding");
    err e = key.data != NULL ? api_kv_parse_idempotency_key(key, &key, problem) : OK;
    if (e == OK) {
        e = api_kv_intent_refuse(
            x->request, INTENT_TAKES_KEY | (takes_fence ? INTENT_TAKES_FENCE : 0), ERR_BAD_REQUEST,
            "leases and locks do not look at it; their ttl is a parameter of "
            "the query",
            problem);
    }
    if (e != OK) {
        return e;
    }
    if (encoding.size > 0 && !api_text_equals_nocase(encoding, "identity")) {
        return api_problem_set(problem, ERR_UNSUPPORTED_ENCODING,
                               "bodies are not encoded here; send it without Content-Encoding");
    }
    if (type.size > CONTENT_TYPE_SIZE_MAX || !api_kv_is_field_text(type)) {
        problem->limit = CONTENT_TYPE_SIZE_MAX;
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a Content-Type is visible ASCII, at most %u bytes",
                               CONTENT_TYPE_SIZE_MAX);
    }
    return OK;
}

/* curl -d says "form" of whatever it sends: not stored, as under /kv. */
struct slice api_system_content_type(const struct http_request *request)
{
    struct slice type = http_header(request, "content-type");
    struct slice rest = type;
    struct slice essence = api_text_trim(api_text_split(&rest, ';'));
    return api_text_equals_nocase(essence, "application/x-www-form-urlencoded") ? SLICE_EMPTY
                                                                                : type;
}

struct slice api_system_body(const struct http_request *request)
{
    struct buf *body = http_body(request);
    return body != NULL ? buf_slice(body) : SLICE_EMPTY;
}

/* ---- answers ---- */

static const char *explain(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_NO_LEADER:
    case ERR_NOT_LEADER:
    case ERR_PROPOSAL_DROPPED:
        return "no leader could take this in time: nothing was done, try again";
    case ERR_OUTCOME_UNKNOWN:
        return "this was proposed and its outcome was not seen in time: it may or may not happen; "
               "look before you ask again, or ask with an Idempotency-Key";
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return api_kv_explain_divergence;
    case ERR_OVERLOADED:
        return node_explain_overload(x->api->node);
    case ERR_LEASE_NOT_FOUND:
        return "there is no such lease: it has ended, or never was";
    case ERR_FENCE_LOST:
        return "it is not held with this token any more";
    case ERR_IDEMPOTENCY_MISMATCH:
        return "this Idempotency-Key has been used with another request; a new request needs a new "
               "key";
    case ERR_QUOTA:
        return "the storage quota is reached, or revisions have come to their end: nothing was "
               "done";
    case ERR_NO_SPACE:
        return "the disk is full: nothing was done; make room on the disks of the nodes";
    case ERR_BEHIND:
        return "the revision that min-revision asks for was not reached in time";
    case ERR_CORRUPT:
        return "a record of this is damaged here (its checksum does not match); other members may "
               "have it whole";
    default:
        return "this failed inside the server; its log says more under this request's time";
    }
}

void api_system_refuse(struct exchange *x, err e)
{
    api_exchange_refuse(x, e, explain(x, e));
}

void api_system_respond(struct exchange *x, int status, struct writer *document)
{
    writer_u8(document, '\n');
    api_exchange_add_lines(x, SLICE_LITERAL("Content-Type: application/json\r\n"
                                            "Cache-Control: no-store\r\n"));
    api_exchange_add_lines(x, api_standing_lines(x->api, x->given, false));
    api_exchange_respond(x, status, NULL, writer_slice(document));
    writer_deinit(document);
}

void api_system_take_result(struct exchange *x, const struct command_result *result)
{
    api_exchange_take_revision(x, result);
    if (result->is_replayed) {
        api_exchange_field_text(x, "Idempotency-Replayed", "true");
    }
}

void api_system_write_seconds(struct writer *out, uint64_t ms)
{
    char text[TTL_TEXT_SIZE];
    size_t size = api_ttl_write(text, ms);
    while (text[size - 1] == '0' && text[size - 2] != '.') {
        size--;
    }
    writer_bytes(out, (struct slice){(const uint8_t *)text, size});
}
