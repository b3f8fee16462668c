/*
 * The runtime of one node: it joins the consensus core, the log, the store and the peers, and
 * answers writes and reads on any node of the cluster. One turn of the loop is one batch.
 *
 * N1  Nothing is answered before it is committed and applied.
 * N2  Each write and each read is answered exactly once, whatever happens to it: commit, loss of
 *     leadership, an overwritten entry, a broken connection, shutdown, its deadline.
 * N3  NOT_APPLIED is said only of what can never happen any more; everything else is UNKNOWN.
 * N4  A linearizable read is served at an index that a quorum confirmed after the read came in.
 *
 * All on the loop thread.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/log.h"
#include "base/metrics.h"
#include "env/env.h"
#include "node/deadlines.h"
#include "proto/admin.h"
#include "proto/command.h"
#include "proto/frame.h"
#include "proto/membership.h"
#include "store/store.h"

struct node;

/* The one region that there is at first; every key is its. */
#define REGION_FIRST ((region_id)1)

struct node_options {
    struct env *env;
    struct log *log;
    struct metrics *metrics; /* the node registers what it counts */
    const char *data_directory;
    const char *version; /* the program's, told to peers */
    node_id id;
    /*
     * Not one of the first members: it asks to be taken into the cluster `cluster_id`, whose
     * present members are `members` (this node may be among them, if it was added already). It
     * waits until their leader sends it the log. Harmless once it was taken in; then it can be
     * started without, too.
     */
    bool is_joining;
    uint64_t cluster_id;          /* only if it joins; not 0 */
    const char *cluster_name;     /* with the first members it makes the cluster id; may be "" */
    const struct member *members; /* the first members, this node among them; borrowed until the
                                     node is closed */
    uint32_t member_count;
    const char *peer_listen;  /* HOST:PORT, or NULL: this node's own address among the members */
    const char *peer_default; /* where it will listen, and be reached, once it is not alone any
                                   more, if nothing else was said; NULL: it stays alone */
    /* This node was removed, and nobody counts on it any more: from now on its directory is
     * refused. It is to be closed, later. NULL: it stays, and takes no part. */
    void (*removed)(void *ctx);
    void *ctx;
    const char *client_address;   /* where clients reach this node, told to peers and in /leader */
    uint32_t heartbeat_ms;        /* one tick of the core */
    uint32_t election_timeout_ms; /* at least; the real one is up to twice as long, at random */
    uint64_t tail_bytes_max;      /* as struct store_options */
    uint64_t checkpoint_age_ms_max;
    uint64_t scrub_rate_bytes;   /* a second; 0: its store is not scrubbed */
    uint64_t segment_size_bytes; /* as struct wal_options */
    uint64_t entry_cache_bytes_max;
    /* The log kept for a member that lags: bytes, entries (0: the defaults), age (0: no bound).
     * Behind any of them it is cut off, and gets a snapshot. */
    uint64_t log_keep_bytes_max;
    uint64_t log_keep_entries_max;
    uint64_t log_keep_age_ms_max;
    /* What is kept of the last changes, for watches and reads of the past: bytes of memory,
     * revisions, age by the region's clock. 0: the defaults (history.h). */
    uint64_t history_bytes_max;
    uint64_t history_revisions_max;
    uint64_t history_age_ms_max;
    uint64_t snapshot_rate_bytes;   /* a second, of snapshots and backups together; 0: no limit */
    uint64_t snapshot_chunk_bytes;  /* of a snapshot to a member, about; 0: 64 KiB */
    uint64_t message_bytes_max;     /* of the entries in one message between cores; 0: 1 MiB */
    uint32_t inflight_messages_max; /* unacknowledged, for each member; 0: 256 */
    uint64_t quota_bytes;           /* of records, in the writes that this node proposes; 0: none */
    uint64_t idempotency_age_ms;    /* how long answers are remembered, likewise; 0: 10 min */
    uint64_t idempotency_count;     /* and how many of them; 0: a million */
    /* Accepted and undecided writes, of clients and of peers; beyond either they get
     * ERR_OVERLOADED. 0: the defaults. */
    uint64_t pending_bytes_max;
    uint64_t pending_count_max;  /* of linearizable reads likewise */
    uint64_t proposed_bytes_max; /* of them, proposed and not committed; 0: 8 MiB */
};

/* Whose a data directory is, as far as is known from outside. */
struct node_directory {
    node_id id;
    uint64_t cluster_id;
    bool has_joined; /* a cluster that was there: it needs to be told nobody any more */
    bool is_joining; /* it does: it has not been taken in yet */
};

