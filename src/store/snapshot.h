/*
 * A region's state, out of one node's store and into another's, in chunks. Format: README.md.
 *
 * N1  A snapshot is one consistent state: the records and the region's state (position, membership,
 *     revision, clock, counters, state hash) come from one read transaction.
 * N2  Nothing is sent on, and nothing is taken in, that was not verified: each record by its own
 *     CRCs, each chunk by a CRC that depends on all before it, the whole by a hash of all chunks,
 *     and by the counters and the state hash, which both sides work out anew.
 * N3  What comes in is staged in a file of its own. Complete, it is durable: a redo log. Taking it
 *     in is one LMDB transaction. So a crash at any instant leaves the old state or the new one:
 *     store_open takes in what is complete and ahead of the store, and removes everything else.
 * N4  Memory is bounded by the largest record, whatever the size of the state.
 * N5  What comes from another node or from the staged file never reaches an assert.
 *
 * All on the loop thread, which store_incoming_write holds up for the writing and, every few MiB,
 * the syncing of what came in (E2): a node that takes in a snapshot has nothing better to serve.
 * There is one region per store as yet: its range is every key there is.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/codec.h"
#include "base/limits.h"
#include "store/store.h"

/* ---- out ---- */

/*
 * Open at one time. Each pins the pages of its state (the file grows by what is rewritten
 * meanwhile): whoever opens one also bounds its age, and closes it when it is too old. What a map
 * that has to grow does to it: P6 in checkpoint.h.
 */
#define STORE_SNAPSHOTS_MAX 3u

/* No chunk is larger: it holds one record at least. */
#define STORE_SNAPSHOT_CHUNK_MAX (VALUE_SIZE_CEILING + 1024u)

_Static_assert(STORE_SNAPSHOT_CHUNK_MAX < FRAME_SIZE_MAX - 1024u, "a frame carries a chunk");

struct store_snapshot;

/*
 * Opens the region's state as of its last durable checkpoint, which store_region(…)->checkpoint may
 * be about to show. Caller closes, before the store. ERR_UNAVAILABLE: nothing of the region is
 * checkpointed yet, or STORE_SNAPSHOTS_MAX are open. ERR_CORRUPT.
 */
MUST_USE err store_snapshot_open(struct store *store, region_id region,
                                 struct store_snapshot **out_snapshot);
void store_snapshot_close(struct store_snapshot *snapshot); /* NULL: no-op */

/* The position of its state. */
struct raft_pos store_snapshot_pos(const struct store_snapshot *snapshot);
/* Borrowed while it is open. */
const struct membership *store_snapshot_membership(const struct store_snapshot *snapshot);
/* All of its region's state, membership included. Borrowed while it is open. */
const struct store_region *store_snapshot_state(const struct store_snapshot *snapshot);

/*
 * Appends the next chunk to `out`: about `size_max` bytes, more where a record is larger, at most
 * STORE_SNAPSHOT_CHUNK_MAX. Not to be called after the last one.
 *
 * Errors are final, and `out` is as it was: ERR_CORRUPT (a record is damaged, or the records are
 * not those that the region's state counts), ERR_UNAVAILABLE (it was cut off, P6: open another).
 */
MUST_USE err store_snapshot_read(struct store_snapshot *snapshot, size_t size_max,
                                 struct writer *out, bool *out_is_last);

/* ---- in ---- */

struct store_incoming;

/*
 * Begins to stage the snapshot of `region` at `pos`. Caller closes, or gives it to store_install.
 * With a note: ERR_EXISTS (this very one is coming in already), ERR_NO_SPACE, ERR_PERMISSION,
 * ERR_IO.
 */
MUST_USE err store_incoming_begin(struct store *store, region_id region, struct raft_pos pos,
                                  struct store_incoming **out_incoming, struct err_note *note);

/*
 * Takes the next chunk, whole and unchanged. After the last one it is complete and durable.
 *
 * Errors are final, but for a chunk after the last one: ERR_DAMAGED (flipped, missing, doubled, out
 * of order, of another region or position, cut), ERR_VERSION (of a newer pontoon), ERR_NO_SPACE. A
 * device that does not take writes ends the process.
 */
MUST_USE err store_incoming_write(struct store_incoming *incoming, struct slice chunk,
                                  bool is_last);
bool store_incoming_is_complete(const struct store_incoming *incoming);
/* Borrowed while it lives; it is complete. */
const struct membership *store_incoming_membership(const struct store_incoming *incoming);

/* A complete one stays for the next store_open (N3), any other is removed. NULL: no-op. */
void store_incoming_close(struct store_incoming *incoming);
/* Removes even a complete one, durably: the core did not want it. NULL: no-op. */
void store_incoming_discard(struct store_incoming *incoming);

/*
 * Takes over a complete one, which is ahead of what the region has applied: in one LMDB transaction
 * on the checkpointer's worker, after a checkpoint under way, every record and the state of the
 * region are replaced; then the tails are dropped and the file is removed. One at a time. Until
 * `done` nothing may be applied to the region (asserted), reads serve the old state, and no
 * checkpoint begins. A full disk: tried again as checkpoints are.
 *
 * done(ctx, OK): store_region(…)->applied and ->checkpoint are the snapshot's. Anything else: the
 * staged file could not be read back, is removed, and the store is as it was. Always later, never
 * after store_close: what that interrupts is taken in by the next store_open.
 */
void store_install(struct store *store, struct store_incoming *incoming,
                   void (*done)(void *ctx, err e), void *ctx);

#endif
