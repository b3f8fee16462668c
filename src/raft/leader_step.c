/* How a leader takes messages. */
#include "base/assert.h"
#include "raft/raft_int.h"

static void send_timeout_now(struct raft *raft, node_id target)
{
    struct message message = {.type = MSG_TIMEOUT_NOW, .to = target};
    raft_send(raft, &message, NULL);
}

/*
 * The member's log and ours differ before the entries that we sent. It says where they may agree at
 * the latest: the last of its entries at or before ours whose term is not above ours. We look from
 * there for the last of ours whose term is not above its: between these two no position can agree.
 * So each probe skips a whole term, not one entry.
 */
static void handle_append_reject(struct raft *raft, struct raft_progress *progress,
                                 const struct message *message)
{
    uint64_t last = raft_log_last_index(&raft->log);
    uint64_t hint = message->reject_hint < last ? message->reject_hint : last;
    if (message->log_term > 0) {
        struct raft_pos theirs = {.term = message->log_term, .index = hint};
        hint = raft_log_find_conflict(&raft->log, theirs).index;
    }
    if (raft_progress_maybe_decrease(progress, message->index, hint)) {
        if (progress->state == RAFT_PROGRESS_REPLICATE) {
            raft_progress_become_probe(progress);
        }
        (void)raft_maybe_send_append(raft, progress, true);
    }
}

static void advance_state(struct raft *raft, struct raft_progress *progress, uint64_t index)
{
    switch (progress->state) {
    case RAFT_PROGRESS_PROBE:
        raft_progress_become_replicate(progress);
        break;
    case RAFT_PROGRESS_SNAPSHOT:
        /* Whichever snapshot it was: the log connects to where the member is now. */
        if (progress->match + 1 >= raft_log_first_index(&raft->log)) {
            raft_progress_become_replicate(progress);
        }
        break;
    case RAFT_PROGRESS_REPLICATE:
        raft_inflights_free_to(&progress->inflights, index);
        break;
    }
}

static void handle_append_accept(struct raft *raft, struct raft_progress *progress,
                                 const struct message *message)
{
    bool is_news = raft_progress_maybe_update(progress, message->index);
    /*
     * The probe was at what is known to match. Not every answer with that index is one to it: who
     * is spoken to in an old term answers with index 0, and its log is not empty for that.
     */
    bool ends_probe = progress->state == RAFT_PROGRESS_PROBE && progress->match == message->index &&
                      progress->next == message->index + 1;
    if (!is_news && !ends_probe) {
        return;
    }
    advance_state(raft, progress, message->index);
    bool is_self = progress->id == raft->id;
    if (raft_maybe_commit(raft)) {
        raft_leader_release_early_reads(raft);
        raft_broadcast_append(raft);
    } else if (!is_self && raft_progress_can_bump_commit(progress, raft->log.committed)) {
        (void)raft_maybe_send_append(raft, progress, true);
    }
    if (is_self) {
        return;
    }
    /* The window has room again: as many messages as it takes. */
    while (raft_maybe_send_append(raft, progress, false)) {
    }
    bool caught_up = progress->match == raft_log_last_index(&raft->log);
    if (progress->id == raft->transfer_target && caught_up) {
        send_timeout_now(raft, progress->id);
    }
}

static void handle_append_response(struct raft *raft, struct raft_progress *progress,
                                   const struct message *message)
{
    progress->recent_active = true;
    if (message->reject) {
        handle_append_reject(raft, progress, message);
    } else {
        handle_append_accept(raft, progress, message);
    }
}

static void handle_heartbeat_response(struct raft *raft, struct raft_progress *progress,
                                      const struct message *message)
{
    if (!raft->config.pace_probes) {
        raft_progress_interval(progress);
    }
    raft_progress_heard(progress);
    /* What was sent may be lost: an append, empty if the window is full, finds out. A member that
     * is probed although it has everything needs one too, to get back to REPLICATE. */
    if (progress->match < raft_log_last_index(&raft->log) ||
        progress->state == RAFT_PROGRESS_PROBE) {
        (void)raft_maybe_send_append(raft, progress, true);
    }
    if (message->read.sequence != 0) {
        raft_leader_read_ack(raft, progress, message->read);
    }
}

/* Leadership goes to `progress` as soon as it has the whole log (dissertation, section 3.10). */
static err start_transfer(struct raft *raft, struct raft_progress *progress)
{
    if (progress->is_learner) {
        return ERR_NOT_FOUND;
    }
    if (raft->transfer_target == progress->id) {
        return ERR_BUSY;
    }
    raft_abort_transfer(raft);
    if (progress->id == raft->id) {
        return OK;
    }
    raft->election_elapsed = 0; /* it has one election timeout for it */
    raft->transfer_target = progress->id;
    if (progress->match == raft_log_last_index(&raft->log)) {
        send_timeout_now(raft, progress->id);
    } else {
        (void)raft_maybe_send_append(raft, progress, true);
    }
    return OK;
}

err raft_transfer_leader(struct raft *raft, node_id target)
{
    if (raft->role == RAFT_LEADER) {
        struct raft_progress *progress = raft_tracker_find(&raft->tracker, target);
        return progress == NULL ? ERR_NOT_FOUND : start_transfer(raft, progress);
    }
    if (raft->leader == 0) {
        return ERR_NO_LEADER;
    }
    if (target == 0) {
        return ERR_NOT_FOUND; /* as `from`, it would stand for this node */
    }
    struct message message = {.type = MSG_TRANSFER_LEADER, .to = raft->leader, .from = target};
    raft_send(raft, &message, NULL);
    return OK;
}

void raft_report_unreachable(struct raft *raft, node_id id)
{
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, id);
    if (raft->role == RAFT_LEADER && progress != NULL && id != raft->id &&
        progress->state == RAFT_PROGRESS_REPLICATE) {
        raft_progress_become_probe(progress);
    }
}

void raft_report_snapshot(struct raft *raft, node_id id, bool ok)
{
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, id);
    if (raft->role != RAFT_LEADER || progress == NULL ||
        progress->state != RAFT_PROGRESS_SNAPSHOT) {
        return;
    }
    if (!ok) {
        progress->pending_snapshot = 0;
    }
    raft_progress_become_probe(progress);
    /* Delivered: its acknowledgement is on the way. Failed: not before the next heartbeat. */
    progress->is_append_paused = true;
}

err raft_step_leader(struct raft *raft, const struct message *message)
{
    if (message->type == MSG_PROP) {
        return raft_handle_propose(raft, message);
    }
    if (message->type == MSG_READ_INDEX) {
        return raft_leader_read(raft, message->read, message->from);
    }
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, message->from);
    if (progress == NULL) {
        return OK;
    }
    if (message->type == MSG_APP_RESP) {
        handle_append_response(raft, progress, message);
    } else if (message->type == MSG_HEARTBEAT_RESP) {
        handle_heartbeat_response(raft, progress, message);
    } else if (message->type == MSG_TRANSFER_LEADER) {
        (void)start_transfer(raft, progress); /* who asked has no use for the answer */
    }
    return OK;
}
