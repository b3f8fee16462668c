/* What the parts of the store share: store.c (life and reads), find.c (a walk over all layers),
 * apply.c (writes), checkpointer.c, install.c (another node's snapshot), scrub.c and mend.c
 * (damage). */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "base/assert.h"
#include "store/census.h"
#include "store/checkpoint.h"
#include "store/scrub.h"
#include "store/snapshot.h"
#include "store/tail.h"

/*
 * I1  A key's newest state is in the first of active, frozen, checkpoint that knows it.
 * I2  is_writing: the worker has the frozen tail and its batch, and the loop only reads the tail
 *     and does not touch the batch; or it has install.incoming.
 * I3  frozen stays until its checkpoint is durable and the reader sees it, failures included.
 * I4  batch and positions describe frozen: the regions as they were when it was frozen (S2).
 * I5  While there is install.incoming, no checkpoint is begun or tried again: the tails are about
 *     to go, and until they do they are the old state.
 * I6  While a piece of the scrub is read, nothing is begun that writes (B1): store_is_busy.
 */
struct store_install {
    struct store_incoming *incoming; /* complete; NULL: nothing is being installed */
    void (*done)(void *ctx, err e);
    void *ctx;
    struct checkpoint_replacement replacement;
    struct writer state; /* the bytes of the replacement's */
    struct env_job job;
    err job_error;
    err unlink_error;
};

/*
 * When something is due. Nothing is before the two floors: so nobody walks again over the
 * tombstones of all that has expired since the last checkpoint.
 */
struct store_due {
    bool is_known; /* the next two; a change of the system's space makes that untrue */
    bool is_any;
    uint64_t next_ms;
    uint64_t expiry_floor_ms; /* of 'E' in system.h */
    uint64_t age_floor_ms;    /* of 'A' */
};

/* A region, and what this node alone keeps of it, in memory. */
struct store_region_home {
    struct store_region region;
    struct store_census *census; /* NULL: nobody has counted */
};

struct store {
    struct store_options options; /* defaults filled in; directory is borrowed at opening only */
    char *directory;
    char *incoming_directory; /* in it: snapshots that come in */
    struct checkpoint *checkpoint;
    struct store_region **regions; /* in increasing order of their ids; each stays in its home */
    size_t region_count;
    struct store_stats stats;

    struct store_tails active;
    bool is_dirty;           /* something was applied since active began, be it without effect */
    uint64_t dirty_since_ms; /* when that was first so */
    uint64_t applied_bytes;  /* of the entries applied since active began */

    struct store_tails frozen;  /* being written, or waiting for its next attempt; or none */
    struct store_tails drained; /* written and being freed, slice by slice; or none */
    struct checkpoint_batch batch;
    struct checkpoint_region *batch_regions; /* batch.region_count of them */
    struct raft_pos *positions;              /* batch.region_count of them: applied, when frozen */
    struct writer states;                    /* the bytes of the batch's states */

    struct writer results; /* of the transaction that was applied last */
    struct store_due due;

    struct env_worker *worker;
    struct env_job job;
    struct store_install install;
    struct store_scrub scrub;
    uint64_t generation; /* of the file: one more with every checkpoint and installed snapshot */
    bool is_wanted;      /* a checkpoint, as soon as nothing is at work */
    uint32_t snapshot_count; /* open ones */
    bool is_writing;
    bool is_closing;
    err job_error; /* of the job that has just run */
    uint64_t job_began_ns;
    err failure; /* of the last attempt; OK: it succeeded, or there was none */
    uint64_t backoff_ms;
    uint64_t retry_at_ms;
};

/* The region as it can be changed, or NULL. */
struct store_region *store_find_region(const struct store *store, region_id region);
/* Adds an empty region, which must not be there. */
struct store_region *store_add_region(struct store *store, region_id region);

/* The region's census, where it is kept; NULL in it: there is none. `region` is one of the
 * store's. */
static inline struct store_census **store_census_of(struct store_region *region)
{
    return &CONTAINER_OF(region, struct store_region_home, region)->census;
}

/* The region's keys: all, as long as a store has one region. */
static inline struct checkpoint_range store_region_range(const struct store *store,
                                                         region_id region)
{
    ASSERT(store->region_count <= 1);
    ASSERT(store->region_count == 0 || store->regions[0]->id == region);
    return (struct checkpoint_range){SLICE_EMPTY, SLICE_EMPTY};
}

/* What a record, sealed, adds to the region's counters and state hash when it comes, and what it
 * takes from them when it goes. */
void store_count_in(struct store_region *region, enum store_space space, struct slice key,
                    const struct store_record *record);
void store_count_out(struct store_region *region, enum store_space space, struct slice key,
                     const struct store_record *record);

/*
 * The newest record of `key` (I1). Its slices are borrowed: from its owner, if it has one (a tail's
 * reference), otherwise from the checkpoint, and then the value is not yet verified.
 * ERR_NOT_FOUND, ERR_CORRUPT.
 */
MUST_USE err store_find_record(struct store *store, enum store_space space, struct slice key,
                               struct store_record *out_record);

/*
 * The first key at or after `from` (SLICE_EMPTY: of all) that has a record, and that record, which
 * is borrowed as above; the key is put into `key_target`, in which `from` may lie. One call passes
 * each tombstone on its way once: whoever deletes what it finds goes on behind it, not at `from`.
 * ERR_NOT_FOUND: there is none; ERR_CORRUPT.
 */
MUST_USE err store_find_next(struct store *store, enum store_space space, struct slice from,
                             uint8_t key_target[STORE_SYSTEM_KEY_SIZE_MAX], struct slice *out_key,
                             struct store_record *out_record);

/* The record of `key` is there and its checksums are not right. */
bool store_is_damaged(struct store *store, enum store_space space, struct slice key);

/* Whether the worker has a job that nothing may be begun beside (I2, I6). */
static inline bool store_is_busy(const struct store *store)
{
    return store->is_writing || store->scrub.is_running;
}

/* Bring the stats' figures of the tails and of the file up to date. */
void store_count_tail(struct store *store);
void store_count_file(struct store *store);

/* The job's two halves; set by store_open. */
void store_job_run(struct env_job *job);
void store_job_done(struct env_job *job);
/* An attempt of either job is over. */
void store_companion_done(struct store *store);
/* Gives back what the checkpointer holds; the worker is closed. */
void store_checkpointer_deinit(struct store *store);
/* Takes tails that nobody reads any more, to be freed slice by slice: there are none at their place
 * afterwards. Accepts none. */
void store_retire_tails(struct store *store, struct store_tails *tails);
/* What both kinds of job leave behind: when the next attempt is, what the log has heard of it. */
void store_attempt_failed(struct store *store, err e);
void store_attempt_succeeded(struct store *store);

/* The other job's two halves; set by store_open. */
void store_install_run(struct env_job *job);
void store_install_done(struct env_job *job);
/* Makes an attempt for install.incoming. Nothing is being written. */
void store_install_attempt(struct store *store);
bool store_is_installing(const struct store *store, region_id region);
/* Takes over what a crash has left complete, removes what it has left incomplete. Blocks. */
MUST_USE err store_install_recover(struct store *store, struct err_note *note);
/* As store_checkpointer_deinit. */
void store_install_deinit(struct store *store);

#endif
