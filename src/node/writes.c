#include "node/writes.h"

#include "base/assert.h"

enum stage {
    STAGE_NONE = 0,
    STAGE_QUEUED,
    STAGE_PROPOSED,
    STAGE_ORPHANED,
    STAGE_FORWARDED,
};

static struct node_write *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct node_write, link);
}

static struct node_write *of_deadline(struct deadline *deadline)
{
    return CONTAINER_OF(deadline, struct node_write, deadline);
}

static struct node_write *first(struct list *list)
{
    return list_is_empty(list) ? NULL : of_link(list->next);
}

static struct list *bucket_of(struct writes *writes, uint64_t forward_id)
{
    return &writes->forwarded_by_id[forward_id % WRITES_FORWARD_BUCKETS];
}

/* Takes `write` out of its stage's list. */
static void leave(struct writes *writes, struct node_write *write)
{
    list_remove(&write->link);
    if (write->stage == STAGE_FORWARDED) {
        ASSERT(writes->forwarded_bytes >= write->command->size);
        writes->forwarded_bytes -= write->command->size;
        list_remove(&write->id_link);
    }
    if (write->stage == STAGE_PROPOSED) {
        ASSERT(writes->proposed_count > 0);
        writes->proposed_count--;
    }
}

static void move(struct writes *writes, struct list *target, struct node_write *write,
                 enum stage stage)
{
    leave(writes, write);
    list_push_back(target, &write->link);
    write->stage = (uint8_t)stage;
}

/* Answers and lets go: the owner may free `write` in its callback, or begin another one. */
static void finish(struct writes *writes, struct node_write *write,
                   const struct command_result *result)
{
    ASSERT(write->stage != STAGE_NONE);
    ASSERT(writes->count > 0);
    leave(writes, write);
    deadlines_remove(&writes->deadlines, &write->deadline);
    write->stage = STAGE_NONE;
    writes->count--;
    writes->bytes -= write->command->size;
    counter_add(&writes->finished, 1);
    if (result->e == ERR_OUTCOME_UNKNOWN) {
        counter_add(&writes->unknown, 1);
    } else if (result->e == ERR_OVERLOADED) {
        counter_add(&writes->overloaded, 1);
    }
    buf_drop(&write->command);
    write->done(write, result);
}

static void finish_with(struct writes *writes, struct node_write *write, err e)
{
    struct command_result result = {.e = e};
    finish(writes, write, &result);
}

void writes_init(struct writes *writes, uint64_t first_forward_id)
{
    *writes = (struct writes){.next_forward_id = first_forward_id};
    list_init(&writes->queued);
    list_init(&writes->deferred);
    list_init(&writes->proposed);
    list_init(&writes->orphaned);
    list_init(&writes->forwarded);
    for (uint32_t i = 0; i < WRITES_FORWARD_BUCKETS; i++) {
        list_init(&writes->forwarded_by_id[i]);
    }
}

void writes_set_clock(struct writes *writes, uint64_t now_ns)
{
    writes->now_ns = now_ns;
}

void writes_synced(struct writes *writes, uint64_t index)
{
    stages_add(&writes->synced, index, writes->now_ns);
}

void writes_committed(struct writes *writes, uint64_t index)
{
    stages_add(&writes->committed, index, writes->now_ns);
}

void writes_add(struct writes *writes, struct node_write *write, uint64_t now_ms)
{
    ASSERT(write->command != NULL && write->command->ref_count == 1);
    ASSERT(write->done != NULL);
    list_init(&write->link);
    move(writes, &writes->queued, write, STAGE_QUEUED);
    write->queued_ms = now_ms;
    write->deadline.at_ms = write->deadline_ms;
    deadlines_add(&writes->deadlines, &write->deadline);
    writes->count++;
    writes->bytes += write->command->size;
}

struct node_write *writes_next(struct writes *writes)
{
    struct node_write *write = first(&writes->queued);
    if (write != NULL) {
        list_remove(&write->link);
    }
    return write;
}

