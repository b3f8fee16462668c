/* Writes of one key: from the body to the answer. */
#include "api/kv_int.h"
#include "api/timing.h"
#include "base/assert.h"
#include "base/limits.h"

static const char *explain_write(const struct exchange *x, err e)
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
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return api_kv_explain_divergence;
    case ERR_OVERLOADED:
        return node_explain_overload(x->api->node);
    case ERR_QUOTA:
        return "revisions have come to their end: nothing was written, and nothing can be any more";
    case ERR_NO_SPACE:
        return "the disk is full: nothing was written; make room on the disks of the nodes, reads "
               "and deletes go on";
    default:
        return "the write failed inside the server; its log says more under this request's time";
    }
}

static void refuse_by_quota(struct exchange *x)
{
    struct problem problem = {.e = OK};
    struct node_status status;
    node_status(x->api->node, &status);
    problem.setting = "quota-bytes";
    problem.limit = status.quota_bytes;
    problem.used = status.state != NULL ? store_region_used(status.state) : 0;
    err e = api_problem_set(&problem, ERR_QUOTA,
                            "the storage quota is reached: nothing was written; delete keys, or "
                            "raise --quota-bytes on every node; reads and deletes go on");
    ASSERT(e == ERR_QUOTA);
    api_exchange_respond_problem(x, &problem);
}

/* Before any answer: a refusal took its time, too. */
static void add_write_times(struct exchange *x)
{
    const struct write_times *times = &x->op.write.times;
    const struct timing_row rows[] = {{"queue", times->queue_us},
                                      {"fsync", times->fsync_us},
                                      {"replicate", times->replicate_us},
                                      {"apply", times->apply_us}};
    api_timing_add(x, rows, ARRAY_COUNT(rows));
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    add_write_times(x);
    if (result->e == ERR_QUOTA && result->revision < REVISION_MAX) {
        refuse_by_quota(x);
        return;
    }
    if (result->e != OK) {
        api_exchange_refuse(x, result->e, explain_write(x, result->e));
        return;
    }
    x->has_revision = true;
    x->revision = result->revision;
    int status = x->method == HTTP_METHOD_PUT && !result->existed ? 201 : 200;
    if (x->method == HTTP_METHOD_DELETE) {
        api_exchange_field_text(x, "KV-Deleted", result->existed ? "1" : "0");
    } else {
        const struct kv_record_fields record = {result->create_revision, result->mod_revision,
                                                result->version, result->modified_ms};
        api_kv_add_record_fields(x, &record);
    }
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

void api_kv_write(struct exchange *x)
{
    bool is_delete = x->method == HTTP_METHOD_DELETE;
    const struct command command = {
        .type = is_delete ? COMMAND_DELETE : COMMAND_PUT,
        .key = x->key,
        .value = is_delete ? SLICE_EMPTY : buf_slice(http_body(x->request)),
        .content_type = is_delete ? SLICE_EMPTY : content_type_to_store(x->request),
    };
    const struct api_options *options = &x->api->options;
    x->op.write.command = command_encode(&command);
    http_body_release(x->request); /* the command has the value now, and is what counts */
    x->op.write.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.write.received_ns = http_started_ns(x->request);
    x->op.write.done = write_done;
    node_write(x->api->node, x->key, &x->op.write);
}
