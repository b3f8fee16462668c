/* What the parts of the checkpoint share: checkpoint.c, and its _read.c, _snapshot.c, _walk.c. */
#ifndef STORE_CHECKPOINT_INT_H
#define STORE_CHECKPOINT_INT_H

#include <lmdb.h>

#include "base/list.h"
#include "store/checkpoint.h"

#define CHECKPOINT_REGION_PREFIX "region/"
#define CHECKPOINT_REGION_PREFIX_SIZE (sizeof(CHECKPOINT_REGION_PREFIX) - 1)
#define CHECKPOINT_REGION_KEY_SIZE (CHECKPOINT_REGION_PREFIX_SIZE + 8)

/* What a transaction needs beside its records: free list, branches, names. */
#define CHECKPOINT_NEED_SLACK (1u << 20)

struct checkpoint {
    struct env *env;
    char *directory;
    char *path; /* of the data file */
    bool is_read_only;
    struct env_lock *lock; /* NULL: read-only */
    struct env_file
        *file; /* the data file too: for its size, P4, and the question whether it can grow */
    MDB_env *mdb;
    MDB_txn *reader;                  /* always active, but while the map is resized */
    MDB_cursor *places[STORE_SPACES]; /* of store_checkpoint_seek, in the reader; or NULL */
    MDB_dbi spaces[STORE_SPACES];     /* key: record */
    bool has_system;     /* false: read-only, and the file is older than the space: it is empty */
    MDB_dbi meta;        /* the format; region id: state */
    struct list readers; /* struct checkpoint_reader: those that are not cut off */
    uint64_t page_size;
    uint64_t leaf_pages[STORE_SPACES]; /* as of the last refresh */
    struct checkpoint_figures figures;
};

/* LMDB does not write through the pointers it is given. */
static inline MDB_val val_of(struct slice bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

static inline struct slice slice_of(MDB_val val)
{
    return (struct slice){val.mv_data, val.mv_size};
}

/* Ends the process over LMDB's code `status` while doing `what`. */
_Noreturn void store_checkpoint_die(const struct checkpoint *checkpoint, const char *what,
                                    int status);

/* Renews the reader, and what is open in it. */
void store_checkpoint_reader_renew(struct checkpoint *checkpoint);

/*
 * The loop's reader has met a damaged page: such a transaction answers nothing more, so there is a
 * new one for the other keys. Returns ERR_CORRUPT.
 */
MUST_USE err store_checkpoint_read_failed(struct checkpoint *checkpoint);

/* The key in `meta`, written into `key`, which has CHECKPOINT_REGION_KEY_SIZE bytes. */
struct slice store_checkpoint_region_key(region_id region, uint8_t *key);

/* Makes the map large enough for a transaction that adds `need` bytes to the file. P3. */
void store_checkpoint_map_fit(struct checkpoint *checkpoint, uint64_t need);

/* What LMDB's code means for a write that needs so much: an error of store_checkpoint_write. */
MUST_USE err store_checkpoint_write_failed(struct checkpoint *checkpoint, uint64_t need,
                                           int status);

/* Ends the read transactions of all readers: the map is about to move (P6). */
void store_checkpoint_readers_cut(struct checkpoint *checkpoint);

#endif
