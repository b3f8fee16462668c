#include "node/replica.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"

/* Proposals handed to the core in one call: all are taken or none, so not too many. */
#define PROPOSAL_CHUNK_MAX 256u
#define PROPOSAL_CHUNK_BYTES_MAX (4u << 20)
/* What one turn applies at most, and reads likewise: heartbeats must not wait long behind it. */
#define APPLY_ENTRIES_PER_TURN 1024u
#define APPLY_BYTES_PER_TURN (8u << 20)
/*
 * What has waited so long for room is refused, and what is accepted has not: so its latency is
 * bounded, whatever the clients ask for. Retry-After says as much.
 */
#define QUEUE_MS_MAX 1000u
/* Forwarded writes under way: raft's own messages should not wait long behind them. */
#define FORWARDED_BYTES_MAX (8u << 20)

/* That there is a turn is all that is wanted of it. */
static void on_gather_end(struct env_timer *timer)
{
    (void)timer;
}

err replica_new(struct replica **out_replica, struct node *node, region_id region,
                const struct membership *founders, struct err_note *note)
{
    struct replica *replica = mem_calloc(1, sizeof(*replica));
    replica->node = node;
    replica->region = region;
    persists_init(&replica->persists);
    /* Numbers of an earlier life must not be taken for ours: begin somewhere at random. */
    writes_init(&replica->writes, env_random(node->env));
    reads_init(&replica->reads, env_random(node->env));
    admin_requests_init(&replica->requests, env_random(node->env));
    mends_init(&replica->mends, env_random(node->env));
    suspicion_init(replica);
    expiry_init(&replica->expiry, replica);
    replica->history = history_journal_history(node->history);
    replica->watches = watches_new(node->env, replica->history);
    replica->gather_writes = GATHER_WRITES;
    env_timer_init(node->env, &replica->gather_writes_end, on_gather_end);
    replica->gather_reads = GATHER_READS;
    env_timer_init(node->env, &replica->gather_reads_end, on_gather_end);
    counter_add(&replica->repair.stores, node->is_store_from_log ? 1 : 0);
    err e = replica_recover(replica, founders, note);
    if (e != OK) {
        replica_free(replica, ERR_INTERNAL);
        return e;
    }
    *out_replica = replica;
    return OK;
}

void replica_free(struct replica *replica, err refusal)
{
    if (replica == NULL) {
        return;
    }
    suspicion_deinit(replica);
    env_timer_deinit(&replica->gather_writes_end);
    env_timer_deinit(&replica->gather_reads_end);
    changes_close(replica);
    admin_requests_close(&replica->requests);
    writes_close(&replica->writes, refusal);
    reads_close(&replica->reads, refusal);
    mends_close(&replica->mends, refusal);
    expiry_deinit(&replica->expiry);
    install_deinit(replica);
    if (replica->hard_state_unlogged && !replica->install.is_running) {
        struct wal_append append = {
            .region = replica->region,
            .hard_state = &replica->hard_state,
        };
        wal_append(replica->node->wal, &append);
    }
    persists_deinit(&replica->persists);
    raft_free(replica->raft);
    raft_entries_deinit(&replica->backlog);
    watches_free(replica->watches);
    mem_free(replica);
}

bool replica_has_quorum(const struct replica *replica)
{
    const struct node_options *options = &replica->node->options;
    uint64_t window_ms = options->election_timeout_ms / 2;
    if (window_ms < 3ull * options->heartbeat_ms) {
        window_ms = 3ull * options->heartbeat_ms;
    }
    return replica->role == RAFT_LEADER &&
           contact_has_quorum(&replica->contact, &replica->membership.conf,
                              replica->node->identity.node, env_now_ms(replica->node->env),
                              window_ms);
}

bool replica_stays(const struct replica *replica)
{
    return id_set_has(&replica->membership.conf.voters, replica->node->identity.node);
}

/* So long without a tick, and what peers have sent meanwhile may still be waiting. */
static bool is_held_up(const struct replica *replica, uint64_t now_ms)
{
    return now_ms - replica->ticked_ms > replica->node->options.election_timeout_ms / 2;
}

bool replica_has_listened(const struct replica *replica)
{
    uint64_t now_ms = env_now_ms(replica->node->env);
    return !is_held_up(replica, now_ms) &&
           now_ms >= replica->listens_from_ms + replica->node->options.election_timeout_ms;
}

bool replica_reaches_quorum(const struct replica *replica)
{
    if (replica->role == RAFT_LEADER) {
        return replica_has_quorum(replica);
    }
    const struct net *net = replica->node->net;
    return replica->leader != 0 && net != NULL && net_is_up(net, replica->leader);
}

