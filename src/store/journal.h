/*
 * The last changes of a region, kept on the disk beside the checkpoint, so that what a node's
 * history (node/history.h) has in memory outlives the process. Nothing else depends on it: it may
 * be missing, torn or damaged, and then the history begins later.
 *
 * J1  What was appended is durable when store_journal_append returns.
 * J2  Files are appended to by the life that made them, never by a later one: a torn end stays the
 *     end of its file.
 * J3  Two parts may tell of the same revisions, as after a crash that came before their checkpoint:
 *     what happened at a revision is one thing, so either will do.
 * J4  A write that fails for want of space costs the journal, not the node: all of it goes, and
 *     gives its space back. Any other failed write or sync ends the process (ADR 3).
 *
 * store_journal_open and _read block, at start-up; _append, _trim and _drop are for a worker's
 * thread, one at a time.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/journal_format.h"

#define STORE_JOURNAL_FILE_BYTES (4u << 20)

struct store_journal;

struct store_journal_options {
    struct env *env;
    const char *directory; /* made if missing; files of others in it are left alone */
    region_id region;
    /* From that size on a new file is begun, behind the block that reaches it, so that what is too
     * old can go in pieces; 0: STORE_JOURNAL_FILE_BYTES. */
    uint64_t file_bytes;
};

/* Finds what is there. Caller closes. ERR_NO_SPACE, ERR_PERMISSION, ERR_IO, with a note. */
MUST_USE err store_journal_open(struct store_journal **out_journal,
                                const struct store_journal_options *options, struct err_note *note);
void store_journal_close(struct store_journal *journal); /* NULL: no-op */

struct store_journal_reader {
    /* What has changed after a revision is told next. */
    void (*begin)(void *ctx, uint64_t after);
    /* Borrowed until it returns; the record's owner can be shared. */
    void (*change)(void *ctx, const struct store_change *change);
    /* That was all of it, up to revision `through`. Not called of a block in which a change is
     * damaged. */
    void (*end)(void *ctx, uint64_t through);
    void *ctx;
};

/*
 * Tells all that can be read, file by file, oldest first. What is behind a torn or damaged place of
 * a file is passed over. Returns how many files ended so.
 */
uint32_t store_journal_read(struct store_journal *journal,
                            const struct store_journal_reader *reader);

struct store_journal_part {
    uint64_t after;
    uint64_t through;
    /* The next change, in order; false: that was all. Borrowed until the next call. */
    bool (*next)(void *ctx, struct store_change *out_change);
    void *ctx;
};

/* J1. False: there was no space (J4). */
bool store_journal_append(struct store_journal *journal, const struct store_journal_part *part);
/* Removes the files that tell only of revisions up to `oldest`. */
void store_journal_trim(struct store_journal *journal, uint64_t oldest);
/* Removes all files, durably. ERR_IO, ERR_PERMISSION. */
MUST_USE err store_journal_drop(struct store_journal *journal);
/* Of all files. On the thread that may append. */
uint64_t store_journal_bytes(const struct store_journal *journal);

#endif
