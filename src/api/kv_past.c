#include "api/kv_past.h"

#include "api/kv_int.h"
#include "base/assert.h"
#include "node/scan.h"

const char *api_kv_explain_past(err e)
{
    return e == ERR_BAD_REQUEST
               ? "there is no such revision yet: KV-Revision has the newest one"
               : "that revision is not kept any more: \"oldest\" is the oldest one that can be "
                 "read";
}

static void refuse(struct exchange *x, err e)
{
    bool is_of_revision = e == ERR_GONE || e == ERR_BAD_REQUEST;
    struct problem problem = {.e = OK};
    if (e == ERR_GONE) {
        problem.oldest = node_scan_oldest(x->api->node);
    }
    err set = api_problem_set(&problem, e, "%s",
                              is_of_revision ? api_kv_explain_past(e) : api_kv_explain_read(x, e));
    ASSERT(set == e);
    api_exchange_respond_problem(x, &problem);
}

/* What stands in the checkpoint is there until the end of this turn, an answer for longer. */
static void respond(struct exchange *x, struct store_record *record)
{
    struct buf *copy = NULL;
    if (record->owner == NULL) {
        copy = buf_copy(record->value);
        record->owner = copy;
        record->value = buf_slice(copy);
    }
    api_kv_respond_record(x, record);
    buf_unref(copy);
}

static void read_done(struct node_read *read, err e, struct store_record *unused)
{
    struct exchange *x = CONTAINER_OF(read, struct exchange, op.read);
    ASSERT(unused == NULL);
    if (e != OK) {
        refuse(x, e);
        return;
    }
    x->given = read->consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
    uint8_t end[STORE_BOUND_SIZE_MAX];
    const struct node_scan_options options = {
        .range = store_range_of_key(x->key, end),
        .revision = x->params.at,
    };
    struct node_scan scan;
    struct store_record record;
    e = node_scan_open(x->api->node, &options, &scan);
    if (e != OK) {
        refuse(x, e);
        return;
    }
    e = node_scan_next(&scan);
    if (e == OK) {
        e = node_scan_record(&scan, true, &record);
    }
    if (e == OK) {
        respond(x, &record);
    } else {
        refuse(x, e);
    }
    node_scan_close(&scan);
}

void api_kv_read_past(struct exchange *x)
{
    x->op.read.is_scan = true;
    x->op.read.done = read_done;
    api_kv_submit_read(x);
}
