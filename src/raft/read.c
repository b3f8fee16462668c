/* Linearizable reads without log entries (dissertation, section 6.4; read_only.h). */
#include "base/assert.h"
#include "raft/raft_int.h"

static bool is_own(const struct raft *raft, node_id from)
{
    return from == 0 || from == raft->id;
}

static void answer(struct raft *raft, node_id from, uint64_t index, struct read_ctx ctx)
{
    if (is_own(raft, from)) {
        raft_add_read_state(raft, index, ctx);
        return;
    }
    struct message message = {.type = MSG_READ_INDEX_RESP, .to = from, .index = index, .read = ctx};
    raft_send(raft, &message, NULL);
}

static bool has_committed_in_term(const struct raft *raft)
{
    struct raft_pos committed = {.term = raft->term, .index = raft->log.committed};
    return raft_log_matches(&raft->log, committed);
}

/* Whether the commit index may be told without asking anybody. */
static bool is_certain(const struct raft *raft)
{
    const struct conf_state *conf = &raft->tracker.conf;
    if (raft_tracker_is_singleton(&raft->tracker) && id_set_has(&conf->voters, raft->id)) {
        return true;
    }
    /* While leadership is handed over somebody may be elected before the lease runs out. */
    return raft->config.read_mode == RAFT_READ_LEASE && raft->transfer_target == 0;
}

/* Answers, or queues for the next round of heartbeats. */
static err enqueue(struct raft *raft, struct read_ctx ctx, node_id from)
{
    uint64_t index = raft->log.committed;
    if (is_certain(raft)) {
        answer(raft, from, index, ctx);
        return OK;
    }
    struct raft_read_request request = {.ctx = ctx, .from = from, .index = index};
    bool is_full = raft->reads.count == RAFT_READS_PENDING_MAX;
    bool added = raft_read_queue_push(&raft->reads, &request); /* no: asked twice, or full */
    return !added && is_full ? ERR_OVERLOADED : OK;
}

err raft_leader_read(struct raft *raft, struct read_ctx ctx, node_id from)
{
    ASSERT(raft->role == RAFT_LEADER);
    if (has_committed_in_term(raft)) {
        uint32_t count = raft->reads.count;
        err e = enqueue(raft, ctx, from);
        if (raft->reads.count > count) {
            raft_broadcast_heartbeat(raft, raft_leader_read_round(raft));
        }
        return e;
    }
    struct raft_read_request request = {.ctx = ctx, .from = from}; /* O2 */
    bool is_full = raft->early_reads.count == RAFT_READS_PENDING_MAX;
    bool added = raft_read_queue_push(&raft->early_reads, &request);
    return !added && is_full ? ERR_OVERLOADED : OK;
}

void raft_leader_release_early_reads(struct raft *raft)
{
    if (!has_committed_in_term(raft)) {
        return;
    }
    for (uint32_t i = 0; i < raft->early_reads.count; i++) {
        const struct raft_read_request *request = &raft->early_reads.items[i];
        /* Both queues have the same bound, and the other one is empty before the first commit. */
        err e = enqueue(raft, request->ctx, request->from);
        ASSERT(e == OK);
    }
    if (raft->early_reads.count > 0 && raft->reads.count > 0) {
        raft_broadcast_heartbeat(raft, raft_leader_read_round(raft)); /* one for all (O1) */
    }
    raft_read_queue_clear(&raft->early_reads);
}

static uint64_t newest_round(const struct raft *raft)
{
    return raft->reads_confirmed + raft->reads.count;
}

static uint64_t round_of(const void *ctx, node_id id)
{
    const struct raft *raft = ctx;
    if (id == raft->id) {
        return newest_round(raft); /* asks itself, and answers at once */
    }
    const struct raft_progress *progress = raft_tracker_get(&raft->tracker, id);
    ASSERT(progress != NULL); /* T1 */
    return progress->read_round;
}

void raft_leader_confirm_reads(struct raft *raft)
{
    ASSERT(raft->tracker.conf.voters.count > 0);
    uint64_t confirmed = raft_joint_committed(&raft->tracker.conf, round_of, raft);
    ASSERT(confirmed <= newest_round(raft));
    if (confirmed <= raft->reads_confirmed) {
        return;
    }
    uint32_t count = (uint32_t)(confirmed - raft->reads_confirmed);
    for (uint32_t i = 0; i < count; i++) { /* O1 */
        const struct raft_read_request *through = &raft->reads.items[i];
        answer(raft, through->from, through->index, through->ctx);
    }
    raft_read_queue_drop_front(&raft->reads, count);
    raft->reads_confirmed = confirmed;
}

void raft_leader_read_ack(struct raft *raft, struct raft_progress *progress, struct read_ctx ctx)
{
    uint64_t round = ctx.sequence;
    if (ctx.node != raft->id || round > newest_round(raft) || round <= progress->read_round) {
        return; /* nothing that was sent, or no news */
    }
    progress->read_round = round;
    raft_leader_confirm_reads(raft);
}

struct read_ctx raft_leader_read_round(const struct raft *raft)
{
    if (raft->reads.count == 0) {
        return (struct read_ctx){0};
    }
    return (struct read_ctx){.node = raft->id, .sequence = newest_round(raft)};
}

err raft_read_index(struct raft *raft, struct read_ctx ctx)
{
    if (ctx.sequence == 0) {
        return ERR_BAD_REQUEST;
    }
    if (raft->role == RAFT_LEADER) {
        return raft_leader_read(raft, ctx, 0);
    }
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0) {
        return ERR_NO_LEADER;
    }
    struct message message = {.type = MSG_READ_INDEX, .to = raft->leader, .read = ctx};
    raft_send(raft, &message, NULL);
    return OK;
}
