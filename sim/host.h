/*
 * A host: a machine with a disk, a clock and a node that lives, dies and is started again on it.
 *
 * H1  A life is one `struct env`. When it ends by a crash nothing of it runs any more, no clean-up
 *     either; its memory goes with the process that runs the simulation (one seed, one process).
 * H2  Node code runs only through env_sim_call, which is left early when the node dies inside: by
 *     fatal, or by a crash between two effects.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "base/log.h"
#include "node/node.h"
#include "proto/membership.h"
#include "sim/sim.h"

enum env_end {
    ENV_RUNS,
    ENV_FATAL,   /* the node stopped itself */
    ENV_CRASHED, /* a crash came before an effect */
};

enum host_state {
    HOST_DOWN, /* will be started again */
    HOST_RUNNING,
    HOST_REFUSES, /* its data is damaged, and it said so: it has to be replaced */
    HOST_GONE,    /* never comes back: wiped, or removed from the cluster */
};

#define HOST_LOG_LINES 12u
#define HOST_LOG_LINE_SIZE 240u

struct host {
    struct sim *sim;
    uint32_t number; /* and node id */
    enum host_state state;
    struct disk *disk;
    struct prng chance;
    struct env *env; /* of the present life; NULL: it has none */
    struct log *log;
    struct node *node; /* NULL: not (yet) open */
    uint64_t lives;
    bool is_joining; /* was not among the first members */
    uint64_t cluster_id;
    struct member members[MEMBERS_MAX]; /* whom it is told to dial, from start to start */
    uint32_t member_count;
    char address[32];
    char directory[16];

    /* The clock: local = true * (1e6 + ppm) / 1e6 + offset. */
    int32_t clock_ppm;
    uint64_t clock_offset_ns;
    int64_t wall_skew_ms;

    /* The disk's moods. */
    uint64_t slow_until_ns;
    uint32_t slow_factor;
    uint64_t stalled_until_ns;  /* syncs end only then */
    uint32_t syncs_until_error; /* 0: none is going to fail */
    bool has_sync_failed;       /* in this life: the node has to stop */
    uint64_t sync_failed_ns;    /* when */
    bool is_full;
    bool was_refused;    /* in this life: a write, for want of space; it may fail to start */
    bool is_rotten;      /* bits were flipped on it: it may refuse to start, or stop */
    bool is_log_rotten;  /* is_rotten, and only for its log */
    bool is_holed;       /* is_log_rotten, and others have all that was spoilt */
    bool is_mending;     /* its checkpoint was spoilt: it has to rebuild that from the others */
    uint64_t mends_from; /* then: where its log begins, so what the others have to have */

    struct world_event restart;
    struct world_event closing; /* it has drained */
    struct node_drain drain;
    bool is_stopping;
    char last_words[ERR_NOTE_SIZE]; /* why the last life ended by itself, or did not begin */
    char log_lines[HOST_LOG_LINES][HOST_LOG_LINE_SIZE]; /* a ring of what the node logged */
    uint64_t log_line_count;
};

/* A host with an empty disk, down. Lives as long as the simulation. */
struct host *host_new(struct sim *sim, uint32_t number);

/* Begins a life: opens the node with the host's data. */
void host_start(struct host *host);
/* ... after `delay_ns`. */
void host_start_later(struct host *host, uint64_t delay_ns);

/* Ends the life at once; the disk keeps what `kind` says. */
void host_crash(struct host *host, enum disk_crash kind);
/* ... by itself: its code was left early (H2). */
void host_life_ended(struct host *host, enum env_end end);
/* SIGTERM: begins to drain; once that is over it closes, syncs and ends. */
void host_stop(struct host *host);
/* SIGSTOP until `until_ns`. */
void host_pause(struct host *host, uint64_t until_ns);
/* It never comes back. */
void host_retire(struct host *host);

static inline bool host_is_up(const struct host *host)
{
    return host != NULL && host->state == HOST_RUNNING && host->node != NULL;
}

/* After a turn: a node whose checkpoint was spoilt may have a core again. */
void host_look_at_repair(struct host *host);

/* The node's core, for looking into; NULL: it has none yet. */
struct raft *host_raft(const struct host *host);
/* Its replica of the first region; NULL as above. */
struct replica *host_replica(const struct host *host);

#endif
