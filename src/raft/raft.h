/*
 * The Raft core: a pure state machine. It takes events (a tick, a message, a proposal, "this is
 * durable now", "this is applied now") and hands out what has to happen next (raft_ready). It knows
 * no clock, no file, no socket, no thread and no process-wide state; chance comes from a seed.
 *
 * The caller's loop, once per turn:
 *
 *     feed events;
 *     while (raft_has_ready(r)) {
 *         raft_ready(r, &ready);
 *         send ready.messages;                          at once, the disk may still be busy
 *         write snapshot, entries, hard_state;          in this order, as one batch
 *         once they and all earlier ones are durable:   send ready.messages_after_persist (those to
 *                                                       the node itself go into raft_step), then
 *                                                       raft_persisted(r, &ready.mark)
 *         apply ready.committed;                        then raft_applied
 *     }
 *
 * R1  What is in messages_after_persist promises something about the disk: it may not be seen by
 *     anyone, the node itself included, before this and every earlier ready is durable.
 * R2  Batches become durable in the order in which raft_ready handed them out.
 * R3  Entries are applied in the order in which they were handed out, each once.
 * R4  Everything a ready points to is borrowed until the next raft_ready (or raft_free); other
 *     calls leave it alone. To keep an entry longer, share its data (buf_ref).
 *
 * One thread at a time. No function calls back, except into `struct raft_storage`.
 */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include "base/err.h"
#include "proto/message.h"

struct raft;

enum raft_role {
    RAFT_FOLLOWER,
    RAFT_PRE_CANDIDATE,
    RAFT_CANDIDATE,
    RAFT_LEADER,
};

enum raft_read_mode {
    RAFT_READ_SAFE,  /* a round of heartbeats confirms leadership */
    RAFT_READ_LEASE, /* the clock does; needs check_quorum and clocks of bounded drift */
};

/* What one entry weighs against a limit in bytes: its data and this much for the rest of it. */
#define RAFT_ENTRY_OVERHEAD 24u

static inline uint64_t raft_entry_weight(const struct entry *entry)
{
    return entry_size(entry) + RAFT_ENTRY_OVERHEAD;
}

/* A growing list of entries that owns one reference on each entry's data. All zero is an empty one.
 */
struct raft_entries {
    struct entry *items;
    uint32_t count;
    uint32_t capacity;
};

/* Appends a copy of `entry`; shares its data. */
void raft_entries_push(struct raft_entries *list, const struct entry *entry);
/* Gives back every entry's data and keeps the list's memory. */
void raft_entries_clear(struct raft_entries *list);
/* Gives back everything; the list is an empty one afterwards. */
void raft_entries_deinit(struct raft_entries *list);

/*
 * The stable log as the core reads it. Everything that raft_persisted confirmed must be visible
 * here; what raft_ready handed out but nobody confirmed may be. All calls answer at once.
 */
struct raft_storage {
    void *ctx;
    /* The lowest index whose entry is available; last_index + 1 if none is. */
    uint64_t (*first_index)(void *ctx);
    /* The highest index in the log; that of the snapshot before it if it has no entries. */
    uint64_t (*last_index)(void *ctx);
    /* Defined from first_index - 1 to last_index. ERR_COMPACTED below, ERR_UNAVAILABLE above. */
    err (*term)(void *ctx, uint64_t index, uint64_t *out_term);
    /*
     * Pushes entries from `low` on, below `high`: at least one, then while their weights
     * (raft_entry_weight) sum to at most `size_max`. low < high <= last_index + 1.
     * ERR_COMPACTED: `low` is below first_index; nothing was pushed then.
     */
    err (*entries)(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                   struct raft_entries *out_entries);
    /*
     * Position, configuration and (small) data of a snapshot of the applied state, read together;
     * fills with one reference on the data for the caller. ERR_UNAVAILABLE: none now, ask later.
     */
    err (*snapshot)(void *ctx, struct snapshot *out_snapshot);
};

