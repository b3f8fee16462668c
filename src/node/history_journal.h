/*
 * A region's history, and what of it outlives the process: with every checkpoint, ahead of it, what
 * has changed since the one before is appended to a journal on the disk (store/journal.h). A start
 * takes from there what came before the checkpoint, and from the log what came after it.
 *
 *     loop                  freeze ────────────────────────> done
 *     checkpointer's thread        └> write or replace ─────┘
 *
 * J1  When a checkpoint is durable, every change up to it that the history still had when its tail
 *     was frozen is durable, too.
 * J2  A state that came from elsewhere has no past here: the journal is gone before it is durable.
 * J3  The journal gives way to a checkpoint that finds no space. So after a full disk the history
 *     begins later, as after damage, or more changes between two checkpoints than it keeps; it
 *     never says what was not. What a full disk has cost is not written again, or the room that it
 *     gave back would be gone at once.
 */
#ifndef NODE_HISTORY_JOURNAL_H
#define NODE_HISTORY_JOURNAL_H

#include "node/history.h"

struct history_journal;

struct history_journal_options {
    struct env *env;
    struct log *log;       /* may be NULL */
    const char *directory; /* made if missing */
    region_id region;
    struct history_options history;
};

/* Ahead of the store, which gets its companion. Blocks. Caller closes, after the store: until then
 * the checkpointer may read the history. ERR_NO_SPACE, ERR_PERMISSION, ERR_IO, with a note. */
MUST_USE err history_journal_open(struct history_journal **out_journal,
                                  const struct history_journal_options *options,
                                  struct err_note *note);
void history_journal_close(struct history_journal *journal); /* NULL: no-op */

/* What goes with every checkpoint. Borrows the journal. */
struct store_companion history_journal_companion(struct history_journal *journal);

/*
 * The store is open and its state is at `revision`, 0: it has none: takes from the journal what
 * came before. What the log still brings is told from here on. Once, before any checkpoint; blocks.
 * ERR_PERMISSION, ERR_IO: what is of no use any more cannot be removed.
 */
MUST_USE err history_journal_load(struct history_journal *journal, uint64_t revision);

/* Borrowed until it is closed. */
struct history *history_journal_history(struct history_journal *journal);

/* Of its files, as of the last checkpoint. Loop. */
uint64_t history_journal_bytes(const struct history_journal *journal);

#endif
