#include "sim/visit.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "node/node_int.h"
#include "node/scan.h"
#include "sim/node_env.h"

static void on_done(struct node_read *read, err e, struct store_record *record)
{
    struct visit *visit = CONTAINER_OF(read, struct visit, read);
    (void)record; /* of a scan there is none */
    visit->is_taken = false;
    visit->done(visit, e);
}

static void on_arrival(struct world_event *event)
{
    struct visit *visit = CONTAINER_OF(event, struct visit, arrival);
    struct host *host = visit->host;
    if (host->node == NULL) { /* it is starting: nobody listens yet */
        visit->done(visit, ERR_NO_LEADER);
        return;
    }
    visit->is_taken = true;
    visit->read.is_scan = true;
    visit->read.consistency = READ_STALE;
    visit->read.revision_min = visit->revision;
    visit->read.deadline_ms = env_now_ms(host->env) + host->sim->plan.timeout_ms;
    visit->read.done = on_done;
    node_read(host->node, &visit->read);
}

static void on_not_arrived(struct world_event *event)
{
    (void)event; /* visit_lost has done with it */
}

void visit_begin(struct visit *visit, struct host *host, uint64_t revision)
{
    visit->host = host;
    visit->revision = revision;
    visit->arrival.run = on_arrival;
    visit->arrival.drop = on_not_arrived;
    visit->arrival.is_quiet = true; /* the node wakes itself if it has to */
    env_sim_schedule(host->env, &visit->arrival, world_now_ns(host->sim->world));
}

void visit_lost(struct visit *visit)
{
    world_cancel(visit->host->sim->world, &visit->arrival);
    visit->host = NULL;
}

/* ---- a list ---- */

/* What is left of the list's range; `behind` has room for a bound. */
static struct store_range rest_of(const struct past_list *list, uint8_t *behind)
{
    struct store_range range = list->range;
    if (list->last == NULL) {
        return range;
    }
    struct slice last = buf_slice(list->last);
    if (list->is_reverse) {
        range.end = last;
    } else {
        memcpy(behind, last.data, last.size);
        behind[last.size] = 0;
        range.begin = (struct slice){behind, last.size + 1};
    }
    return range;
}

static void must(const struct host *host, const char *complaint)
{
    if (complaint != NULL) {
        sim_fail(host->sim, "the past: node %u tells %s", host->number, complaint);
    }
}

static err read_keys(struct host *host, struct past_list *list, struct node_scan *scan,
                     uint32_t count_max)
{
    for (uint32_t i = 0; i < count_max; i++) {
        struct store_record record;
        err e = node_scan_next(scan);
        if (e == ERR_NOT_FOUND) {
            must(host, past_list_ended(list));
        }
        e = e == OK ? node_scan_record(scan, true, &record) : e;
        if (e != OK) {
            return e;
        }
        must(host, past_list_told(list, scan->key, record.value, record.mod_revision));
    }
    return OK;
}

err visit_list(struct host *host, struct past_list *list, uint32_t count_max)
{
    struct node *node = host->node;
    struct node_scan scan;
    uint8_t behind[STORE_BOUND_SIZE_MAX];
    struct buf *last = buf_ref(list->last); /* the range borrows it */
    const struct node_scan_options options = {
        .range = rest_of(list, behind),
        .is_reverse = list->is_reverse,
        .revision = list->revision,
    };
    bool is_past = list->revision < node_revision(node);
    err e = node_scan_open(node, &options, &scan);
    if (e == OK) {
        e = read_keys(host, list, &scan, count_max);
        node_scan_close(&scan);
        sim_count(host->sim, SIM_PAGE_PAST, is_past ? 1 : 0);
    } else if (e == ERR_BAD_REQUEST ||
               (e == ERR_GONE && node_scan_oldest(node) <= list->revision)) {
        sim_fail(host->sim, "the past: node %u refuses revision %" PRIu64 ", which it has (%s)",
                 host->number, list->revision, err_name(e));
    }
    bool is_harmed = e == ERR_CORRUPT || e == ERR_MENDING;
    if (is_harmed && !host->is_rotten && store_is_absence_proven(node->store, SLICE_LITERAL("?"))) {
        sim_fail(host->sim, "the past: node %u takes an undamaged key for damaged (%s)",
                 host->number, err_name(e));
    }
    buf_unref(last);
    return e;
}
