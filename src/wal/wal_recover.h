/*
 * Reads the log back at start-up. The decision table is in README.md.
 *
 * R1  What lies before the mark, before the end that the next segment's header names, or before a
 *     later batch verifies, or the log is refused.
 * R2  What is cut was never reported: a batch is written only once the one before it is durable, so
 *     only the very last one can be torn.
 * R3  What is cut never comes back: its first sector is zeroed, and what may be left of it carries
 *     the number of the next batch at most, which is neither a continuation nor a later batch.
 * R4  Afterwards all that was kept is durable. A batch behind the mark may be in the page cache
 *     only (its fdatasync may have failed): it is written again before it is built upon.
 */
#ifndef WAL_WAL_RECOVER_H
#define WAL_WAL_RECOVER_H

#include "wal/wal_int.h"

/*
 * Fills the segments, the index, the spares and the end of `wal`, whose options are set; makes the
 * first segment in an empty directory. Errors: wal_open's, with a note.
 */
MUST_USE err wal_recover(struct wal *wal, struct err_note *note);

#endif
