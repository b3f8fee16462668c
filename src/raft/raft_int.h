/*
 * The core's insides, for its own files and the tests that look into it.
 *
 * C1  `term` never goes back; in one term at most one vote is given, to the first who deserves it
 *     (paper, figure 2). Both are durable before anybody hears of them (raft.h, R1).
 * C2  A leader commits by counting only entries of its own term; earlier ones are committed with
 *     them (section 5.4.2). To be able to, it appends an empty entry when elected.
 * C3  An acknowledgement names an index that was compared with this leader's log in this term, and
 *     is sent only when that is durable (R1). What a leader has written itself counts the same way.
 * C4  A configuration takes effect when its entry is applied. At most one that is not applied is in
 *     the log: pending_conf_index is at or above it.
 * C5  A message changes nothing unless message_check.c has found it well formed.
 */
#ifndef RAFT_RAFT_INT_H
#define RAFT_RAFT_INT_H

#include "base/prng.h"
#include "raft/log.h"
#include "raft/outbox.h"
#include "raft/raft.h"
#include "raft/read_only.h"
#include "raft/tracker.h"

struct raft_soft_state {
    node_id leader;
    enum raft_role role;
};

struct raft {
    struct raft_config config; /* limits: UINT64_MAX or UINT32_MAX where there is none */
    node_id id;
    uint64_t term;
    node_id vote;
    enum raft_role role;
    node_id leader;
    struct raft_log log;
    struct raft_tracker tracker;

    uint32_t election_elapsed; /* ticks; of a leader: since it last checked its quorum */
    uint32_t heartbeat_elapsed;
    uint32_t randomized_election_ticks;
    bool stands_back; /* raft_stand_back */
    struct prng prng;

    /* A leader's. */
    node_id transfer_target;
    uint64_t pending_conf_index;  /* C4 */
    uint64_t uncommitted_size;    /* of the data of entries proposed here and not applied */
    struct raft_read_queue reads; /* waiting for heartbeats to be answered */
    uint64_t reads_confirmed;     /* how many of the term have left it: reads[0] is the next */
    struct raft_read_queue early_reads; /* waiting for the first commit of the term (O2) */

    /* To be handed out. */
    struct raft_outbox outbox;               /* may go at once */
    struct raft_outbox outbox_after_persist; /* R1 */
    struct raft_read_state *read_states;
    uint32_t read_state_count;
    uint32_t read_state_capacity;

    /* Handed out with the last ready, kept alive until the next (R4). */
    struct {
        struct raft_soft_state soft_state;
        struct hard_state hard_state;
        struct raft_outbox outbox;
        struct raft_outbox outbox_after_persist;
        struct raft_entries entries;
        struct raft_entries committed;
        struct snapshot snapshot;
        struct raft_read_state *read_states;
        uint32_t read_state_capacity;
    } handed;
};

/* ---- raft.c ---- */

/* Queues a message: fills `from` and, where the type has one of its own, `term`. Takes `entries`.
 */
void raft_send(struct raft *raft, const struct message *message, struct raft_entries *entries);
struct hard_state raft_hard_state(const struct raft *raft);
void raft_add_read_state(struct raft *raft, uint64_t index, struct read_ctx ctx);
/* Everything up to `index` is applied: leaves a joint configuration that is to be left by itself.
 */
void raft_note_applied(struct raft *raft, uint64_t index);

/* ---- message_check.c ---- */

/* ERR_MALFORMED: no correct core sends this to this node. ERR_NOT_FOUND: an answer of a stranger.
 */
MUST_USE err raft_check_message(const struct raft *raft, const struct message *message);

/* ---- role.c ---- */

/* In `term`, not below the present one; `leader` 0: unknown. */
void raft_become_follower(struct raft *raft, uint64_t term, node_id leader);
/* Keeps term and vote. */
void raft_become_pre_candidate(struct raft *raft);
/* In the next term, with its own vote given to itself. */
void raft_become_candidate(struct raft *raft);
/* In the present term, whose first entry it appends (C2). */
void raft_become_leader(struct raft *raft);
/* Proposals are taken again. */
void raft_abort_transfer(struct raft *raft);

/* ---- election.c ---- */

enum raft_campaign {
    RAFT_CAMPAIGN_PRE_ELECTION,
    RAFT_CAMPAIGN_ELECTION,
    RAFT_CAMPAIGN_TRANSFER,
};

/* Starts an election if this node may lead: ERR_FORBIDDEN otherwise, OK and nothing for a leader.
 */
MUST_USE err raft_start_election(struct raft *raft, enum raft_campaign campaign);
void raft_handle_vote_request(struct raft *raft, const struct message *message);
void raft_handle_vote_response(struct raft *raft, const struct message *message);
void raft_tick_election(struct raft *raft);
void raft_tick_leader(struct raft *raft);

/* ---- leader.c ---- */

/*
 * Gives the entries their positions and appends them. False: over the limit of uncommitted bytes,
 * nothing was taken.
 */
MUST_USE bool raft_leader_append(struct raft *raft, struct entry *entries, uint32_t count);
/* Sends to one member what it lacks. True if a message was queued. */
bool raft_maybe_send_append(struct raft *raft, struct raft_progress *progress, bool send_if_empty);
void raft_broadcast_append(struct raft *raft);
void raft_broadcast_heartbeat(struct raft *raft, struct read_ctx ctx);
/* Commits what a quorum has (C2). True if that is news. */
bool raft_maybe_commit(struct raft *raft);

/* ---- leader_step.c ---- */

/* A checked message of the present term, or of none. Errors: those of a proposal or a read. */
MUST_USE err raft_step_leader(struct raft *raft, const struct message *message);

/* ---- follower.c ---- */

/* The same for the other roles. */
MUST_USE err raft_step_follower(struct raft *raft, const struct message *message);
MUST_USE err raft_step_candidate(struct raft *raft, const struct message *message);

/* ---- propose.c ---- */

/* Takes entries without positions on a leader; positions stand in `entries` afterwards. */
MUST_USE err raft_propose_local(struct raft *raft, struct entry *entries, uint32_t count);
/* MSG_PROP from another node. */
MUST_USE err raft_handle_propose(struct raft *raft, const struct message *message);

/* ---- membership.c ---- */

/* Takes a configuration into force; a leader acts on it. */
void raft_switch_conf(struct raft *raft, const struct conf_state *conf,
                      const struct id_set *renewed);

/* ---- read.c ---- */

/* A request on a leader; `from` 0: this node's own. ERR_OVERLOADED: too many are pending. */
MUST_USE err raft_leader_read(struct raft *raft, struct read_ctx ctx, node_id from);
/* A heartbeat's answer carried the context that the heartbeat had. */
void raft_leader_read_ack(struct raft *raft, struct raft_progress *progress, struct read_ctx ctx);
/* Answers the reads that a quorum has confirmed by now. */
void raft_leader_confirm_reads(struct raft *raft);
/* The first commit of the term has happened. */
void raft_leader_release_early_reads(struct raft *raft);
/* What heartbeats carry to confirm all reads that wait; 0/0 if none does. */
struct read_ctx raft_leader_read_round(const struct raft *raft);

#endif