/*
 * Looks at a data directory without taking it. ERR_NO_FILE: it is empty, or not there;
 * ERR_IDENTITY: nobody starts on it, as it was removed from its cluster, say; ERR_VERSION,
 * ERR_DAMAGED, ERR_IO, ERR_PERMISSION. With a note. Blocks: before a start.
 */
MUST_USE err node_look_at(struct env *env, const char *data_directory,
                          struct node_directory *out_directory, struct err_note *note);

/*
 * Takes the data directory (lock, identity), opens store and log, replays, connects to the peers
 * and takes part. Blocks while it recovers. Caller closes.
 *
 * Errors, each with a note that a person can act on: ERR_BUSY (another process has the directory),
 * ERR_IDENTITY (another cluster's or id's directory), ERR_VERSION, ERR_DAMAGED, ERR_ADDRESS,
 * ERR_PERMISSION, ERR_NO_SPACE, ERR_IO.
 */
MUST_USE err node_open(struct node **out_node, const struct node_options *options,
                       struct err_note *note);

/* Somebody who wants the node drained; a field of its owner, which keeps it until `done`. */
struct node_drain {
    /* In: */
    bool is_final; /* the node is to be closed then: nobody can undo it any more */
    /* OK: drained. ERR_CONFLICT: it was undone before. ERR_DRAINING: the node ended before. */
    void (*done)(struct node_drain *drain, err e);
    /* The node's own: */
    struct list link;
    uint64_t end_ms;
};

/*
 * Drains the node: it hands over what it leads. Requests are taken until it knows who leads next,
 * or an election timeout has passed; a node that has nobody to hand over to does not wait. From
 * then on new ones are refused with ERR_DRAINING and what is at work goes on; the node goes on as
 * a member. `done` is called once, also from within this call, and may call everything here but
 * node_close. It may be asked for again, and by several at a time.
 */
void node_drain(struct node *node, struct node_drain *drain);
/*
 * The node takes requests again; who waits in node_drain is told. OK also if it was not draining.
 * ERR_DRAINING: it is about to end.
 */
MUST_USE err node_undrain(struct node *node);
/* What to tell a person whose request got ERR_DRAINING: why, and what helps. Static. */
const char *node_explain_draining(const struct node *node);
/* The same for a write that got ERR_OVERLOADED: what is full, and which setting that is. */
const char *node_explain_overload(const struct node *node);

/*
 * The last before node_close, once nothing more is asked of the node: a checkpoint of all that it
 * has applied, so that its next start is a quick one. `done` is called once, also from within this
 * call, after 10 s at the latest, whatever became of it; not if the node is closed before. It may
 * not call node_close. Once a node.
 */
void node_finish(struct node *node, void (*done)(void *ctx), void *ctx);

/* Answers what is left (ERR_DRAINING or ERR_OUTCOME_UNKNOWN), syncs, closes everything. NULL:
 * no-op. */
void node_close(struct node *node);

/* ---- writes ---- */

/* One write on its way; a field of its owner, which keeps it until `done`. */
/* What the time of a write went into, in microseconds; 0: not known, as where another node leads.
 * The log's disk and the quorum are waited for at the same time. */
struct write_times {
    uint32_t queue_us;     /* from received_ns to the proposal */
    uint32_t fsync_us;     /* until the leader's own log had it on the disk */
    uint32_t replicate_us; /* until a quorum had it: both from the proposal on */
    uint32_t apply_us;     /* from there until it was applied */
};

struct node_write {
    /* In: */
    struct buf *command;  /* taken: encoded, unstamped, seen by nobody else */
    uint64_t deadline_ms; /* env_now_ms at which it is answered at the latest */
    uint64_t received_ns; /* env_now_ns when it came; 0: its stages are not measured */
    void (*done)(struct node_write *write, const struct command_result *result);
    /* Out: */
    struct write_times times;
    /* The node's own: */
    struct list link;
    struct deadline deadline;
    struct raft_pos pos;
    uint64_t queued_ms;
    uint64_t proposed_ns;
    struct list id_link; /* while it is forwarded */
    uint64_t forward_id;
    node_id forwarded_to;
    uint8_t stage;
    struct replica *replica;
};

/*
 * Puts a write of `key` on its way: proposed here or by the leader, applied, answered by `done`,
 * also from within this call. result->e is OK or ERR_NO_LEADER, ERR_DRAINING, ERR_DIVERGED (this
 * node's state is not the others'), ERR_OVERLOADED, ERR_QUOTA (not applied), ERR_OUTCOME_UNKNOWN,
 * or what applying it answered.
 */
