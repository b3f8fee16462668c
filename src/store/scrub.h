/*
 * The scrub: a walk over the whole checkpoint that never ends, to find damage before somebody needs
 * what is damaged. It sees what a read would see: what the page cache still has is not read from
 * the disk again.
 *
 * B1  A piece at a time, on the checkpointer's thread, in a transaction of its own: nothing is
 *     pinned in between. While one is under way no write begins and the map does not move (P3); it
 *     is small, so that is short.
 * B2  At most scrub_rate bytes a second, and one pass every SCRUB_PERIOD_MS.
 * B3  Every record, the users' first, then the system's: its checksums, its order, and whether a
 *     look-up of its key leads to it. A pass that saw one state from its beginning to its end also
 *     compares number, sizes and hash of all records with what the regions' states say. (Any
 *     checkpoint in between makes that impossible, and so does a record whose head is damaged: one
 *     whose value is counts by its head.) A damaged one of the system's is nobody's to mend: with
 *     it the store is not what it was.
 * B4  Until the first such comparison the store is not proven: it goes without the rate, and again
 *     without the pause. What was damaged while the node was down is found at its start, before
 *     anybody is told that a key is not there.
 */
#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

#include "env/env.h"
#include "store/checkpoint.h"
#include "store/snapshot_format.h"

#define SCRUB_PERIOD_MS 60000u
#define SCRUB_RETRY_MS 1000u /* after a pass with damage, until it is proven */
#define SCRUB_PIECE_SIZE (256u << 10)
#define SCRUB_FINDINGS_MAX 16u /* in one piece, which ends with the last one */

struct store_scrub_finding {
    enum store_space space;
    uint8_t key[STORE_SYSTEM_KEY_SIZE_MAX];
    uint16_t key_size;
    uint64_t revision; /* of its last change; 0: its head is damaged, too */
};

/* All zero, but for its job's callbacks, before the first piece. */
struct store_scrub {
    /* The loop's: */
    bool is_running;
    uint64_t due_ms;     /* when the next piece is */
    uint64_t begun_ms;   /* this pass */
    uint64_t generation; /* of the store, when the pass began */
    bool is_proven;      /* B4 */
    /* The job's while it runs, the loop's otherwise: */
    struct env_job job;
    enum store_space space;                  /* in which the next piece is */
    uint8_t from[STORE_SYSTEM_KEY_SIZE_MAX]; /* its first key is behind it, or it itself */
    uint16_t from_size;                      /* 0: at the space's beginning */
    bool is_from_done;
    bool is_end;       /* of the space */
    err error;         /* ERR_CORRUPT: a page cannot be read */
    const char *fault; /* of the file as a whole; NULL: none */
    uint64_t records;  /* of the piece */
    uint64_t bytes;
    bool is_sum_useless; /* of the pass: something could not be counted, or was counted twice */
    uint32_t finding_count;
    struct store_scrub_finding findings[SCRUB_FINDINGS_MAX];
    struct store_snapshot_sums sums; /* of the pass */
};

struct store;

/* Begins a piece if it is time. Nothing is being written. */
void store_scrub_turn(struct store *store);
/* The job's two halves; set by store_open. */
void store_scrub_run(struct env_job *job);
void store_scrub_done(struct env_job *job);

#endif