/* ---- what comes in ---- */

static bool ask_core(struct replica *replica, uint64_t sequence)
{
    struct read_ctx ctx = {.node = replica->node->identity.node, .sequence = sequence};
    return raft_read_index(replica->raft, ctx) == OK;
}

/* A question that stays unanswered for an election timeout was lost, or its leader was. */
static void repeat_questions(struct replica *replica, uint64_t now_ms)
{
    uint64_t patience_ms = replica->node->options.election_timeout_ms;
    uint64_t asked_before_ms = now_ms > patience_ms ? now_ms - patience_ms : 1;
    for (uint64_t sequence = reads_overdue(&replica->reads, now_ms, asked_before_ms); sequence != 0;
         sequence = reads_overdue(&replica->reads, now_ms, asked_before_ms)) {
        if (!ask_core(replica, sequence)) {
            return; /* no leader: in time there will be one */
        }
    }
}

void replica_tick(struct replica *replica)
{
    uint64_t now_ms = env_now_ms(replica->node->env);
    if (is_held_up(replica, now_ms)) {
        replica->listens_from_ms = now_ms;
    }
    replica->ticked_ms = now_ms;
    replica->ticks++;
    freshness_tick(replica, now_ms);
    if (replica->raft != NULL) {
        stall_tick(replica);
        condition_tick(replica, now_ms);
        space_tick(replica, now_ms);
        raft_tick(replica->raft);
        repeat_questions(replica, now_ms);
        members_tick(replica, now_ms);
        changes_tick(replica, now_ms);
        divergence_tick(replica, now_ms);
        mends_tick(replica, now_ms);
    }
    snapshots_tick(replica, now_ms);
    repair_tick(replica, now_ms);
    admin_requests_tick(replica, now_ms);
    bool is_overload = replica->is_backed_up && replica_reaches_quorum(replica);
    writes_tick(&replica->writes, now_ms, is_overload ? ERR_OVERLOADED : ERR_NO_LEADER);
    if (is_overload && now_ms > QUEUE_MS_MAX) {
        writes_shed(&replica->writes, now_ms - QUEUE_MS_MAX);
    }
    reads_tick(&replica->reads, now_ms);
}

void replica_step(struct replica *replica, const struct message *message)
{
    if (replica->raft == NULL) {
        return; /* as if it were lost: the sender repeats what matters */
    }
    if (message->type != MSG_TRANSFER_LEADER) { /* that one names the target */
        uint64_t now_ms = env_now_ms(replica->node->env);
        contact_heard(&replica->contact, message->from, now_ms);
        freshness_heard(replica, message, now_ms);
    }
    err e = raft_step(replica->raft, message);
    if (e == ERR_MALFORMED) {
        LOG_WARN(replica->node->log, "malformed raft message refused",
                 LOG_U64("region", replica->region), LOG_U64("from", message->from),
                 LOG_TEXT("type", message_type_name(message->type)));
    }
}

void replica_peer_unreachable(struct replica *replica, node_id peer)
{
    if (replica->raft != NULL) {
        raft_report_unreachable(replica->raft, peer);
    }
}

void replica_peer_down(struct replica *replica, node_id peer)
{
    contact_lost(&replica->contact, peer);
    replica_peer_unheard(replica, peer);
    snapshots_peer_down(replica, peer);
    replica_peer_unreachable(replica, peer);
}

void replica_peer_unheard(struct replica *replica, node_id peer)
{
    condition_peer_lost(replica, peer);
    writes_peer_lost(&replica->writes, peer);
    admin_requests_peer_lost(replica, peer);
}

/* But a peer in repair has no core that would speak if it could. */
void replica_peer_alive(struct replica *replica, node_id peer)
{
    if (replica->raft != NULL && !contact_is_mending(&replica->contact, peer)) {
        contact_heard(&replica->contact, peer, env_now_ms(replica->node->env));
        raft_report_alive(replica->raft, peer);
    }
}

void replica_peer_gone(struct replica *replica, node_id peer)
{
    if (replica->raft != NULL && replica->leader == peer) {
        suspicion_begin(replica);
    }
}

void replica_report_snapshot(struct replica *replica, node_id peer, bool ok)
{
    if (replica->raft != NULL) {
        raft_report_snapshot(replica->raft, peer, ok);
    }
}

void replica_write(struct replica *replica, struct node_write *write)
{
    writes_add(&replica->writes, write, env_now_ms(replica->node->env));
}

void replica_read(struct replica *replica, struct node_read *read)
{
    if (read->consistency == READ_STALE) {
        reads_add_behind(&replica->reads, read);
    } else {
        reads_add(&replica->reads, read);
    }
}

