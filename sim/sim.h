/*
 * One simulated cluster: hosts with disks and clocks, a network between them, clients, faults, an
 * administrator, and a checker that looks after every turn. README.md has the picture.
 *
 * Exactly one simulation runs in a process, on one thread: LMDB's system calls, asserts and fatal
 * have no context to be handed, so they find it by sim_current().
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "proto/conf.h"
#include "sim/disk.h"
#include "sim/plan.h"
#include "sim/world.h"

struct sim;
struct host;
struct network;
struct clients;
struct checker;
struct faults;
struct admin;

/* What is counted over a campaign; faults first, each of which has to happen in a CI run. */
#define SIM_COUNT_LIST(X)                                                                          \
    X(UNIT_LOST, "frames lost")                                                                    \
    X(UNIT_DELAYED, "frames delayed")                                                              \
    X(UNIT_DOUBLED, "frames doubled")                                                              \
    X(UNIT_REORDERED, "frames reordered")                                                          \
    X(UNIT_CORRUPTED, "frames corrupted")                                                          \
    X(UNIT_SPLIT, "frames split")                                                                  \
    X(LINK_CLOGGED, "links clogged")                                                               \
    X(CUT_ONE_WAY, "one-way cuts")                                                                 \
    X(CUT_SPLIT, "symmetric partitions")                                                           \
    X(CUT_ISOLATED, "nodes isolated")                                                              \
    X(CUT_BRIDGE, "bridge partitions")                                                             \
    X(CUT_RING, "ring partitions")                                                                 \
    X(CONNECTION_RESET, "connections reset")                                                       \
    X(CRASH_PROCESS, "processes killed")                                                           \
    X(CRASH_POWER, "power cuts")                                                                   \
    X(CRASH_AT_EFFECT, "crashes between two effects")                                              \
    X(CRASH_ALL, "power cuts of all nodes")                                                        \
    X(STOP_CLEAN, "clean restarts")                                                                \
    X(RESTART, "restarts")                                                                         \
    X(PAUSE, "pauses")                                                                             \
    X(DISK_SLOW, "slow disks")                                                                     \
    X(DISK_STALLED, "stalled disks")                                                               \
    X(SECTORS_LOST, "unsynced sectors lost")                                                       \
    X(CRASH_TORN, "crashes with torn or mixed writes")                                             \
    X(SYNC_ERROR, "sync errors")                                                                   \
    X(DISK_FULL, "files that could not grow on a full disk")                                       \
    X(ROT_LOG, "bits rotten in a log")                                                             \
    X(ROT_CHECKPOINT, "bits rotten in a checkpoint")                                               \
    X(ROT_FOUND, "starts that found rot in their log")                                             \
    X(ROT_STORE, "checkpoints spoilt as a whole")                                                  \
    X(REPAIRED, "nodes that repaired themselves")                                                  \
    X(LOG_REPAIRED, "logs begun anew in place of rotten ones")                                     \
    X(ROT_HELIX, "records damaged, each on one of all three members")                              \
    X(LOG_MENDED, "rotten logs mended in place")                                                   \
    X(WIPE, "disks wiped")                                                                         \
    X(CLOCK_SKEWED, "skewed clocks")                                                               \
    X(CLOCK_JUMP, "clock jumps")                                                                   \
    X(MEMBER_ADDED, "members added")                                                               \
    X(MEMBER_REMOVED, "members removed")                                                           \
    X(MEMBER_REPLACED, "members replaced in a joint step")                                         \
    X(MEMBER_ROLE, "promotions and demotions")                                                     \
    X(REQUEST, "membership requests carried out by whoever leads")                                 \
    X(TRANSFER, "leadership transfers")                                                            \
    X(CAMPAIGN, "campaigns by request")                                                            \
    X(FORGET_LEADER, "leaders forgotten by request")                                               \
    X(LOG_COMPACTED, "logs compacted")                                                             \
    X(SEGMENT_BEGUN, "log segments begun")                                                         \
    X(CHECKPOINT, "checkpoints")                                                                   \
    X(SNAPSHOT_INSTALLED, "snapshots installed")                                                   \
    X(SNAPSHOT_RESUMED, "snapshots gone on with in the middle")                                    \
    X(QUOTA_REFUSED, "writes refused by a quota")                                                  \
    X(STALL_HANDOVER, "leads handed over for a stalled disk")                                      \
    X(WATCH_CUT, "watchers cut off")                                                               \
    X(WATCH_CUT_WITHIN, "watchers cut off between two changes of a revision")                      \
    X(WATCH_OVERRUN, "watchers that read too slowly")                                              \
    X(WATCH_GONE, "watchers that came back too late")                                              \
    X(LIST_GONE, "cursors that came back too late")                                                \
    /* Not faults: what went on. */                                                                \
    X(NEEDLESS_ELECTION, "elections in a quiet cluster")                                           \
    X(ELECTION, "elections")                                                                       \
    X(APPLIED, "entries applied")                                                                  \
    X(WRITE_OK, "writes acknowledged")                                                             \
    X(WRITE_REFUSED, "writes refused")                                                             \
    X(WRITE_NO_SPACE, "of them for want of space")                                                 \
    X(WRITE_UNKNOWN, "writes of unknown outcome")                                                  \
    X(READ_OK, "reads answered")                                                                   \
    X(READ_FAILED, "reads refused")                                                                \
    X(TXN_OK, "transactions carried out")                                                          \
    X(TXN_REFUSED, "transactions refused for what they met")                                       \
    X(TXN_UNKNOWN, "transactions of unknown outcome")                                              \
    X(TXN_REPLAYED, "of them answered again")                                                      \
    X(TXN_RANGE, "keys that went with a range")                                                    \
    X(TXN_ELSE, "alternatives carried out")                                                        \
    X(WATCH_TOLD, "changes told to watchers")                                                      \
    X(WATCH_RESUMED, "watches gone on with at a node")                                             \
    X(ELECTION_TOLD, "leaders told to who watches their election")                                 \
    X(LIST_WHOLE, "lists read to their end")                                                       \
    X(PAGE_PAST, "pages of a revision that was past")                                              \
    X(FATAL_STOP, "nodes stopped by themselves")                                                   \
    X(EVENT, "events")

