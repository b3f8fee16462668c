/*
 * A damaged stretch within one batch of the log, and what may have stood in it. Pure: entries in,
 * bytes out.
 *
 * C1  What follows a hole (the next record, the next segment's header, or the mark) names the CRC
 *     of the hole's last record. That covers its content and its place (F1) and, by the CRC that
 *     it names itself (F2), all that is before it in the hole. So a filling is right exactly if it
 *     ends where the hole does and its last record has that CRC: then it is, byte for byte, what
 *     was there. Whoever has sent it, and what it means, does not matter.
 * C2  What is tried is what one append writes: consecutive entries, perhaps none, and then at most
 *     one hard state.
 * C3  A hard state's term and vote are its neighbours' where these agree: a term never goes back,
 *     and a vote in it is given once. Else either of theirs is tried, and the later term without a
 *     vote. Its commit index is searched for between theirs: two that differ in its low half alone
 *     never have one CRC, which tells all changes within 32 bits.
 */
#ifndef WAL_WAL_HOLE_H
#define WAL_WAL_HOLE_H

#include "base/codec.h"
#include "wal/wal_format.h"

#define WAL_HOLE_ENTRIES_MAX 64u   /* of a hole's range */
#define WAL_HOLE_COMMITS_MAX 4096u /* commit indexes that are tried (C3) */

struct wal_hole {
    uint32_t header_crc; /* of its segment */
    uint64_t offset;     /* of its first record */
    uint64_t end;        /* behind it, with the batch's padding if it is_last */
    uint64_t batch;
    bool is_first;         /* the batch begins with it; it is whole sectors then, if it is_last */
    bool is_last;          /* the batch ends with it */
    uint32_t previous_crc; /* of the record before it */
    uint32_t crc;          /* of its last record (C1) */
    region_id region;
    /* Entries [low, high) may be missing: not more than WAL_HOLE_ENTRIES_MAX. */
    uint64_t low;
    uint64_t high;
    bool begins_at_low; /* its first entry, if it has one, is `low`: else it may be any of them */
    struct hard_state before; /* the last one before it; all zero: none */
    struct hard_state after;  /* the first one behind it, if there is one */
    bool has_after;
};

/*
 * Looks for the filling of `hole` (C1, C2) among `entries`: high - low of them, the one of index
 * low + i at i; where pos.index is 0 it is not known. A hard state alone is looked for only if none
 * is known. If there is one, fills `out`, which is empty, with the bytes from hole->offset to
 * hole->end and returns true; else leaves it empty.
 */
bool wal_hole_fill(const struct wal_hole *hole, const struct entry *entries, struct writer *out);

#endif