void writes_proposed(struct writes *writes, struct node_write *write, struct raft_pos pos)
{
    ASSERT(write->stage == STAGE_QUEUED);
    ASSERT(list_is_empty(&writes->proposed) ||
           of_link(writes->proposed.prev)->pos.index < pos.index); /* W3 */
    write->pos = pos;
    write->proposed_ns = writes->now_ns;
    move(writes, &writes->proposed, write, STAGE_PROPOSED);
    writes->proposed_count++;
}

void writes_unproposed(struct writes *writes, struct node_write *write)
{
    ASSERT(write->stage == STAGE_QUEUED);
    /* Before the first: pushing back onto the first node, seen as a head. */
    list_push_back(writes->queued.next, &write->link);
}

void writes_refuse(struct writes *writes, struct node_write *write, err refusal)
{
    ASSERT(write->stage == STAGE_QUEUED); /* W1 */
    finish_with(writes, write, refusal);
}

void writes_forwarding(struct writes *writes, struct node_write *write, node_id leader)
{
    ASSERT(write->stage == STAGE_QUEUED && leader != 0);
    write->forward_id = writes->next_forward_id;
    writes->next_forward_id++;
    write->forwarded_to = leader;
    move(writes, &writes->forwarded, write, STAGE_FORWARDED);
    writes->forwarded_bytes += write->command->size;
    list_push_back(bucket_of(writes, write->forward_id), &write->id_link);
}

void writes_unforwarded(struct writes *writes, struct node_write *write)
{
    ASSERT(write->stage == STAGE_FORWARDED);
    leave(writes, write);
    write->stage = STAGE_QUEUED;
    writes_unproposed(writes, write);
}

/* 0 if either is not known. */
static uint32_t span_us(uint64_t from_ns, uint64_t to_ns)
{
    return from_ns != 0 && to_ns > from_ns ? (uint32_t)((to_ns - from_ns) / 1000) : 0;
}

static void measure(struct writes *writes, struct node_write *write)
{
    uint64_t committed_ns = stages_at(&writes->committed, write->pos.index);
    uint64_t synced_ns = stages_at(&writes->synced, write->pos.index);
    histogram_observe(&writes->commit_us, (writes->now_ns - write->proposed_ns) / 1000);
    if (write->received_ns == 0 || committed_ns == 0) {
        return;
    }
    write->times = (struct write_times){
        .queue_us = span_us(write->received_ns, write->proposed_ns),
        .fsync_us = span_us(write->proposed_ns, synced_ns),
        .replicate_us = span_us(write->proposed_ns, committed_ns),
        .apply_us = span_us(committed_ns, writes->now_ns),
    };
    histogram_observe(&writes->queue_us, write->times.queue_us);
    if (synced_ns != 0) { /* else a quorum of others had it before this node's own disk */
        histogram_observe(&writes->fsync_us, write->times.fsync_us);
    }
    histogram_observe(&writes->replicate_us, write->times.replicate_us);
    histogram_observe(&writes->apply_us, write->times.apply_us);
}

/* Answers the write at `pos`, or puts it back: another entry has taken its place for good. */
static void settle(struct writes *writes, struct node_write *write, struct raft_pos pos,
                   const struct command_result *result)
{
    ASSERT(write->pos.index == pos.index);
    if (write->pos.term != pos.term) {
        move(writes, &writes->queued, write, STAGE_QUEUED); /* W1 */
        return;
    }
    ASSERT(result != NULL); /* one term has one entry at an index, and this one was a write */
    measure(writes, write);
    finish(writes, write, result);
}

/* Settles those at the front of `list` that stand at or before `pos`. */
static void settle_up_to(struct writes *writes, struct list *list, struct raft_pos pos,
                         const struct command_result *result)
{
    for (struct node_write *write = first(list); write != NULL && write->pos.index <= pos.index;
         write = first(list)) {
        settle(writes, write, pos, result);
    }
}

void writes_applied(struct writes *writes, struct raft_pos pos, const struct command_result *result)
{
    settle_up_to(writes, &writes->orphaned, pos, result);
    settle_up_to(writes, &writes->proposed, pos, result);
}

static void give_up_to(struct writes *writes, struct list *list, uint64_t index)
{
    for (struct node_write *write = first(list); write != NULL && write->pos.index <= index;
         write = first(list)) {
        finish_with(writes, write, ERR_OUTCOME_UNKNOWN);
    }
}