#define SIM_COUNT_MEMBER(name, text) SIM_##name,
enum sim_count {
    SIM_COUNT_LIST(SIM_COUNT_MEMBER) SIM_COUNT_COUNT
};
#undef SIM_COUNT_MEMBER
#define SIM_FAULTS_END SIM_NEEDLESS_ELECTION

/* In words. Static storage. */
const char *sim_count_text(enum sim_count count);

struct sim {
    struct world *world;
    struct plan plan;
    struct network *network;
    struct host *hosts[PLAN_HOSTS_MAX + 1]; /* by number, from 1 on; NULL behind the last */
    uint32_t host_count;
    struct clients *clients;
    struct checker *checker;
    struct faults *faults;
    struct admin *admin;
    bool is_calm;              /* no fault begins any more: the end, when liveness is asked for */
    uint64_t simulated_ns_max; /* as it was asked for (sim_options) */
    uint64_t counts[SIM_COUNT_COUNT];
    FILE *out; /* where a failure is told */
};

static inline void sim_count(struct sim *sim, enum sim_count count, uint64_t by)
{
    sim->counts[count] += by;
}

/* The simulation of this process, NULL before and after it. */
struct sim *sim_current(void);

/* How one seed ended. */
struct sim_result {
    uint64_t simulated_ns;
    uint64_t trace_hash;
    uint64_t operations; /* of the clients' history, checked */
    uint64_t counts[SIM_COUNT_COUNT];
};

struct sim_options {
    uint64_t seed;
    enum plan_profile profile;
    uint64_t simulated_ns_max; /* 0: as the plan draws it */
    bool is_traced;
    FILE *out;
};

/* Runs one simulation to its end; a broken invariant ends the process (sim_fail). */
void sim_run(const struct sim_options *options, struct sim_result *out_result);

#define SIM_FAILED_STATUS 3

/* What this program was built from; "+" at its end: and from changes to that. */
extern const char sim_commit[];

/* "FAILED: " and the line that shows it again; `out` may be another than the run's own. */
void sim_tell_seed(FILE *out, const struct sim_options *options, bool is_verified);
/*
 * A broken invariant: tells which, the line that shows it again and each node's last events, and
 * ends the process with SIM_FAILED_STATUS.
 */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
