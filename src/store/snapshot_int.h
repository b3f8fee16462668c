/* What taking a snapshot in consists of: snapshot_in.c, snapshot_staged.c, install.c. */
#ifndef STORE_SNAPSHOT_INT_H
#define STORE_SNAPSHOT_INT_H

#include "store/snapshot_format.h"

/* Names in DIRECTORY/incoming: region-index-term, 16 hexadecimal digits each, and one of these. */
#define STORE_STAGED_SUFFIX ".snapshot"  /* complete, synced, renamed */
#define STORE_UNSTAGED_SUFFIX ".partial" /* everything else */

/* ---- the staged file, read back; on any thread ---- */

struct store_staged;

/* Opens the file and checks its header. Caller closes. ERR_DAMAGED, ERR_VERSION, ERR_NO_FILE,
 * ERR_PERMISSION, ERR_IO, with a note. */
MUST_USE err store_staged_open(struct env *env, const char *path, struct store_staged **out_staged,
                               struct err_note *note);
void store_staged_close(struct store_staged *staged); /* NULL: no-op */
/* What the header says; borrowed while it is open. */
const struct store_region *store_staged_region(const struct store_staged *staged);
/* Of the file: more than all of its keys and records. */
uint64_t store_staged_size(const struct store_staged *staged);
/* Of the next chunk: where a damaged one is, after ERR_DAMAGED. */
uint64_t store_staged_offset(const struct store_staged *staged);
/*
 * The next record of the struct store_staged, borrowed until the next call. ERR_NOT_FOUND: that was
 * all, and the whole is what its end says. ERR_DAMAGED, ERR_VERSION, ERR_IO.
 */
MUST_USE err store_staged_next(void *staged, enum store_space *out_space, struct slice *out_key,
                               struct slice *out_bytes);

/* ---- a complete one ---- */

/* All borrowed while it lives. */
const char *store_incoming_path(const struct store_incoming *incoming);
const struct store_region *store_incoming_region(const struct store_incoming *incoming);
uint64_t store_incoming_size(const struct store_incoming *incoming);

#endif
