#include "raft/raft.h"

#include "base/assert.h"
#include "base/mem.h"
#include "raft/raft_int.h"

static bool config_is_valid(const struct raft_config *config)
{
    if (config->id == 0 || config->heartbeat_ticks == 0 ||
        config->election_ticks <= config->heartbeat_ticks) {
        return false;
    }
    /* Without it a deposed leader would not notice that its lease is over. */
    return config->read_mode != RAFT_READ_LEASE || config->check_quorum;
}

/* Limits of 0 are none. */
static void lift_limits(struct raft_config *config)
{
    uint64_t *const sizes[] = {
        &config->max_size_per_message,
        &config->max_committed_size_per_ready,
        &config->max_uncommitted_size,
    };
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        *sizes[i] = *sizes[i] == 0 ? UINT64_MAX : *sizes[i];
    }
}

/* Where the log stands as hard state and state machine have it. */
static err restore_position(struct raft *raft)
{
    const struct raft_config *config = &raft->config;
    struct raft_log *log = &raft->log;
    uint64_t last = raft_log_last_index(log);
    uint64_t commit = config->hard_state.commit;
    commit = config->applied > commit ? config->applied : commit;
    bool is_fresh = config->hard_state.term == 0 && commit == 0;
    if (commit > last || (!is_fresh && commit < log->committed)) {
        return ERR_DAMAGED;
    }
    if (config->applied != 0 && config->applied < log->applied) {
        return ERR_DAMAGED; /* what is to be applied next is compacted */
    }
    raft_log_commit_to(log, commit);
    if (config->applied > 0) {
        (void)raft_log_applied_to(log, config->applied);
    }
    raft->term = config->hard_state.term;
    raft->vote = config->hard_state.vote;
    return OK;
}

err raft_new(struct raft **out_raft, const struct raft_config *config)
{
    if (!config_is_valid(config)) {
        return ERR_BAD_REQUEST;
    }
    if (!raft_conf_is_valid(&config->conf)) {
        return ERR_DAMAGED;
    }
    struct raft *raft = mem_calloc(1, sizeof(*raft));
    raft->config = *config;
    raft->id = config->id;
    lift_limits(&raft->config);
    prng_init(&raft->prng, config->seed);
    raft_log_init(&raft->log, &raft->config.storage, raft->config.max_committed_size_per_ready);
    raft_tracker_init(&raft->tracker, config->max_inflight_messages, config->max_inflight_bytes);
    raft_tracker_adopt(&raft->tracker, &config->conf, NULL, raft_log_last_index(&raft->log));
    err e = restore_position(raft);
    if (e != OK) {
        raft_free(raft);
        return e;
    }
    raft_become_follower(raft, raft->term, 0);
    raft->handed.hard_state = raft_hard_state(raft);
    raft->handed.soft_state = (struct raft_soft_state){.leader = 0, .role = RAFT_FOLLOWER};
    *out_raft = raft;
    return OK;
}

void raft_free(struct raft *raft)
{
    if (raft == NULL) {
        return;
    }
    raft_log_deinit(&raft->log);
    raft_tracker_deinit(&raft->tracker);
    raft_read_queue_deinit(&raft->reads);
    raft_read_queue_deinit(&raft->early_reads);
    raft_outbox_deinit(&raft->outbox);
    raft_outbox_deinit(&raft->outbox_after_persist);
    mem_free(raft->read_states);
    raft_outbox_deinit(&raft->handed.outbox);
    raft_outbox_deinit(&raft->handed.outbox_after_persist);
    raft_entries_deinit(&raft->handed.entries);
    raft_entries_deinit(&raft->handed.committed);
    buf_drop(&raft->handed.snapshot.data);
    mem_free(raft->handed.read_states);
    mem_free(raft);
}

struct hard_state raft_hard_state(const struct raft *raft)
{
    return (struct hard_state){
        .term = raft->term, .vote = raft->vote, .commit = raft->log.committed};
}