void node_write(struct node *node, struct slice key, struct node_write *write);

/* ---- reads ---- */

enum read_consistency {
    READ_LINEARIZABLE,
    READ_STALE,
    READ_BOUNDED, /* stale, if the leader was heard from lately enough; else linearizable */
};

struct node_read {
    /* In: */
    struct slice key; /* borrowed until `done`; of a scan the first one, may be empty */
    /*
     * `done` gets OK without a record, at the moment at which the state may be read, and reads it
     * itself (node/scan.h). Nothing of it is there any more when it returns.
     */
    bool is_scan;
    enum read_consistency consistency; /* BOUNDED: what it became stands here afterwards */
    uint64_t staleness_ms_max;         /* BOUNDED */
    uint64_t revision_min;             /* waits until this revision is applied here; 0: does not */
    uint64_t deadline_ms;
    uint64_t received_ns; /* env_now_ns when it came; 0: not measured */
    /* `record` is valid if `e` is OK; the callee takes its owner's reference. ERR_NOT_FOUND,
     * ERR_CORRUPT, ERR_NO_LEADER (no quorum confirmed it in time), ERR_DRAINING, ERR_DIVERGED,
     * ERR_MENDING (damaged here, and no member had it in time), ERR_OVERLOADED, ERR_BEHIND
     * (revision_min was not reached). */
    void (*done)(struct node_read *read, err e, struct store_record *record);
    /* Out: */
    uint32_t index_us; /* from received_ns until a quorum had confirmed its index; 0: not known */
    /* The node's own: */
    struct list link;
    struct deadline deadline;
    uint64_t index;
    bool is_behind; /* its revision has not come yet */
    struct replica *replica;
};

/* Reads one key; `done` may be called from within (a stale read always is). */
void node_read(struct node *node, struct node_read *read);

/* ---- changing the cluster ---- */

/* One change of the membership on its way; a field of its owner, which keeps it until `done`. */
struct node_change {
    /* In: */
    struct conf_change change;    /* without context */
    const struct member *members; /* whom it adds, and whose address it changes (of them, the change
                                     is an UPDATE); borrowed until node_change_membership returns */
    uint32_t member_count;
    bool is_forced;       /* also if members whose votes it needs cannot vote now */
    uint64_t deadline_ms; /* env_now_ms at which it is answered at the latest */
    void (*done)(struct node_change *change, err e);
    /* Out: */
    node_id leader; /* who leads, for ERR_NOT_LEADER; 0: unknown */
    /* The node's own: */
    struct raft_pos pos;
};

/*
 * Changes who the members of the first region are. Only its leader takes that. Several members at
 * once, one in place of another: in one joint change, which is left by itself unless its transition
 * is EXPLICIT. A member that is added as a learner and `wants_vote` becomes a voter by itself, once
 * it has caught up.
 *
 * `done` is called exactly once, also from within this call: OK (in force, a joint configuration
 * left unless that is EXPLICIT, and a quorum of the new members durably knows it: who was removed
 * may be switched off), or, for sure not applied: ERR_NOT_LEADER (another node leads: `leader`),
 * ERR_NO_LEADER, ERR_BUSY (an earlier change or a transfer of leadership is under way; also if the
 * change takes this leader's own vote: then it has begun to hand over; or it leads for too short a
 * time to know who is away), ERR_CONFLICT (it does not fit the configuration, two members would
 * have one address, or, unless it is forced, too many of the voters that it would leave are away or
 * in repair: who is new is counted on), ERR_ADDRESS (a member, this one included, has none that
 * peers could dial), ERR_BAD_REQUEST (a member that the change does not mention, or the id 0),
 * ERR_OVERLOADED, ERR_DRAINING. Else ERR_OUTCOME_UNKNOWN.
 */
void node_change_membership(struct node *node, struct node_change *change);

/* What an operator asks; a field of its owner, which keeps it until `done`. */
struct node_admin {
    /* In: */
    struct admin_spec spec;
    uint64_t deadline_ms; /* env_now_ms at which it is answered at the latest */
    /* `text` (borrowed; may be empty) says why not. */
    void (*done)(struct node_admin *request, err e, struct slice text);
    /* Out: */
    node_id id;                          /* OK: of whom it was about; LIST: who leads */
    const struct admin_figures *figures; /* OK, LIST: borrowed until another request is made */
    /* The node's own: */
    struct list link;
    struct replica *replica;
    struct node_change change;
    uint64_t number;
    node_id asked;     /* who has been asked, and not answered */
    uint64_t again_ms; /* TRANSFER: when it is to be tried again */
    err last;          /* why it waits */
    uint8_t stage;
    bool is_passed_on; /* it is a peer's: one attempt, here */
};

