/*
 * What the checker remembers, for its own files.
 */
#ifndef SIM_CHECKER_INT_H
#define SIM_CHECKER_INT_H

#include "raft/raft.h"
#include "sim/checker.h"
#include "sim/txn_model.h"

/* One entry that some node logged at an index. */
struct version {
    struct version *next; /* of another term */
    uint64_t term;
    uint64_t hash;
    uint64_t before; /* term of the entry before it; UINT64_MAX: not known yet */
    bool is_change;  /* of the members */
};

struct slot {
    struct version *versions;
    uint64_t committed_term; /* of the entry; 0: not committed yet */
    uint64_t committed_in;   /* the term in which it was first seen committed */
    bool is_applied;
    bool existed;     /* what a DELETE was to delete */
    uint64_t request; /* of a PUT; 0: it is none */
    uint64_t state;   /* hash_of(…) after it */
    uint64_t revision;
    struct buf *data; /* of a DELETE; NULL: it is none */
};

struct request {
    uint64_t index; /* where it was applied; 0: nowhere yet */
    uint64_t revision;
    bool is_refused;
    err refusal;
};

/* What a life has shown so far. */
struct life {
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t last;           /* index in its log */
    node_id transfer_target; /* of a leader; 0: it is not handing over */
    uint32_t transfer_ticks; /* how much of its time that has taken */
    struct conf_state conf;  /* of a leader */
    uint64_t batch;          /* which its log's disk has, or is to take; 0: none */
    uint64_t batch_tick;     /* the node's tick when that began */
    uint64_t idle_tick;      /* since when a leader should hand over for it, and does not; 0: not */
    bool is_leader;
    bool is_candidate;
    bool is_recovered; /* its core has been looked at */
};

/* What a node has vouched for, over all its lives. */
struct promise {
    struct raft_pos entry; /* term 0: not known */
    uint64_t term;
};

/* Entries from `first` on, which are durable when the log is up to `ticket`. */
struct append {
    uint64_t ticket;
    uint64_t first;
};

/* What was not durable yet when the checker last looked, in its order. */
struct appends {
    struct append *items;
    size_t count;
    size_t capacity;
};

/* A growing array of words by number. */
struct words {
    uint64_t *items;
    size_t count;
};

struct checker {
    struct sim *sim;
    struct words leaders; /* by term */
    struct words votes[PLAN_HOSTS_MAX + 1];
    struct life lives[PLAN_HOSTS_MAX + 1];
    struct promise promises[PLAN_HOSTS_MAX + 1];
    struct appends appends[PLAN_HOSTS_MAX + 1];
    struct slot *slots; /* by index */
    size_t slot_count;
    uint64_t committed;
    struct request *requests; /* by number */
    size_t request_count;
    size_t request_capacity;
    uint64_t elections;
    struct txn_model *model;
    uint64_t modelled;   /* index of the last entry that it has taken */
    struct writer state; /* hash_of's, kept for its memory */
};

/* What is known of an index. */
struct slot *checker_slot(struct checker *checker, uint64_t index);
/* The entry of this term that was logged there; NULL: none was. */
struct version *checker_version(const struct slot *slot, uint64_t term);

/* ---- K10, checker_leader.c ---- */

/* Whether the entry changes the members. */
bool checker_is_change(const struct entry *entry);
/* A leader's commit index has grown in this turn. */
void checker_check_commit(struct checker *checker, const struct host *host, const struct raft *raft,
                          const struct life *life);
/* The node leads after this turn. */
void checker_check_leader(struct checker *checker, const struct host *host, const struct raft *raft,
                          const struct life *life);
/* The node logs `entry`, which it may have proposed itself. */
void checker_check_change(struct checker *checker, const struct host *host,
                          const struct entry *entry);
/* The node has begun to stand in this turn. */
void checker_check_candidate(struct checker *checker, const struct host *host,
                             const struct raft *raft);

/* ---- K11, checker_stall.c ---- */

/* After each turn of a node, before `life` is brought up to date. */
void checker_check_stall(struct checker *checker, const struct host *host, const struct raft *raft,
                         struct life *life);

#endif