/* What promises something that stands on the disk, or will (raft.h, R1). A vote request is one,
 * too: it says "I am in this term and have voted for myself". Whoever forgot that in a crash could
 * ask again, with a shorter log, and lead the same term twice. */
static bool waits_for_disk(enum message_type type)
{
    return type == MSG_APP_RESP || type == MSG_VOTE || type == MSG_VOTE_RESP ||
           type == MSG_PRE_VOTE_RESP;
}

static bool has_own_term(enum message_type type)
{
    return type == MSG_VOTE || type == MSG_VOTE_RESP || type == MSG_PRE_VOTE ||
           type == MSG_PRE_VOTE_RESP;
}

void raft_send(struct raft *raft, const struct message *message, struct raft_entries *entries)
{
    ASSERT(message->to != 0);
    struct message sent = *message;
    if (sent.from == 0) {
        sent.from = raft->id;
    }
    if (!has_own_term(sent.type)) {
        ASSERT(sent.term == 0);
        bool has_none = sent.type == MSG_PROP || sent.type == MSG_READ_INDEX;
        sent.term = has_none ? 0 : raft->term;
    }
    if (waits_for_disk(sent.type)) {
        raft_outbox_push(&raft->outbox_after_persist, &sent, entries);
    } else {
        ASSERT(sent.to != raft->id);
        raft_outbox_push(&raft->outbox, &sent, entries);
    }
}

void raft_add_read_state(struct raft *raft, uint64_t index, struct read_ctx ctx)
{
    if (raft->read_state_count == raft->read_state_capacity) {
        uint32_t capacity = raft->read_state_capacity == 0 ? 8 : raft->read_state_capacity * 2;
        raft->read_states = mem_realloc(raft->read_states, capacity, sizeof(*raft->read_states));
        raft->read_state_capacity = capacity;
    }
    raft->read_states[raft->read_state_count] = (struct raft_read_state){index, ctx};
    raft->read_state_count++;
}

void raft_tick(struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        raft_tick_leader(raft);
    } else {
        raft_tick_election(raft);
    }
}

err raft_campaign(struct raft *raft)
{
    bool pre_vote = raft->config.pre_vote;
    return raft_start_election(raft,
                               pre_vote ? RAFT_CAMPAIGN_PRE_ELECTION : RAFT_CAMPAIGN_ELECTION);
}

err raft_forget_leader(struct raft *raft)
{
    if (raft->role != RAFT_FOLLOWER) {
        return OK;
    }
    if (raft->config.read_mode == RAFT_READ_LEASE) {
        return ERR_FORBIDDEN;
    }
    raft->leader = 0;
    return OK;
}

static struct raft_member_status member_status(const struct raft_progress *progress)
{
    return (struct raft_member_status){
        .id = progress->id,
        .is_learner = progress->is_learner,
        .state = progress->state,
        .match = progress->match,
        .next = progress->next,
        .pending_snapshot = progress->pending_snapshot,
        .inflight_count = progress->inflights.count,
        .inflight_bytes = progress->inflights.bytes,
        .inflight_full = raft_inflights_is_full(&progress->inflights),
        .is_paused = raft_progress_is_paused(progress),
        .recent_active = progress->recent_active,
    };
}

void raft_status(const struct raft *raft, struct raft_status *out_status)
{
    *out_status = (struct raft_status){
        .id = raft->id,
        .role = raft->role,
        .leader = raft->leader,
        .transfer_target = raft->transfer_target,
        .hard_state = raft_hard_state(raft),
        .applied = raft->log.applied,
        .first_index = raft_log_first_index(&raft->log),
        .last_index = raft_log_last_index(&raft->log),
        .uncommitted_bytes = raft->uncommitted_size,
        .conf = raft->tracker.conf,
    };
    if (raft->role == RAFT_LEADER) {
        out_status->member_count = raft->tracker.count;
        for (uint32_t i = 0; i < raft->tracker.count; i++) {
            out_status->members[i] = member_status(&raft->tracker.members[i]);
        }
    }
}
