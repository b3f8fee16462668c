/*
 * Reads the log back at start-up, as wal_replay.h does (R1, R2), and makes good what it found.
 *
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