void replica_change(struct replica *replica, struct node_change *change)
{
    changes_begin(replica, change);
}

err replica_transfer_leader(struct replica *replica, node_id target)
{
    return replica->raft == NULL ? ERR_NO_LEADER : raft_transfer_leader(replica->raft, target);
}

void replica_forget_leader(struct replica *replica)
{
    if (replica->raft != NULL) {
        (void)!raft_forget_leader(replica->raft); /* not refused: reads are not by lease */
    }
}

err replica_campaign(struct replica *replica)
{
    return replica->raft == NULL ? ERR_FORBIDDEN : raft_campaign(replica->raft);
}

/* A question that the core passes on for somebody else would be refused, since it does not come
 * from whom it says (node_frames.c): who asked asks again. */
static void post(struct replica *replica, const struct message *message)
{
    bool is_passed_on =
        message->type == MSG_READ_INDEX && message->from != replica->node->identity.node;
    if (!is_passed_on) {
        outbox_add(&replica->node->outbox, replica->region, message);
    }
}

/* ---- what waits for the disk ---- */

static void deliver(struct replica *replica, const struct message *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (messages[i].to == replica->node->identity.node) {
            err e = raft_step(replica->raft, &messages[i]);
            /* The core's own message: NOT_FOUND once this node was removed. */
            ASSERT(e == OK || e == ERR_NOT_FOUND);
        } else {
            post(replica, &messages[i]);
        }
    }
}

void replica_persisted(struct replica *replica, uint64_t ticket)
{
    if (replica->raft == NULL) {
        if (replica->bootstrap_ticket != 0 && ticket >= replica->bootstrap_ticket) {
            replica->node->identity.is_founded = true;
            node_save_identity(replica->node);
            struct err_note note = {.text = ""};
            err e = replica_start(replica, &note);
            ASSERT(e == OK); /* from a log that holds one entry of our own making */
        }
        return;
    }
    if (!replica->node->identity.is_founded) {
        /* Joined, and its log has begun: before anybody hears of it. */
        replica->node->identity.is_founded = true;
        node_save_identity(replica->node);
    }
    install_persisted(replica, ticket);
    for (struct persist *record = persists_pop(&replica->persists, ticket); record != NULL;
         record = persists_pop(&replica->persists, ticket)) {
        deliver(replica, record->messages, record->message_count);
        if (record->has_mark) {
            raft_persisted(replica->raft, &record->mark);
            if (replica->role == RAFT_LEADER) {
                writes_set_clock(&replica->writes, env_now_ns(replica->node->env));
                writes_synced(&replica->writes, record->mark.last.index);
            }
        }
        mem_free(record);
    }
}

/* R1. A commit index that moved alone is a hint and waits for the next append to be written with
 * it. */
static void persist(struct replica *replica, const struct raft_ready *ready)
{
    if (replica->install.is_running) {
        install_hold(replica, ready);
        return;
    }
    if (ready->has_hard_state) {
        replica->hard_state = ready->hard_state;
        replica->hard_state_unlogged = true;
    }
    if (ready->must_sync || ready->entry_count > 0) {
        struct wal_append append = {
            .region = replica->region,
            .hard_state = replica->hard_state_unlogged ? &replica->hard_state : NULL,
            .entries = ready->entries,
            .entry_count = ready->entry_count,
        };
        replica->last_ticket = wal_append(replica->node->wal, &append);
        replica->hard_state_unlogged = false;
        persists_push(&replica->persists, replica->last_ticket, ready);
    } else if (!persists_is_empty(&replica->persists) &&
               (ready->has_mark || ready->after_persist_count > 0)) {
        persists_push(&replica->persists, replica->last_ticket, ready);
    } else {
        deliver(replica, ready->messages_after_persist, ready->after_persist_count);
        if (ready->has_mark) {
            raft_persisted(replica->raft, &ready->mark);
        }
    }
}

/* ---- what the core decides ---- */

static void note_role(struct replica *replica, const struct raft_ready *ready)
{
    struct log *log = replica->node->log;
    uint64_t term = ready->has_hard_state ? ready->hard_state.term : replica->hard_state.term;
    if (replica->role == RAFT_LEADER && (ready->role != RAFT_LEADER || term != replica->term)) {
        writes_orphan(&replica->writes);
        LOG_WARN(log, "lost leadership", LOG_U64("region", replica->region), LOG_U64("term", term));
    }
    if (ready->leader != 0 && (ready->leader != replica->leader || term != replica->term)) {
        counter_add(&replica->elections, 1);
        reads_lost(&replica->reads);
        writes_resume(&replica->writes);
        LOG_INFO(log, ready->role == RAFT_LEADER ? "elected leader" : "following leader",
                 LOG_U64("region", replica->region), LOG_U64("term", term),
                 LOG_U64("leader", ready->leader));
    } else if (ready->leader == 0 && replica->leader != 0) {
        LOG_WARN(log, "no leader", LOG_U64("region", replica->region), LOG_U64("term", term));
    }
    if (ready->role == RAFT_LEADER && (replica->role != RAFT_LEADER || term != replica->term)) {
        replica->listens_from_ms = env_now_ms(replica->node->env);
    }
    replica->role = ready->role;
    replica->leader = ready->leader;
    replica->term = term;
}