/* Limits: 0 is "no limit". Sizes in bytes. */
struct raft_config {
    node_id id;
    uint32_t election_ticks;  /* follower's patience; drawn from [this, 2 * this) per role change */
    uint32_t heartbeat_ticks; /* below election_ticks */
    uint64_t max_size_per_message;         /* of the entries (by weight) in one MSG_APP */
    uint64_t max_committed_size_per_ready; /* handed out and not yet applied, by weight */
    uint64_t max_uncommitted_size;         /* of the proposals' data in the leader's log */
    uint32_t max_inflight_messages;        /* unacknowledged MSG_APP per follower */
    uint64_t max_inflight_bytes;           /* the same in bytes of entries' data */
    bool check_quorum; /* a leader that hears no majority steps down; others ignore early candidates
                        */
    bool pre_vote;
    bool async_storage_writes; /* hand out committed entries only once they are durable here too */
    /*
     * Votes and their answers tell how far their sender knows the log to be committed, as those of
     * raft-rs do, and the answer to a read tells it as well; a leader of an earlier term is told
     * that it is over, as it is with check_quorum or pre_vote. Without it a change of members that
     * those who stay do not know to be committed can leave them without a leader for ever.
     */
    bool commit_hints;
    /*
     * A probe is not repeated for every heartbeat that is answered, only in a later heartbeat
     * interval: behind a partition those that were held up are answered all at once.
     */
    bool pace_probes;
    bool disable_proposal_forwarding;
    bool disable_conf_change_validation;
    bool step_down_on_removal; /* a leader that is removed or demoted becomes a follower */
    enum raft_read_mode read_mode;
    uint64_t applied; /* what the state machine holds durably; `conf` is as of this index */
    uint64_t seed;
    struct hard_state hard_state; /* as it was persisted last; all zero at first */
    struct conf_state conf;
    struct raft_storage storage;
};

/*
 * A new core in role follower; caller frees. Borrows `config`; storage.ctx must outlive the core.
 *
 * Applied entries are committed ones: if `applied` is above hard_state.commit (which is not synced
 * on its own), it counts as the commit index.
 *
 * Errors: ERR_BAD_REQUEST (options that contradict each other), ERR_DAMAGED (hard state, applied
 * index, configuration and log contradict each other).
 */
MUST_USE err raft_new(struct raft **out_raft, const struct raft_config *config);

/* Frees the core; accepts NULL. */
void raft_free(struct raft *raft);

/* One tick of the caller's clock has passed. */
void raft_tick(struct raft *raft);

/*
 * Takes a message from another node, or one of messages_after_persist that is addressed to the node
 * itself. Borrows `message`; shares the data of the entries it keeps.
 *
 * Any content is safe to pass: what is malformed is refused and changes nothing. The caller vouches
 * only for `from` being who sent it.
 *
 * Errors: ERR_MALFORMED (not something a correct core sends to this node), ERR_NOT_FOUND (an answer
 * from a node that is no member), and for MSG_PROP those of raft_propose.
 */
MUST_USE err raft_step(struct raft *raft, const struct message *message);

/*
 * Appends entries to the log if this node is the leader: fills `entries[i].pos` and `out_first`
 * (may be NULL) with the first position. Shares the entries' data. A follower sends them on to its
 * leader; then OK is no promise, and `out_first` is 0/0.
 *
 * Errors; nothing was taken then: ERR_NOT_LEADER (no leader known, or forwarding is disabled),
 * ERR_PROPOSAL_DROPPED (leadership is being transferred, or this leader is not a member any more),
 * ERR_OVERLOADED (max_uncommitted_size).
 */
MUST_USE err raft_propose(struct raft *raft, struct entry *entries, uint32_t count,
                          struct raft_pos *out_first);

