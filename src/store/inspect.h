/*
 * A look at the store of a stopped node: the checkpoint, record by record, and what had come in of
 * a snapshot.
 *
 * J1  Nothing is opened for writing, made or removed (P8 in checkpoint.h). The caller sees to it
 *     that nobody has the store open.
 * J2  Every record's checksums are verified, and what all of them add up to is compared with the
 *     region's state.
 *
 * LMDB's pages have no checksums. It notices some damage, and ends the process then (P5). What it
 * does not notice may lead out of the file: SIGBUS or SIGSEGV, for which the caller is prepared.
 */
#ifndef STORE_INSPECT_H
#define STORE_INSPECT_H

#include "store/store.h"

struct store_inspect;

/* Opens DIRECTORY/data.mdb. Caller closes. Errors of store_checkpoint_open, with a note;
 * ERR_NO_FILE: there is none. */
MUST_USE err store_inspect_open(struct store_inspect **out_inspect, struct env *env,
                                const char *directory, struct err_note *note);
void store_inspect_close(struct store_inspect *inspect); /* NULL: no-op */
/* The data file. Borrowed while it is open. */
const char *store_inspect_path(const struct store_inspect *inspect);

/*
 * Calls `each` with the state of every region in increasing order of the ids; `e` is not OK where
 * it cannot be decoded (ERR_CORRUPT, ERR_VERSION, ERR_MALFORMED): then only the id is known.
 * ERR_CORRUPT, with a note: the regions' table cannot be read.
 */
MUST_USE err store_inspect_regions(struct store_inspect *inspect,
                                   void (*each)(void *ctx, const struct store_region *region,
                                                err e),
                                   void *ctx, struct err_note *note);

/* One record; borrowed until the call returns. */
struct store_inspect_record {
    enum store_space space;
    struct slice key;
    struct slice bytes;                /* as they stand in the file */
    const struct store_record *record; /* NULL: its head is damaged */
    const char *fault;                 /* what is wrong, static storage; NULL: nothing */
};

/*
 * Calls `each` with every record of the space whose key begins with `prefix`, in byte order.
 * ERR_CORRUPT, with a note that tells behind which key: a page cannot be read, and what is behind
 * it was not found.
 */
MUST_USE err store_inspect_records(struct store_inspect *inspect, enum store_space space,
                                   struct slice prefix,
                                   void (*each)(void *ctx,
                                                const struct store_inspect_record *record),
                                   void *ctx, struct err_note *note);
/* Whether the records that store_inspect_records has found whole, all of them (no prefix) and of
 * both spaces, are what the region's state says: their number, their bytes, their hash. The note
 * says which is not. */
bool store_inspect_agrees(const struct store_inspect *inspect, const struct store_region *region,
                          struct err_note *note);

/* A file of a snapshot that was coming in. */
struct store_inspect_incoming {
    const char *name;                  /* in DIRECTORY/incoming */
    bool is_complete;                  /* otherwise it goes at the next start, and was not read */
    const struct store_region *region; /* what its header says; NULL: that is damaged */
    uint64_t records;                  /* read and verified */
    err e;                             /* OK; ERR_DAMAGED; ERR_VERSION; ERR_IO */
    const char *text;                  /* of an error: the file, the offset and what is wrong */
};

/* Calls `each` for every such file. ERR_IO, ERR_PERMISSION, with a note: they cannot be listed. */
MUST_USE err store_inspect_each_incoming(struct env *env, const char *directory,
                                         void (*each)(void *ctx,
                                                      const struct store_inspect_incoming *file),
                                         void *ctx, struct err_note *note);

#endif
