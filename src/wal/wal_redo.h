/*
 * Which places of the log are being mended (wal_mend.h), noted durably before the first of them is
 * written. What was written there and not synced can be read after the process has died, and what a
 * sync has failed for even after the next one has not: it would count as whole, and be damaged
 * again after a power cut. So a start that finds the note writes those places once more, as they
 * are, syncs them, and removes it. Whether they are whole, recovery tells afterwards.
 *
 *     redo    PONTREDO, format version 4 at 8, count 4 at 12; from 16 on, of each place: segment 8,
 *             offset 8, size 8; then the CRC32C of all that 4
 *
 * Blocks.
 */
#ifndef WAL_WAL_REDO_H
#define WAL_WAL_REDO_H

#include "env/env.h"

#define WAL_REDO_NAME "redo"

struct wal_redo_place {
    uint64_t segment;
    uint64_t offset;
    uint64_t size;
};

/* Makes the note in the log's `directory`, durably. Errors of env_file_* and env_dir_sync, with a
 * note. */
MUST_USE err wal_redo_note(struct env *env, const char *directory,
                           const struct wal_redo_place *places, uint32_t count,
                           struct err_note *note);

/*
 * Does what a note says, if there is one, and removes it. One that is not whole was never durable,
 * so nothing was written after it: it is removed. A segment that is not there, or ends before, is
 * recovery's concern. Errors with a note: of env_file_*, env_dir_sync.
 */
MUST_USE err wal_redo(struct env *env, const char *directory, struct err_note *note);

/* What it told of is durable: removes the note, durably. Errors of env_unlink, env_dir_sync. */
MUST_USE err wal_redo_forget(struct env *env, const char *directory);

#endif