/*
 * Carries out what an operator asks of the first region's members, on whatever node leads; tries
 * again while another change or election is under way, until the deadline. `done` is called exactly
 * once, also from within. OK: as node_change_membership; a TRANSFER: another node was seen to lead.
 * ERR_BAD_REQUEST, ERR_NOT_FOUND, ERR_CONFLICT (it does not fit, is not safe, or another change was
 * under way all the time), ERR_NO_LEADER, ERR_DRAINING, ERR_OVERLOADED: it was not done.
 * ERR_OUTCOME_UNKNOWN.
 *
 * A LIST changes nothing, and does not wait for a leader: OK, ERR_NO_LEADER (there is none, or it
 * does not answer), or ERR_DRAINING (the node is being closed).
 */
void node_admin(struct node *node, struct node_admin *request);

/*
 * Starts to hand leadership of the first region to `target`, a voter, within an election timeout;
 * on a follower it asks the leader to, whose refusal it does not hear. Whether it has worked shows
 * in the status. Errors: ERR_NO_LEADER, ERR_NOT_FOUND, ERR_BUSY.
 */
MUST_USE err node_transfer_leader(struct node *node, node_id target);
/* A follower forgets its leader, so that it may vote at once. Nothing in another role. */
void node_forget_leader(struct node *node);
/* Starts an election. ERR_FORBIDDEN: this node may not lead now, or does not yet run. */
MUST_USE err node_campaign(struct node *node);

/* ---- repair ---- */

/*
 * The store's file is not to be trusted any more, since `why` (for people): marks it and ends the
 * process; the next start sets it aside and rebuilds it from a peer. Returns only if there was
 * never a peer: ERR_UNAVAILABLE, and nothing was done.
 */
MUST_USE err node_repair_store(struct node *node, const char *why);

/* ---- backups ---- */

struct store_snapshot;

/* One backup on its way; a field of its owner, which keeps it until it is refused, cut, closed. */
struct node_backup {
    /* In: */
    void (*opened)(struct node_backup *backup, err e);
    void (*cut)(struct node_backup *backup);
    /* Out, while it is open: what it is of. */
    const struct store_region *state;
    /* The node's own: */
    struct node *node;
    struct store_snapshot *source; /* NULL: it waits, or has ended */
    uint64_t wanted_index;
    uint64_t begun_ms;
    uint64_t read_bytes;
    uint64_t due_us; /* of env_now_ms: when the next piece is */
    bool is_whole;
};

/*
 * Opens the first region's state, with all that this node has applied, to be read in pieces
 * (store/backup.h). `opened` is called once, also from within: OK: it is open until the caller
 * closes it, or `cut` says that it is closed as it was read too slowly (or the node ends). Else:
 * ERR_BUSY (another one is on its way), ERR_DRAINING, ERR_DIVERGED, ERR_UNAVAILABLE (no checkpoint
 * could be made in time), ERR_CORRUPT.
 */
void node_backup_open(struct node *node, struct node_backup *backup);
/*
 * Appends the next piece, about 64 KiB or one record, to `out`; not after the last one. Errors are
 * final; the caller then closes it: ERR_CORRUPT, ERR_UNAVAILABLE (the store had to grow: begin
 * again).
 */
MUST_USE err node_backup_read(struct node_backup *backup, struct writer *out, bool *out_is_last);
/* Milliseconds until the next piece should be read; 0: at once. */
uint64_t node_backup_delay_ms(const struct node_backup *backup);
/* It has ended, whole if the last piece was read. */
void node_backup_close(struct node_backup *backup);

/* ---- what it is doing ---- */

enum node_role {
    NODE_FOLLOWER,
    NODE_CANDIDATE,
    NODE_LEADER,
    NODE_LEARNER,
};

/* "follower", "candidate", "leader", "learner". */
const char *node_role_name(enum node_role role);

