/*
 * The swarm: what one seed's cluster is like. Every rate and limit is drawn, so that no two seeds
 * look for the same bugs; half of them are heavy on crashes, since rates that look reasonable find
 * nothing.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"

/* Numbers that hosts can have over one simulation, replacements included. */
#define PLAN_HOSTS_MAX 24u

enum plan_profile {
    PLAN_SWARM,      /* everything, drawn */
    PLAN_QUIET,      /* no faults but stalls below the election timeout: nobody may stand */
    PLAN_CRASH,      /* crashes above all */
    PLAN_NETWORK,    /* partitions, losses, delays */
    PLAN_DISK,       /* torn writes, errors, full disks, rot */
    PLAN_MEMBERSHIP, /* members come and go, leadership moves */
    PLAN_PROFILE_COUNT
};

/* "swarm" and so on; static storage. */
const char *plan_profile_name(enum plan_profile profile);
/* False if there is none of this name. */
bool plan_profile_find(const char *name, enum plan_profile *out_profile);

/* Weights of what the faults' author does next; 0: never in this seed. */
struct plan_weights {
    uint32_t crash;
    uint32_t crash_effect;
    uint32_t crash_all;
    uint32_t stop;
    uint32_t pause;
    uint32_t cut;
    uint32_t clog;
    uint32_t reset;
    uint32_t disk_slow;
    uint32_t disk_stall;
    uint32_t sync_error;
    uint32_t disk_full;
    uint32_t rot;
    uint32_t helix; /* rot of all logs at once */
    uint32_t wipe;
    uint32_t clock_jump;
    uint32_t membership;
    uint32_t transfer;
    uint32_t campaign;
};

/* Likewise, of what the administrator asks for. */
struct plan_changes {
    uint32_t add;
    uint32_t remove;
    uint32_t replace;
    uint32_t role;
};

struct plan {
    enum plan_profile profile;
    bool is_crash_heavy;
    uint64_t duration_ns; /* with faults; the end comes on top */
    uint32_t founder_count;

    /* The nodes' own options. */
    uint32_t heartbeat_ms;
    uint32_t election_timeout_ms;
    uint64_t tail_bytes_max;
    uint64_t checkpoint_age_ms_max;
    uint64_t segment_size_bytes;
    uint64_t entry_cache_bytes_max;
    uint64_t log_keep_bytes_max;
    uint64_t log_keep_entries_max;
    uint64_t log_keep_age_ms_max; /* 0: no bound */
    uint64_t snapshot_rate_bytes; /* 0: no limit */
    uint64_t snapshot_chunk_bytes;
    uint64_t message_bytes_max;
    uint32_t inflight_messages_max;
    uint64_t proposals_bytes_max;
    uint64_t quota_bytes; /* of node 0; every next one has 64 more, so that they differ; 0: none */

    /* The world. */
    uint64_t turn_ns; /* what comes in within it is one turn */
    uint64_t latency_ns;
    uint64_t jitter_ns;
    uint32_t loss; /* per million frames, as the next four */
    uint32_t doubling;
    uint32_t reordering;
    uint32_t corruption;
    uint32_t delaying;
    uint64_t delay_ns_max;
    bool cut_drops; /* a cut link loses frames; otherwise it holds them back, as TCP does */
    uint64_t write_ns;
    uint64_t sync_ns;
    uint32_t clock_ppm_max;
    uint64_t wall_skew_ms_max;

    /* Faults. */
    uint64_t fault_gap_ns;    /* between two, on average */
    uint64_t fault_length_ns; /* of what lasts, on average */
    uint64_t down_ns;         /* from a crash to the restart, on average */
    uint32_t leader_crash;    /* per million elections: who is elected dies before it gets far */
    struct plan_changes changes;
    uint32_t change_by_request; /* per million changes: any node is asked, as operators do */
    bool is_admin_hasty;        /* asks for changes on end (admin.h) */
    uint32_t change_at_once; /* then: per million elections, who is elected is asked for changes */
    uint32_t change_cut;     /* and per million requests, who is asked is cut off soon */
    struct plan_weights weights;

    /* Clients. */
    uint32_t client_count;
    uint64_t think_ns; /* between two operations, on average */
    uint64_t timeout_ms;
    uint32_t key_count;
    uint32_t put_share; /* per million operations */
    uint32_t delete_share;
    uint32_t stale_share;
    uint32_t value_size_max;
    uint32_t burst;              /* operations at a time */
    uint32_t conditional_share;  /* per million PUTs: those that ask for a revision */
    uint32_t txn_share;          /* per million operations: those of txn_clients.h */
    uint64_t ttl_ms_max;         /* of what those put */
    uint64_t idempotency_count;  /* answers that are remembered, */
    uint64_t idempotency_age_ms; /* and how long */

    /* Who reads the past (watchers.h, listers.h), and how much of it nodes keep. */
    uint32_t watcher_count;
    uint32_t lister_count;
    uint32_t watch_cut;  /* per million changes that a watcher is told: it is cut off there */
    uint32_t watch_slow; /* likewise: it does not read on for a while, */
    uint64_t watch_pause_ns_max;
    uint64_t history_revisions_max;
    uint64_t history_bytes_max;
    uint64_t history_age_ms_max;
};

/* Draws a plan; the same seed, the same plan. */
void plan_draw(struct plan *plan, enum plan_profile profile, struct prng *prng);
/* ... what is about the past, by a stream of its own. */
void plan_draw_past(struct plan *plan, struct prng *prng);

#endif