static void carry_out(struct replica *replica)
{
    struct raft_ready ready;
    raft_ready(replica->raft, &ready);
    note_role(replica, &ready);
    for (uint32_t i = 0; i < ready.message_count; i++) {
        if (ready.messages[i].type == MSG_SNAP) {
            snapshots_send(replica, &ready.messages[i]);
        } else {
            post(replica, &ready.messages[i]);
        }
    }
    if (ready.snapshot != NULL) {
        install_begin(replica, &ready);
    }
    persist(replica, &ready);
    uint64_t now_ns = ready.read_state_count > 0 ? env_now_ns(replica->node->env) : 0;
    for (uint32_t i = 0; i < ready.read_state_count; i++) {
        if (ready.read_states[i].ctx.node == replica->node->identity.node) {
            reads_confirm(&replica->reads, ready.read_states[i].ctx.sequence,
                          ready.read_states[i].index, now_ns);
        }
    }
    if (ready.committed_count > 0 && replica->role == RAFT_LEADER) {
        writes_set_clock(&replica->writes, env_now_ns(replica->node->env));
        writes_committed(&replica->writes, ready.committed[ready.committed_count - 1].pos.index);
    }
    replica_take_committed(replica, ready.committed, ready.committed_count);
}

/* ---- what goes in at the end of a turn ---- */

/* Whether what there is waits for more (gather.h), `end` for the time of that to be over. */
static bool waits_for_more(const struct replica *replica, struct gather *gather,
                           struct env_timer *end, uint64_t count, uint64_t before)
{
    bool was_waiting = gather->since_ns != 0;
    uint64_t wait_ns = gather_wait_ns(gather, count, before, env_now_ns(replica->node->env));
    if (wait_ns > 0) {
        env_timer_start(end, (wait_ns + 999999) / 1000000, 0);
    } else if (was_waiting) {
        env_timer_stop(end);
    }
    return wait_ns > 0;
}

static bool writes_wait_for_more(struct replica *replica)
{
    const struct writes *writes = &replica->writes;
    return !list_is_empty(&writes->queued) &&
           waits_for_more(replica, &replica->gather_writes, &replica->gather_writes_end,
                          writes->count, writes->proposed_count);
}

/*
 * Stamps the command with this leadership's time. Who proposed it before may have it still, on its
 * way to the disk or to a peer: that stays what it is, and so there is another of it now. The first
 * stamp must not be proposed again: the leader in between may have had less time than that says
 * (E1 in expiry.h), and what it put would go early.
 */
static void stamp_write(struct node_write *write, struct command_stamp stamp)
{
    if (write->command->ref_count > 1) {
        struct buf *shared = write->command;
        write->command = buf_copy(buf_slice(shared));
        buf_unref(shared);
    }
    command_stamp(write->command, stamp);
}

/* Takes up to PROPOSAL_CHUNK_MAX of the queued writes to the core. False: it took none. */
static bool propose_chunk(struct replica *replica)
{
    struct node_write *writes[PROPOSAL_CHUNK_MAX];
    struct entry entries[PROPOSAL_CHUNK_MAX];
    struct command_stamp stamp = {
        .ms = env_wall_ms(replica->node->env),
        .quota_bytes = replica->node->options.quota_bytes,
        .clock = {.elapsed_ms = expiry_elapsed_ms(&replica->expiry),
                  .idempotency_age_ms = replica->node->options.idempotency_age_ms,
                  .idempotency_count = replica->node->options.idempotency_count},
    };
    uint32_t count = 0;
    size_t bytes = 0;
    while (count < PROPOSAL_CHUNK_MAX && bytes < PROPOSAL_CHUNK_BYTES_MAX) {
        struct node_write *write = writes_next(&replica->writes);
        if (write == NULL) {
            break;
        }
        err refusal = space_admit(replica, write->command, bytes);
        if (refusal != OK) {
            counter_add(&replica->space.refused, 1);
            writes_refuse(&replica->writes, write, refusal);
            continue;
        }
        stamp_write(write, stamp);
        entries[count] = (struct entry){.type = ENTRY_NORMAL, .data = write->command};
        writes[count] = write;
        bytes += write->command->size;
        count++;
    }
    if (count == 0) {
        return false;
    }
    err e = raft_propose(replica->raft, entries, count, NULL);
    replica->is_backed_up = e == ERR_OVERLOADED;
    if (e != OK) {
        while (count > 0) {
            count--;
            writes_unproposed(&replica->writes, writes[count]);
        }
        return false;
    }
    writes_set_clock(&replica->writes, env_now_ns(replica->node->env));
    for (uint32_t i = 0; i < count; i++) {
        writes_proposed(&replica->writes, writes[i], entries[i].pos);
    }
    counter_add(&replica->proposed, count);
    histogram_observe(&replica->batch_writes, count);
    return true;
}