void writes_passed(struct writes *writes, uint64_t index)
{
    give_up_to(writes, &writes->orphaned, index);
    give_up_to(writes, &writes->proposed, index);
}

/* Into its place in ORPHANED; nearly always that is the end. */
static void insert_orphan(struct writes *writes, struct node_write *write)
{
    leave(writes, write);
    struct list *after = writes->orphaned.prev;
    while (after != &writes->orphaned && of_link(after)->pos.index > write->pos.index) {
        after = after->prev;
    }
    list_push_back(after->next, &write->link); /* right before the successor */
    write->stage = STAGE_ORPHANED;
}

void writes_orphan(struct writes *writes)
{
    for (struct node_write *write = first(&writes->proposed); write != NULL;
         write = first(&writes->proposed)) {
        insert_orphan(writes, write);
    }
}

/* Whether another node may still do what this one could not: nothing has happened yet. */
static bool is_worth_another_try(err e)
{
    return e == ERR_NOT_LEADER || e == ERR_NO_LEADER || e == ERR_DRAINING ||
           e == ERR_PROPOSAL_DROPPED || e == ERR_DIVERGED;
}

void writes_forward_answer(struct writes *writes, node_id from, uint64_t forward_id,
                           const struct command_result *result)
{
    LIST_FOREACH (link, bucket_of(writes, forward_id)) {
        struct node_write *write = CONTAINER_OF(link, struct node_write, id_link);
        if (write->forward_id != forward_id || write->forwarded_to != from) {
            continue;
        }
        if (is_worth_another_try(result->e)) {
            move(writes, &writes->deferred, write, STAGE_QUEUED);
        } else {
            finish(writes, write, result);
        }
        return;
    }
}

void writes_peer_lost(struct writes *writes, node_id peer)
{
    struct list lost;
    list_init(&lost);
    LIST_FOREACH (link, &writes->forwarded) {
        if (of_link(link)->forwarded_to == peer) {
            list_remove(link);
            list_push_back(&lost, link);
        }
    }
    for (struct node_write *write = first(&lost); write != NULL; write = first(&lost)) {
        finish_with(writes, write, ERR_OUTCOME_UNKNOWN);
    }
}

void writes_resume(struct writes *writes)
{
    list_splice_back(&writes->queued, &writes->deferred);
}

void writes_tick(struct writes *writes, uint64_t now_ms, err refusal)
{
    writes_resume(writes);
    for (struct deadline *due = deadlines_due(&writes->deadlines, now_ms); due != NULL;
         due = deadlines_due(&writes->deadlines, now_ms)) {
        struct node_write *write = of_deadline(due);
        bool is_open = write->stage != STAGE_QUEUED; /* W2 */
        finish_with(writes, write, is_open ? ERR_OUTCOME_UNKNOWN : refusal);
    }
}

void writes_shed(struct writes *writes, uint64_t since_ms)
{
    for (struct node_write *write = first(&writes->queued);
         write != NULL && write->queued_ms < since_ms; write = first(&writes->queued)) {
        finish_with(writes, write, ERR_OVERLOADED); /* W1 */
    }
}

static void close_list(struct writes *writes, struct list *list, err e)
{
    for (struct node_write *write = first(list); write != NULL; write = first(list)) {
        finish_with(writes, write, e);
    }
}

static void close_unforwarded(struct writes *writes, err refusal)
{
    close_list(writes, &writes->queued, refusal);
    close_list(writes, &writes->deferred, refusal);
    close_list(writes, &writes->proposed, ERR_OUTCOME_UNKNOWN);
    close_list(writes, &writes->orphaned, ERR_OUTCOME_UNKNOWN);
}

void writes_part(struct writes *writes)
{
    close_unforwarded(writes, ERR_NO_LEADER);
}

void writes_close(struct writes *writes, err refusal)
{
    close_unforwarded(writes, refusal);
    close_list(writes, &writes->forwarded, ERR_OUTCOME_UNKNOWN);
    ASSERT(writes->count == 0 && writes->bytes == 0 && writes->proposed_count == 0);
}
