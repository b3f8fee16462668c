/*
 * Mends a damaged log in place, record by record, out of entries that others have
 * (docs/adr/0028): afterwards it is byte for byte what it was, and wal_open opens it as if nothing
 * had been. The walk is that of recovery, but goes on behind damage: inside a batch each record
 * verifies alone (F1), so between two that do lies a hole (wal_hole.h).
 *
 * N1  Nothing is written but what is certainly what had been there (C1).
 * N2  What is not whole is mended, or nothing is believed to be: a header, a missing or shortened
 *     file, a hole that spans batches, a record that is whole in the wrong place, a hole that no
 *     entry can fill, too many of them. Then it says so, and the log is as damaged as before.
 * N3  What may be torn is no hole: recovery cuts it, as ever.
 * N4  A failed write ends the process (W2). What is written here is durable only once the log is
 *     opened: wal_start writes it again and syncs it (wal_redo.h), also after a crash in between.
 *
 * All calls block; nobody has the log open.
 */
#ifndef WAL_WAL_MEND_H
#define WAL_WAL_MEND_H

#include "wal/wal.h"

#define WAL_MEND_HOLES_MAX 4096u

struct wal_mend;

/* A hole that is left, and the entries [low, high) that may be missing in it. */
struct wal_mend_gap {
    uint32_t number;
    uint64_t segment;
    uint64_t offset;
    uint64_t low;
    uint64_t high; /* above low, by WAL_HOLE_ENTRIES_MAX at most */
};

/*
 * Looks through the damaged log in options->directory for its holes, all of them in records of
 * `region`, and fills those that take no entry. Caller closes. Afterwards wal_mend_left tells how
 * many need entries; with 0 the log is whole already.
 *
 * Errors, with a note: ERR_UNAVAILABLE: it cannot be mended so (N2); what wal_open would say of it
 * that is not a matter of damage; those of wal_redo_note.
 */
MUST_USE err wal_mend_open(struct wal_mend **out_mend, const struct wal_options *options,
                           region_id region, struct err_note *note);
void wal_mend_close(struct wal_mend *mend); /* NULL: no-op */

/* How many holes are left. */
uint32_t wal_mend_left(const struct wal_mend *mend);
/* How many there were. */
uint32_t wal_mend_count(const struct wal_mend *mend);
/* The first one left with a number of at least `number`. False: there is none. */
bool wal_mend_next(const struct wal_mend *mend, uint32_t number, struct wal_mend_gap *out_gap);

/*
 * Somebody has `entries`, in any order, for hole `number`. Shares their data as long as they may be
 * of use, in place of what was told before of the same indexes. Whether the hole is filled now;
 * with the last one the log is whole (N4).
 */
bool wal_mend_offer(struct wal_mend *mend, uint32_t number, const struct entry *entries,
                    uint32_t count);

/*
 * Fills `out_entries` with those of [low, high) that are whole here: one, and more while their
 * sizes sum to at most `size_max`; the newest where there were several of an index. Caller unrefs
 * their data. Returns how many; room for high - low.
 */
uint32_t wal_mend_read(const struct wal_mend *mend, const struct wal_range *range,
                       struct entry *out_entries);

#endif