/*
 * Proposes a membership change, as ENTRY_CONF_CHANGE (`v1`: exactly one change, transition AUTO) or
 * ENTRY_CONF_CHANGE_V2. Borrows `change`. It takes effect when the committed entry is given to
 * raft_apply_conf_change.
 *
 * A leader that cannot take the change now (see raft_check_conf_change) appends an empty
 * ENTRY_NORMAL in its place and returns OK: whoever waits for `out_pos` compares the type of what
 * is committed there.
 *
 * Errors: as raft_propose; ERR_BAD_REQUEST (`v1` with something v1 cannot express).
 */
MUST_USE err raft_propose_conf_change(struct raft *raft, const struct conf_change *change, bool v1,
                                      struct raft_pos *out_pos);

/*
 * Whether this leader would take the change now. ERR_NOT_LEADER; ERR_BUSY (an earlier change may
 * not be applied yet, or the configuration is joint and this does not leave it); ERR_CONFLICT (the
 * change does not fit the configuration: no voters would be left, nothing to leave, too many
 * members).
 */
MUST_USE err raft_check_conf_change(const struct raft *raft, const struct conf_change *change);

/*
 * Makes a committed change take effect; `out_conf` (may be NULL) is the configuration from then on.
 * Called for every committed entry of a conf change type, in order, before raft_applied covers it.
 * ERR_CONFLICT: the change does not fit; the configuration stays, on every node alike.
 *
 * A leader may ask for a snapshot (raft_storage) before this returns: it is of the state before
 * this entry, or after it, never of something in between.
 */
MUST_USE err raft_apply_conf_change(struct raft *raft, const struct conf_change *change,
                                    struct conf_state *out_conf);

/*
 * Makes the first membership of a group take effect, for a node that started without one and finds
 * it committed in the log (ENTRY_BOOTSTRAP). OK also if it is in force already. ERR_CONFLICT:
 * another one is, or this one is none.
 */
MUST_USE err raft_apply_bootstrap(struct raft *raft, const struct conf_state *conf);

/*
 * Asks for a read index: later a ready carries a raft_read_state with `ctx`, and what is applied up
 * to its index is as fresh as this call. A follower asks its leader. It may be lost without a word:
 * the caller has a timeout. `ctx` is unique among all nodes and requests (its sequence is not 0).
 *
 * Errors: ERR_NO_LEADER, ERR_BAD_REQUEST (sequence 0), ERR_OVERLOADED (too many are pending).
 */
MUST_USE err raft_read_index(struct raft *raft, struct read_ctx ctx);

/*
 * Whether this core is to stand for no election, at nobody's request either, until it is told
 * otherwise: its storage does not answer. It votes, and leads on if it leads.
 */
void raft_stand_back(struct raft *raft, bool stands_back);

/*
 * Somebody knows that the log is committed up to `pos`: that is a fact, whatever their terms and
 * roles. Nothing if it is no news, if this log does not have that entry, if this core leads, or
 * without commit_hints. Like all that commits, it may bring a change of members that has to be
 * applied before this node may win an election.
 */
void raft_learn_committed(struct raft *raft, struct raft_pos pos);

/* Starts an election; OK and nothing to do for a leader. ERR_FORBIDDEN: not promotable now. */
MUST_USE err raft_campaign(struct raft *raft);

/*
 * Starts to hand leadership to `target`, at most for one election timeout; a follower asks its
 * leader to. ERR_NO_LEADER; ERR_NOT_FOUND (no voter with this id); ERR_BUSY (already on its way to
 * `target`).
 */
MUST_USE err raft_transfer_leader(struct raft *raft, node_id target);

/*
 * A follower forgets who leads, so that it may vote before its election timeout; nothing in any
 * other role. ERR_FORBIDDEN: with RAFT_READ_LEASE it would break the leader's lease.
 */
MUST_USE err raft_forget_leader(struct raft *raft);

/*
 * `id` is there, although no message of its can be given to this core now: a long one is on its
 * way, to here or from here, and others wait behind it. A follower waits on for its leader, a
 * leader counts the member when it checks its quorum. Nothing else: it confirms no read,
 * acknowledges nothing, and is no answer on which a lease could rest (a leader with RAFT_READ_LEASE
 * takes no notice). Anybody else: no-op.
 */
