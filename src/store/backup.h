/*
 * A backup: a snapshot (snapshot.h, README.md) in a file, chunk after chunk and nothing else. It is
 * checked as a whole before anything is made of it.
 *
 * U1  A file that is not whole is refused wherever it was cut, and so is one with anything changed
 *     in it or behind it: each chunk has a CRC that depends on all before it, and the last one the
 *     hash of all of them.
 * U2  What is restored are the records, byte for byte, so the state hash is the backup's; the
 *     region's membership and revision are the caller's.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/snapshot_format.h"

/* What a backup is of. */
struct store_backup {
    struct store_region state;
    struct hash128 whole; /* of all chunks: no two backups have the same */
    uint64_t size_bytes;
};

/* ---- checked as it comes ---- */

/* All zero: nothing has come yet. */
struct store_backup_check {
    /*
     * Gets every user's record, in the order of the keys, once the chunk that it stands in is
     * verified; the region's state is in `snapshot.region` by then. Borrowed until it returns.
     * Whether these are all of them only store_backup_finish knows. NULL: not wanted.
     */
    void (*record)(void *ctx, struct slice key, const struct store_record *record);
    void *ctx;
    struct store_snapshot_check snapshot;
    struct writer chunk; /* as far as it is there; at most STORE_SNAPSHOT_CHUNK_MAX */
    size_t chunk_size;   /* 0: its head is not there */
    uint64_t size_bytes;
};

/* Takes the next bytes, cut anyhow. ERR_DAMAGED, ERR_VERSION: final. */
MUST_USE err store_backup_take(struct store_backup_check *check, struct slice bytes);
/* That was all: ERR_DAMAGED unless it is whole (U1). */
MUST_USE err store_backup_finish(const struct store_backup_check *check,
                                 struct store_backup *out_backup);
/* Frees what is held. */
void store_backup_check_deinit(struct store_backup_check *check);

/* ---- files ---- */

/*
 * Reads all of the file at `path` and checks it. Blocks. Errors, with a note: ERR_DAMAGED,
 * ERR_VERSION, ERR_NO_FILE, ERR_PERMISSION, ERR_IO.
 */
MUST_USE err store_backup_read(struct env *env, const char *path, struct store_backup *out_backup,
                               struct err_note *note);

/*
 * Makes a new store in `directory`, which has none, of the records of the backup at `path`; the
 * region's state is `state`: what store_backup_read told, but for membership and revision (U2). One
 * transaction: afterwards all of it is there, durably, or nothing. Blocks. Errors, with a note: as
 * above, and ERR_NO_SPACE, ERR_BUSY.
 */
MUST_USE err store_backup_restore(struct env *env, const char *path, const char *directory,
                                  const struct store_region *state, struct err_note *note);

#endif
