#include "wal/wal_inspect.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_replay.h"

struct wal_inspect {
    struct wal wal; /* never opened: what a replay fills of it */
    struct wal_replay replay;
    struct err_note note;
    const struct wal_inspect_handler *handler; /* this and the next two while it walks */
    void *ctx;
    bool is_thorough;
    err first; /* error */
};

/* wal_scan_record_fn. */
static err on_record(void *ctx, const struct wal_record *record, uint64_t offset)
{
    struct wal_inspect *inspect = ctx;
    struct wal_inspect_record told = {
        .segment = inspect->replay.segments[inspect->replay.current].sequence,
        .offset = offset,
        .region = record->region,
        .kind = record->kind,
    };
    struct entry entry = {.type = ENTRY_NORMAL};
    err e = OK;
    if (record->kind == WAL_KIND_ENTRY) {
        e = wal_entry_decode(record->payload, &entry, &told.data);
        told.pos = entry.pos;
        told.type = entry.type;
    } else if (record->kind == WAL_KIND_HARD_STATE) {
        e = wal_hard_state_decode(record->payload, &told.hard_state);
    } else {
        e = wal_pos_decode(record->payload, &told.pos);
    }
    ASSERT(e == OK); /* the replay has decoded it */
    inspect->handler->record(inspect->ctx, &told);
    return OK;
}

/* Tells of the error in the note. Whether to go on. */
static bool report(struct wal_inspect *inspect, err e)
{
    inspect->replay.is_broken = true;
    inspect->first = inspect->first == OK ? e : inspect->first;
    if (inspect->handler->fault != NULL) {
        inspect->handler->fault(inspect->ctx, e, inspect->note.text);
    }
    return inspect->is_thorough;
}

static void report_segment(struct wal_inspect *inspect, bool is_whole)
{
    const struct wal_replay *replay = &inspect->replay;
    if (inspect->handler->segment == NULL) {
        return;
    }
    struct wal_inspect_segment told = {
        .path = replay->path,
        .batches = replay->batches,
        .records = replay->records,
        .end = replay->scan.offset,
        .is_whole = is_whole,
        .is_torn = is_whole && replay->is_torn,
        .fault_offset = replay->fault.offset,
        .fault = replay->fault.what,
    };
    inspect->handler->segment(inspect->ctx, &told);
}

/* All of a segment whose header is known. Whether to go on. */
static bool walk_segment(struct wal_inspect *inspect, size_t i)
{
    struct wal_replay *replay = &inspect->replay;
    err e = wal_replay_walk(replay, i);
    bool is_whole = e == OK;
    bool go_on = is_whole || report(inspect, e);
    while (go_on && e != OK && replay->is_at_fault) {
        e = wal_replay_resume(replay);
        if (e == ERR_NOT_FOUND) {
            break;
        }
        go_on = e == OK || report(inspect, e);
    }
    report_segment(inspect, is_whole);
    return go_on;
}

/* Opens them all first: how a segment ends, the header after it tells. */
static void open_segments(struct wal_inspect *inspect, err *errors, struct err_note *notes)
{
    struct wal_replay *replay = &inspect->replay;
    for (size_t i = 0; i <= replay->count; i++) {
        replay->note = &notes[i];
        errors[i] = wal_replay_check_name(replay, i);
        if (i < replay->count) { /* one behind a gap can be verified, too */
            replay->note = errors[i] == OK ? &notes[i] : NULL;
            err e = wal_replay_open(replay, i);
            errors[i] = errors[i] == OK ? e : errors[i];
        }
        replay->is_broken = replay->is_broken || errors[i] != OK;
    }
    replay->note = &inspect->note;
    if (!replay->is_broken) {
        wal_replay_adopt(replay);
    }
}

/* In the order of the log, and what is wrong at its place. */
static void walk(struct wal_inspect *inspect)
{
    struct wal_replay *replay = &inspect->replay;
    size_t count = replay->count;
    err *errors = mem_calloc(count + 1, sizeof(*errors));
    struct err_note *notes = mem_calloc(count + 1, sizeof(*notes));
    open_segments(inspect, errors, notes);
    bool go_on = true;
    for (size_t i = 0; go_on && i <= count; i++) {
        if (errors[i] != OK) {
            inspect->note = notes[i];
            go_on = report(inspect, errors[i]);
        }
        if (go_on && i < count && replay->segments[i].is_known) {
            go_on = walk_segment(inspect, i);
        }
    }
    mem_free(errors);
    mem_free(notes);
    if (!replay->is_broken && wal_replay_check_regions(replay) != OK) {
        (void)report(inspect, ERR_DAMAGED);
    }
}

err wal_inspect_open(struct wal_inspect **out_inspect, const struct wal_inspect_options *options,
                     const struct wal_inspect_handler *handler, void *ctx)
{
    ASSERT(strlen(options->directory) <= WAL_DIRECTORY_SIZE_MAX);
    struct wal_inspect *inspect = mem_calloc(1, sizeof(*inspect));
    struct wal *wal = &inspect->wal;
    wal->options = (struct wal_options){
        .env = options->env,
        .directory = options->directory,
        .cluster_id = options->cluster_id,
        .node = options->node,
    };
    wal_index_init(&wal->index, &wal->segments, 0);
    inspect->handler = handler;
    inspect->ctx = ctx;
    inspect->is_thorough = options->is_thorough;
    inspect->replay = (struct wal_replay){
        .wal = wal,
        .note = &inspect->note,
        .open_flags = ENV_OPEN_READ,
        .mark = options->mark,
        .each = handler->record != NULL ? on_record : NULL,
        .ctx = inspect,
    };
    err e = wal_replay_list(&inspect->replay);
    if (e != OK) {
        (void)report(inspect, e);
    } else {
        walk(inspect);
    }
    wal->options.directory = NULL; /* borrowed for the walk */
    *out_inspect = inspect;
    return inspect->first;
}

void wal_inspect_close(struct wal_inspect *inspect)
{
    if (inspect == NULL) {
        return;
    }
    wal_replay_deinit(&inspect->replay);
    wal_index_deinit(&inspect->wal.index);
    wal_segments_deinit(&inspect->wal.segments);
    mem_free(inspect);
}

const struct wal *wal_inspect_log(const struct wal_inspect *inspect)
{
    return &inspect->wal;
}
