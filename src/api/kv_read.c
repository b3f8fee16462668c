/* Reads of one key: from the node's record to the answer. */
#include "api/kv_int.h"
#include "api/kv_past.h"
#include "api/kv_wait.h"
#include "api/timing.h"
#include "base/assert.h"

const char *api_kv_explain_read(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_NOT_FOUND:
        return "there is no such key";
    case ERR_CORRUPT:
        return "the stored record of this key is damaged (its checksum does not match); other "
               "members may have it whole";
    case ERR_MENDING:
        return "the stored record of this key is damaged here and is being fetched from another "
               "member, or was not found before all of the store was verified; try again a little "
               "later, or ask another member";
    case ERR_NO_LEADER:
    case ERR_NOT_LEADER:
    case ERR_PROPOSAL_DROPPED:
        return "no quorum confirmed this read in time; ?consistency=stale reads what this node has";
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return api_kv_explain_divergence;
    case ERR_BEHIND:
        return "this node has not come to ?min-revision in time: it is behind, or there is no such "
               "revision yet; ask again, give it more ?timeout, or ask another member";
    case ERR_OVERLOADED:
        return "more reads wait than may (--max-pending-requests), or than this node can answer in "
               "time; try again a little later, with fewer at a time";
    default:
        return "the read failed inside the server; its log says more under this request's time";
    }
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct exchange *x = CONTAINER_OF(read, struct exchange, op.read);
    if (UNLIKELY(x->wait != NULL) && api_kv_wait_holds(x, e, record)) {
        if (e == OK) {
            buf_drop(&record->owner);
        }
        return;
    }
    const struct timing_row rows[] = {{"index", read->index_us}};
    api_timing_add(x, rows, ARRAY_COUNT(rows)); /* of the read that is answered */
    if (e == OK || e == ERR_NOT_FOUND) {
        x->given = read->consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
    }
    if (e != OK) {
        api_exchange_refuse(x, e, api_kv_explain_read(x, e));
        return;
    }
    struct buf *owner = record->owner;
    api_kv_respond_record(x, record);
    buf_unref(owner);
}

void api_kv_submit_read(struct exchange *x)
{
    const struct api_options *options = &x->api->options;
    x->op.read.key = x->key;
    x->op.read.consistency = x->params.consistency;
    x->op.read.staleness_ms_max = x->params.staleness_ms_max;
    x->op.read.revision_min = x->params.revision_min;
    x->op.read.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.read.received_ns =
        x->wait == NULL ? http_started_ns(x->request) : env_now_ns(options->env);
    node_read(x->api->node, &x->op.read);
}

void api_kv_read(struct exchange *x)
{
    if (UNLIKELY(x->params.at != 0)) {
        api_kv_read_past(x);
        return;
    }
    x->op.read.done = read_done;
    api_kv_submit_read(x);
}