void raft_report_alive(struct raft *raft, node_id id);

/* The last message to `id` was probably lost. */
void raft_report_unreachable(struct raft *raft, node_id id);

/* The snapshot for `id` has been delivered (`ok`) or not. */
void raft_report_snapshot(struct raft *raft, node_id id, bool ok);

struct raft_read_state {
    uint64_t index;
    struct read_ctx ctx;
};

/* Stands for what one ready asked to persist; opaque to the caller, a plain value. */
struct raft_mark {
    uint64_t term;           /* the core's term then */
    struct raft_pos last;    /* last entry not known to be durable then; 0/0: none */
    uint64_t snapshot_index; /* the snapshot handed out for installing; 0: none */
};

struct raft_ready {
    bool has_soft_state; /* role or leader changed */
    node_id leader;      /* 0: unknown. Both are always filled. */
    enum raft_role role;
    bool has_hard_state;
    struct hard_state hard_state;
    bool must_sync; /* something of it must be durable soon; else only the commit index moved */
    const struct entry *entries; /* to write; they replace whatever is there from entries[0] on */
    uint32_t entry_count;
    const struct snapshot *snapshot; /* to install before `entries`; NULL: none */
    const struct entry *committed;   /* to apply */
    uint32_t committed_count;
    const struct message *messages;
    uint32_t message_count;
    const struct message *messages_after_persist; /* R1 */
    uint32_t after_persist_count;
    bool has_mark; /* raft_persisted is waited for */
    struct raft_mark mark;
    const struct raft_read_state *read_states;
    uint32_t read_state_count;
};

/* Whether raft_ready has anything to say. */
bool raft_has_ready(const struct raft *raft);

/*
 * Fills `out_ready` with everything that must happen now and counts it as on its way: each thing is
 * handed out once. Borrowed until the next raft_ready (R4).
 */
void raft_ready(struct raft *raft, struct raft_ready *out_ready);

/*
 * The ready of `mark`, and every earlier one, is durable. Marks may be skipped: a later one covers
 * them. A mark whose entries have been replaced since, or that is of another term, confirms
 * nothing.
 */
void raft_persisted(struct raft *raft, const struct raft_mark *mark);

/* Everything up to `index` that was handed out is applied; what a later call covers may be skipped.
 */
void raft_applied(struct raft *raft, uint64_t index);

enum raft_progress_state {
    RAFT_PROGRESS_PROBE,     /* where the logs agree is unknown: one message at a time */
    RAFT_PROGRESS_REPLICATE, /* known: a stream of messages */
    RAFT_PROGRESS_SNAPSHOT,  /* behind the log's start: waits for a snapshot */
};

/* What a leader knows of a member. */
struct raft_member_status {
    node_id id;
    bool is_learner;
    enum raft_progress_state state;
    uint64_t match;            /* highest index known to be durable there */
    uint64_t next;             /* the next one to send */
    uint64_t pending_snapshot; /* index of the snapshot under way; 0: none */
    uint32_t inflight_count;
    uint64_t inflight_bytes;
    bool inflight_full;
    bool is_paused;
    bool recent_active; /* heard of since the last check of the quorum */
};

struct raft_status {
    node_id id;
    enum raft_role role;
    node_id leader;          /* 0: unknown */
    node_id transfer_target; /* 0: none */
    struct hard_state hard_state;
    uint64_t applied;
    uint64_t first_index; /* of the log, what is not durable yet included */
    uint64_t last_index;
    uint64_t uncommitted_bytes; /* leader: of the proposals' data */
    struct conf_state conf;
    uint32_t member_count;                          /* 0 unless leader */
    struct raft_member_status members[MEMBERS_MAX]; /* by id */
};

/* Fills the caller's `out_status`. */
void raft_status(const struct raft *raft, struct raft_status *out_status);

#endif
