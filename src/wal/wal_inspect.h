/*
 * A look at the log of a stopped node: the walk of recovery (wal_replay.h), told record by record.
 *
 * K1  Nothing is opened for writing, made, cut or deleted.
 * K2  What is found whole here, wal_open takes; what is found damaged, it refuses, and the other
 *     way round: both are one code.
 *
 * The caller sees to it that nobody has the log open.
 */
#ifndef WAL_WAL_INSPECT_H
#define WAL_WAL_INSPECT_H

#include "wal/wal.h"
#include "wal/wal_mark.h"

/* One record of a whole batch; borrowed, with its data, until the call returns. */
struct wal_inspect_record {
    uint64_t segment;
    uint64_t offset;
    region_id region;
    enum wal_kind kind;
    struct raft_pos pos;  /* of entries, compactions, snapshots */
    enum entry_type type; /* of an entry, and its data */
    struct slice data;
    struct hard_state hard_state;
};

/* What was read of a segment. */
struct wal_inspect_segment {
    const char *path; /* borrowed until the call returns */
    uint64_t batches;
    uint64_t records;
    uint64_t end;          /* behind its last whole batch */
    bool is_whole;         /* false: what is wrong was told before */
    bool is_torn;          /* a batch was begun there that was never reported durable */
    uint64_t fault_offset; /* where it is torn, and how that shows */
    const char *fault;
};

/* Any may be NULL. */
struct wal_inspect_handler {
    void (*record)(void *ctx, const struct wal_inspect_record *record);
    /* After its records. */
    void (*segment)(void *ctx, const struct wal_inspect_segment *segment);
    /* `text` says the file, the offset and what is wrong there; `e` as of wal_open. */
    void (*fault)(void *ctx, err e, const char *text);
};

struct wal_inspect_options {
    struct env *env;
    const char *directory; /* this and the next two are those of wal_options */
    uint64_t cluster_id;
    node_id node;         /* 0: whosever it is */
    struct wal_mark mark; /* from wal_marks_look */
    bool is_thorough;     /* goes on behind damage, as far as there is something to find */
};

struct wal_inspect;

/*
 * Walks the whole log, or up to the first fault unless is_thorough, and calls the handler. Blocks.
 * Caller closes, also after an error. Returns the first error, about which `fault` was told, as all
 * others.
 */
MUST_USE err wal_inspect_open(struct wal_inspect **out_inspect,
                              const struct wal_inspect_options *options,
                              const struct wal_inspect_handler *handler, void *ctx);
void wal_inspect_close(struct wal_inspect *inspect); /* NULL: no-op */

/* What wal_regions, wal_bounds, wal_hard_state and wal_term tell of a log that is whole. Borrowed
 * until closed. */
const struct wal *wal_inspect_log(const struct wal_inspect *inspect);

#endif