static bool forward_queued(struct replica *replica)
{
    bool has_moved = false;
    replica->is_backed_up = replica->writes.forwarded_bytes >= FORWARDED_BYTES_MAX;
    while (replica->leader != 0 && replica->node->net != NULL &&
           replica->writes.forwarded_bytes < FORWARDED_BYTES_MAX &&
           net_is_up(replica->node->net, replica->leader) &&
           net_is_heard(replica->node->net, replica->leader)) {
        struct node_write *write = writes_next(&replica->writes);
        if (write == NULL) {
            break;
        }
        writes_forwarding(&replica->writes, write, replica->leader);
        if (!forward_send(replica->node, replica->region, write, replica->leader)) {
            writes_unforwarded(&replica->writes, write);
            break;
        }
        has_moved = true;
    }
    return has_moved;
}

static bool move_writes(struct replica *replica)
{
    if (replica->members.is_removed) {
        /* What was applied up to the removal has been answered. */
        writes_part(&replica->writes);
        reads_close(&replica->reads, ERR_NO_LEADER);
        return false;
    }
    if (replica->role != RAFT_LEADER) {
        return forward_queued(replica);
    }
    bool has_moved = false;
    if (writes_wait_for_more(replica)) {
        return false;
    }
    while (replica_stays(replica) && replica_has_quorum(replica) && propose_chunk(replica)) {
        has_moved = true;
    }
    return has_moved;
}

/* Who is all the quorum asks nobody, so there is nothing to share. How many reads are of a batch
 * before is not counted. */
static bool reads_wait_for_more(struct replica *replica)
{
    const struct reads *reads = &replica->reads;
    uint32_t asked = reads_asked(reads);
    return !list_is_empty(&reads->waiting) && asked < READ_BATCHES_MAX &&
           replica->membership.conf.voters.count > 1 &&
           waits_for_more(replica, &replica->gather_reads, &replica->gather_reads_end, reads->count,
                          asked > 0 ? reads->count : 0);
}

static bool ask_for_read_index(struct replica *replica)
{
    if (replica->leader == 0 || reads_wait_for_more(replica)) {
        return false;
    }
    struct node *node = replica->node;
    uint64_t sequence = reads_ask(&replica->reads, env_now_ms(node->env));
    if (sequence == 0) {
        return false;
    }
    if (!ask_core(replica, sequence)) {
        reads_unasked(&replica->reads, sequence);
        return false;
    }
    return true;
}

static struct read_point point_of(const struct replica *replica)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    return (struct read_point){replica->applied, state == NULL ? 0 : state->revision};
}

void replica_turn(struct replica *replica)
{
    struct apply_budget budget = {APPLY_ENTRIES_PER_TURN, APPLY_BYTES_PER_TURN};
    struct read_budget reads = {APPLY_ENTRIES_PER_TURN, APPLY_BYTES_PER_TURN};
    bool are_reads_served = true;
    bool has_moved = replica->raft != NULL;
    while (has_moved) {
        has_moved = move_writes(replica);
        has_moved = ask_for_read_index(replica) || has_moved;
        while (raft_has_ready(replica->raft)) {
            carry_out(replica);
            has_moved = true;
        }
        if (!drain_is_still(replica->node) && replica_apply(replica, &budget)) {
            divergence_applied(replica);
            has_moved = true;
        }
        are_reads_served =
            reads_serve(&replica->reads, point_of(replica), replica->node->store, &reads);
    }
    freshness_settle(replica);
    expiry_turn(&replica->expiry);
    snapshots_settle(replica);
    bool is_backlog_due =
        replica_has_backlog(replica) && (budget.entries == 0 || budget.bytes == 0);
    if (is_backlog_due || !are_reads_served) {
        env_turn_wake(replica->node->env);
    }
}
