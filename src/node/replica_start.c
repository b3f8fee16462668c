/* The core of a replica, from what log and store have. */
#include <inttypes.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "node/replica.h"

/* Limits of the core; sizes in bytes. The network's queue bound is above what may be in flight. */
#define COMMITTED_SIZE_PER_READY_MAX (64u << 20)
#define INFLIGHT_BYTES_MAX (32u << 20)

static uint32_t election_ticks(const struct node_options *options)
{
    uint32_t ticks = options->election_timeout_ms / options->heartbeat_ms;
    return ticks < 2 ? 2 : ticks;
}

err replica_start(struct replica *replica, struct err_note *note)
{
    struct node *node = replica->node;
    ASSERT(replica->raft == NULL);
    struct raft_config config = {
        .id = node->identity.node,
        .election_ticks = election_ticks(&node->options),
        .heartbeat_ticks = 1,
        .max_size_per_message = node->options.message_bytes_max,
        .max_committed_size_per_ready = COMMITTED_SIZE_PER_READY_MAX,
        .max_uncommitted_size = node->options.proposed_bytes_max,
        .max_inflight_messages = node->options.inflight_messages_max,
        .max_inflight_bytes = INFLIGHT_BYTES_MAX,
        .check_quorum = true,
        .pre_vote = true,
        .async_storage_writes = true,
        .commit_hints = true,
        .pace_probes = true,
        .disable_proposal_forwarding = true, /* node forwards writes itself: they want an answer */
        .step_down_on_removal = true,
        .read_mode = RAFT_READ_SAFE,
        .applied = replica->applied,
        .seed = env_random(node->env),
        .hard_state = wal_hard_state(node->wal, replica->region),
        .conf = replica->membership.conf,
        .storage = replica_storage(replica),
    };
    replica->hard_state = config.hard_state;
    replica->term = config.hard_state.term;
    err e = raft_new(&replica->raft, &config);
    if (e != OK) {
        return err_note_set(note, e,
                            "region %" PRIu64 ": log, hard state and store contradict each other: "
                            "its data cannot be trusted, replace the node",
                            replica->region);
    }
    if (replica->membership.conf.voters.count == 1 &&
        id_set_has(&replica->membership.conf.voters, config.id)) {
        /* Nobody else could lead: no need to wait for a timeout. */
        e = raft_campaign(replica->raft);
        ASSERT(e == OK || e == ERR_FORBIDDEN);
    }
    return OK;
}

/* The first entry of a region's log, alike on all first members, counts as committed from the
 * start. */
static void bootstrap(struct replica *replica)
{
    struct writer payload = {0};
    membership_encode(&replica->membership, &payload);
    struct entry entry = {
        .pos = {.term = 1, .index = 1},
        .type = ENTRY_BOOTSTRAP,
        .data = writer_to_buf(&payload),
    };
    writer_deinit(&payload);
    struct hard_state hard_state = {.term = 1, .commit = 1};
    struct wal_append append = {
        .region = replica->region,
        .hard_state = &hard_state,
        .entries = &entry,
        .entry_count = 1,
    };
    replica->bootstrap_ticket = wal_append(replica->node->wal, &append);
    replica->last_ticket = replica->bootstrap_ticket;
    buf_unref(entry.data);
    wal_flush(replica->node->wal);
}

/* A store that was never checkpointed says nothing: the log then still has its first entry. */
static err founders_from_log(struct replica *replica, struct err_note *note)
{
    struct entry first;
    uint32_t count = 0;
    struct wal_range range = {.region = replica->region, .low = 1, .high = 2};
    err e = wal_read(replica->node->wal, &range, &first, 1, &count);
    if (e != OK) {
        return err_note_set(note, e, "region %" PRIu64 ": the log's first entry cannot be read: %s",
                            replica->region, err_title(e));
    }
    struct reader reader = reader_of(buf_slice(first.data));
    e = first.type == ENTRY_BOOTSTRAP ? membership_decode(&reader, &replica->membership)
                                      : ERR_MALFORMED;
    buf_unref(first.data);
    return e == OK ? OK
                   : err_note_set(note, ERR_DAMAGED,
                                  "region %" PRIu64 ": the log does not begin with a membership",
                                  replica->region);
}

err replica_check_fit(const struct wal *wal, region_id region, struct raft_pos applied,
                      struct err_note *note)
{
    struct wal_bounds bounds = wal_bounds(wal, region);
    if (applied.index < bounds.compacted.index || applied.index > bounds.last_index) {
        return err_note_set(note, ERR_DAMAGED,
                            "region %" PRIu64 ": the store has applied entry %" PRIu64
                            ", the log has entries %" PRIu64 " to %" PRIu64
                            ": they do not belong together, replace the node",
                            region, applied.index, bounds.compacted.index + 1, bounds.last_index);
    }
    uint64_t term = 0;
    err e = wal_term(wal, region, applied.index, &term);
    if (applied.index != 0 && (e != OK || term != applied.term)) {
        return err_note_set(note, ERR_DAMAGED,
                            "region %" PRIu64 ": entry %" PRIu64 " has term %" PRIu64
                            " in the log, %" PRIu64
                            " in the store: they do not belong together, replace the node",
                            region, applied.index, term, applied.term);
    }
    return OK;
}

static bool is_log_empty(const struct replica *replica)
{
    struct wal *wal = replica->node->wal;
    return wal_bounds(wal, replica->region).last_index == 0 &&
           wal_hard_state(wal, replica->region).term == 0;
}

err replica_recover(struct replica *replica, const struct membership *founders,
                    struct err_note *note)
{
    struct node *node = replica->node;
    if (node->log_mend.mend != NULL) {
        repair_await_log(replica, founders);
        return OK;
    }
    const struct store_region *state = store_region(node->store, replica->region);
    bool is_set_aside = node->identity.lost_region == replica->region;
    if (state == NULL && is_log_empty(replica) && !is_set_aside) {
        if (node->identity.is_founded) {
            return err_note_set(note, ERR_DAMAGED,
                                "%s: log and store are empty, but this node had begun: its data is "
                                "lost. It must not come back under its old id; replace the node",
                                node->options.data_directory);
        }
        if (founders->member_count == 0) {
            return replica_start(replica, note); /* the leader will tell all of it */
        }
        replica->membership = *founders;
        bootstrap(replica);
        return OK;
    }
    struct raft_pos applied = state != NULL ? state->applied : (struct raft_pos){0};
    bool is_reset = state != NULL && !is_set_aside && install_recover(replica, applied);
    if (!is_reset && repair_is_needed(replica, applied)) {
        install_unannounce(replica); /* what was announced is not there */
        repair_begin(replica, founders);
        return OK;
    }
    is_reset = is_reset || repair_reset_log(replica, applied);
    err e = is_reset ? OK : replica_check_fit(node->wal, replica->region, applied, note);
    if (e != OK) {
        return e;
    }
    if (!is_reset) {
        install_unannounce(replica); /* what was announced is not there, or in the log as well */
    }
    if (state != NULL) {
        replica->applied = state->applied.index;
        replica->membership = state->membership;
    } else if (node->identity.founding != 0) {
        e = founders_from_log(replica, note);
    } /* else: it has joined, and applies the first entry like all others */
    if (e == OK) {
        members_start(replica);
        e = replica_start(replica, note);
    }
    if (e == OK && state != NULL) {
        divergence_note(replica);
    }
    return e;
}
