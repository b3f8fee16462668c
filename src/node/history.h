/*
 * What has changed lately in one region, on this node: the changes of the last revisions, each with
 * the record that came and the one that it replaced, in a ring in memory. Watches read it from
 * wherever they are, and a read of the past takes back what came since. It is this node's own and
 * no state: a start has what its journal has kept of it (history_journal.h) and what the log brings
 * after the checkpoint; a snapshot begins it anew.
 *
 * H1  Changes are numbered in the order of applying, without a gap, and kept or dropped by whole
 *     revisions. A number below history_first is gone; who stands at one has missed something.
 * H2  history_covers(r): every change after revision r is there. So it can be watched from r on,
 *     and be read as it was at r.
 * H3  Bounded by bytes, revisions and the age of changes by the region's clock. A buf counts for
 *     each reference: history_bytes is at most what is kept.
 * H4  A change is told of when its whole revision is there (history_revised), never in part.
 * H5  While it is pinned, what is dropped stays where it is, uncounted, and is only read: the
 *     checkpointer's thread may. As much as is written during one checkpoint, at most.
 *
 * A record that was replaced and stood in the checkpoint is a copy, its value verified when it is
 * read here, not when it was taken.
 */
#ifndef NODE_HISTORY_H
#define NODE_HISTORY_H

#include "store/store.h"

#define HISTORY_BYTES_DEFAULT (32u << 20)
#define HISTORY_REVISIONS_DEFAULT 100000u
#define HISTORY_AGE_MS_DEFAULT 600000u

struct history_options {
    uint64_t bytes_max;     /* 0: nothing is kept */
    uint64_t revisions_max; /* 0: nothing is kept */
    uint64_t age_ms_max;    /* 0: no bound */
};

/* One change. Stands at its place until it is dropped, which later changes do. */
struct history_entry {
    uint64_t number; /* H1 */
    uint64_t revision;
    uint64_t clock_ms;
    struct slice key;
    struct store_record record;   /* PUT; otherwise only an owner of NULL */
    struct store_record replaced; /* if has_replaced; its owner may be NULL */
    enum store_change_kind kind;
    bool has_replaced;
    uint64_t bytes; /* H3 */
    bool is_copy;   /* `replaced` was the checkpoint's: its value is to be verified */
};

struct history;

/* An empty one, which covers `revision` and what comes. Caller frees. */
struct history *history_new(const struct history_options *options, uint64_t revision);
void history_free(struct history *history); /* NULL: no-op */

/* As the store tells it (struct store_options). Shares the owners of what stays. */
void history_changed(struct history *history, const struct store_change *change);
/* The changes of `revision` were told, all of them: they can be seen, and old ones go. */
void history_revised(struct history *history, uint64_t revision);
/* The state has become another one, at `revision`: all is gone, whoever is at the end included. */
void history_restart(struct history *history, uint64_t revision);

/* H5, until history_unpin. Nothing is pinned yet. */
void history_pin(struct history *history);
void history_unpin(struct history *history);

/* ---- what is there ---- */

/* The oldest revision that is covered, and the newest one. */
uint64_t history_oldest(const struct history *history);
uint64_t history_newest(const struct history *history);
/* H2. False also of a revision that is still to come. */
bool history_covers(const struct history *history, uint64_t revision);
/* H3. */
uint64_t history_bytes(const struct history *history);

/* ---- going through the changes ---- */

/* The number of the oldest change that is there, and that of the next one to come. */
uint64_t history_first(const struct history *history);
uint64_t history_end(const struct history *history);
/* The number of the first change after `revision`, which is covered, or still to come. */
uint64_t history_find(const struct history *history, uint64_t revision);
/* From history_first up to history_end. Borrowed until the history is changed. */
const struct history_entry *history_at_number(const struct history *history, uint64_t number);
/* The record that was replaced; NULL: there was none, or it is damaged (*out_is_damaged). */
const struct store_record *history_replaced(const struct history_entry *entry,
                                            bool *out_is_damaged);

#endif