struct node_peer_status {
    node_id id;
    char peer_address[ADDRESS_SIZE_MAX + 1];
    char client_address[ADDRESS_SIZE_MAX + 1]; /* "" while unknown */
    char version[FRAME_VERSION_SIZE_MAX + 1];  /* of its program; "" while unknown */
    bool is_voter;
    bool wants_vote; /* a learner that becomes a voter once it has caught up */
    bool is_connected;
    bool is_active;         /* heard from within an election timeout (leader only) */
    uint64_t match_index;   /* leader only, else 0 */
    uint64_t next_index;    /* leader only, else 0 */
    const char *progress;   /* "probe", "replicate", "snapshot"; "" where not the leader */
    uint64_t round_trip_us; /* 0 while unknown */
    uint64_t queued_bytes;
};

struct node_status {
    uint64_t cluster_id;
    node_id id;
    region_id region;
    enum node_role role;
    node_id leader; /* 0: none known */
    char leader_client_address[ADDRESS_SIZE_MAX + 1];
    char peer_address[ADDRESS_SIZE_MAX + 1];   /* its own; "": it is alone */
    char client_address[ADDRESS_SIZE_MAX + 1]; /* likewise */
    bool is_voter;
    bool wants_vote; /* a learner that becomes a voter once it has caught up */
    bool has_quorum; /* leader: heard from a quorum lately; others: a leader is known and reached */
    bool is_draining;        /* asked to; it may still take requests (node_drain) */
    bool is_joining;         /* not taken in yet, or not durably */
    bool is_removed;         /* was a member; takes no part any more */
    bool is_repairing;       /* takes no part until what its disk has lost is rebuilt */
    uint64_t store_repairs;  /* since it was started */
    uint64_t log_repairs;    /* likewise */
    uint64_t log_mends;      /* places of the log that were mended, likewise */
    bool is_joint;           /* a change of several members is half done */
    bool is_trusted;         /* nothing speaks against its state: it serves (divergence.h) */
    const char *divergence;  /* "none", "disputed", "diverged" */
    uint64_t agreed_index;   /* the last one at which a majority had its state; 0: none yet */
    node_id transfer_target; /* leader: whom it is handing over to; 0: nobody */
    uint64_t term;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t applied_term;
    uint64_t first_index;
    uint64_t last_index;
    uint64_t snapshot_index; /* what the checkpoint covers */
    uint64_t quota_bytes;    /* node_quota_bytes */
    bool is_quota_reached;
    uint64_t idempotency_age_ms; /* by which this node, if it leads, has answers forgotten, */
    uint64_t idempotency_count;  /* and how many of them it lets be */
    bool is_disk_full;           /* its log or its store finds no room */
    uint64_t pending_writes;
    uint64_t pending_reads;
    const struct store_region
        *state;          /* applied state: revision, keys, hash; NULL before the first entry */
    uint32_t peer_count; /* the other members */
    struct node_peer_status peers[MEMBERS_MAX];
};

/* Fills caller's storage with the first region's status as of this turn. */
void node_status(const struct node *node, struct node_status *out_status);

#define NODE_STALENESS_UNKNOWN UINT64_MAX

/* Where this node stands to its leader; what an answer says of itself. */
struct node_standing {
    node_id leader; /* 0: none known */
    uint64_t term;
    uint64_t staleness_ms; /* since it heard from a leader; 0: it leads, and has a quorum */
};

/* Fills caller's storage. Cheap: every answer under /kv asks. */
void node_standing(const struct node *node, struct node_standing *out_standing);
/*
 * Copies where clients reach the leader, NUL-terminated; "" while that is not known. True if it is
 * this node.
 */
bool node_leader_address(const struct node *node, char out_address[ADDRESS_SIZE_MAX + 1]);

/* The revision that every response carries: of the first region, 0 before its first write. */
uint64_t node_revision(const struct node *node);
/* The quota by which the last write was decided, or this node's own if there was none yet; 0: there
 * is none. */
uint64_t node_quota_bytes(const struct node *node);
/* This node leads the first region and a quorum was heard from lately. */
bool node_is_leader(const struct node *node);
/* A leader is known, this node is not draining, nothing speaks against its state, and it has
 * applied all that it knows to be committed, but for a few. */
bool node_is_ready(const struct node *node, const char **out_why_not);

struct history;
/* The last changes of the first region; borrowed until the node is closed. */
struct history *node_history(const struct node *node);
struct watches;
/* Who watches them: likewise. All are closed before the node is. */
struct watches *node_watches(const struct node *node);

struct wal_stats;
/* What log and store count, and the store's file; borrowed until the node is closed. */
const struct wal_stats *node_wal_stats(const struct node *node);
/* As above. */
const struct store_stats *node_store_stats(const struct node *node);
/* As above. */
const char *node_store_path(const struct node *node);

#endif
