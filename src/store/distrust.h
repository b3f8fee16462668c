/*
 * A checkpoint that is not to be trusted any more: what says so, and how it makes room for a new
 * one.
 *
 * D1  The mark stands beside the data file, durably, before the process goes on or ends: from then
 *     on store_open refuses. Whoever finds damage while the store is open leaves it.
 * D2  Setting aside renames the data file, then removes the mark. A crash in between is harmless:
 *     the mark without a file it speaks of only lets the next start do it again.
 * D3  One is kept, for people, the newest: it may be as large as the store. What had come in of a
 *     snapshot stays: it has checksums of its own.
 */
#ifndef STORE_DISTRUST_H
#define STORE_DISTRUST_H

#include "env/env.h"

/* In the store's directory: the mark, and what was set aside. */
#define STORE_DISTRUST_NAME "distrusted"
#define STORE_ASIDE_NAME "damaged.mdb"

/*
 * Marks the store in `directory`, saying why. On any thread, also while the store is open; blocks.
 * ERR_NO_SPACE, ERR_PERMISSION, ERR_IO.
 */
MUST_USE err store_distrust(struct env *env, const char *directory, const char *why);

/* Damage that leaves nothing to go on with: marks the store, says so, and ends the process. */
_Noreturn void store_end_damaged(struct env *env, const char *directory, const char *what);

/* OK: there is no mark. ERR_DAMAGED: there is, and the note says why. Errors of env_file_open. */
MUST_USE err store_check_trust(struct env *env, const char *directory, struct err_note *note);

/* Makes room for a new data file (D2, D3). Nobody has the store open. Errors with a note: of
 * env_rename, env_unlink, env_dir_sync. */
MUST_USE err store_set_aside(struct env *env, const char *directory, struct err_note *note);

#endif
