#include "wal/wal.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_int.h"
#include "wal/wal_recover.h"
#include "wal/wal_redo.h"

#define SEGMENT_SIZE_DEFAULT (UINT64_C(64) << 20)
#define SEGMENT_SIZE_MIN UINT64_C(2048)
#define SEGMENT_SIZE_MAX (UINT64_C(1) << 30)
#define CACHE_BYTES_DEFAULT (UINT64_C(64) << 20)
#define SPARE_SEGMENTS_DEFAULT 2u

_Static_assert(SEGMENT_SIZE_MAX <= UINT32_MAX, "struct wal_place has 32-bit offsets");

/* ---- the writer ---- */

static void add_state(struct wal *wal)
{
    for (size_t i = 0; i < wal->index.count; i++) {
        const struct wal_region *region = wal->index.regions[i];
        wal_batch_add_hard_state(&wal->writing, region->id, &region->hard_state);
        wal_batch_add_pos(&wal->writing, WAL_KIND_COMPACTION, region->id, region->compacted);
    }
}

/* Of hard state and compaction mark of every region, at most. */
static uint64_t state_size(const struct wal *wal)
{
    uint64_t one = 2 * WAL_RECORD_HEAD_SIZE + WAL_HARD_STATE_PAYLOAD_SIZE + WAL_POS_PAYLOAD_SIZE;
    return wal_sector_round(wal->index.count * one);
}

/* Of a segment that begins with this batch, at least. */
static uint64_t segment_size_for(const struct wal *wal, const struct wal_batch *batch)
{
    return WAL_SECTOR_SIZE + wal_batch_size(batch) + state_size(wal);
}

static bool fits_current(const struct wal *wal, const struct wal_batch *batch)
{
    return wal->end + wal_batch_size(batch) <= wal_segments_current(&wal->segments)->size;
}

/*
 * Whether what has gathered can be written: else it waits, and more gathers, until a file for it is
 * there (W7).
 */
static bool has_place(struct wal *wal)
{
    if (fits_current(wal, &wal->gathering)) {
        return true;
    }
    uint64_t size = segment_size_for(wal, &wal->gathering);
    while (!wal_spares_fits(&wal->spares, size)) {
        if (!wal->is_closing) {
            wal_spares_make(&wal->spares, size);
            return false;
        }
        if (wal_spares_make_now(&wal->spares, size) != OK) {
            return false;
        }
    }
    return true;
}

/*
 * The batch that does not fit begins a segment. It ends with the state block: the hard state and
 * the compaction mark of every region as they are after this batch, so that older segments can go.
 */
static void begin_segment(struct wal *wal, struct wal_write *write)
{
    uint64_t needed = segment_size_for(wal, &wal->writing);
    struct wal_spare spare = wal_spares_take(&wal->spares, needed, &write->segment_size);
    ASSERT(write->segment_size >= needed);
    ASSERT(write->segment_size <= UINT32_MAX);
    add_state(wal);
    write->is_new_segment = true;
    write->file = spare.file;
    wal_path_format(write->source_path, wal->options.directory, WAL_FILE_SPARE, spare.number);
    struct wal_header header = {
        .cluster_id = wal->options.cluster_id,
        .node = wal->options.node,
        .sequence = wal_segments_current(&wal->segments)->sequence + 1,
        .size = write->segment_size,
        .first_batch = wal_gathering_batch(wal),
        .previous_end = wal->end,
        .previous_crc = wal->last_crc,
        .salt = env_random(wal->options.env),
    };
    wal_header_encode(&header, write->header);
    wal_segments_push(&wal->segments, &(struct wal_segment){
                                          .sequence = header.sequence,
                                          .size = header.size,
                                          .first_batch = header.first_batch,
                                          .header_crc = header.crc,
                                      });
    wal->end = WAL_SECTOR_SIZE;
    wal->last_crc = header.crc;
    wal->is_copy_due = true;
}

static void place_entry(void *ctx, region_id region, struct raft_pos pos, uint64_t offset)
{
    struct wal *wal = ctx;
    struct wal_place place = {
        .segment = (uint32_t)wal_segments_current(&wal->segments)->sequence,
        .offset = (uint32_t)(wal->end + offset),
    };
    wal_region_place(&wal->index, wal_index_get(&wal->index, region), pos, place);
}

/* The next segment's blocks at once, its zeros when this one is half full. */
static void make_ahead(struct wal *wal)
{
    const struct wal_segment *current = wal_segments_current(&wal->segments);
    wal_spares_reserve_ahead(&wal->spares);
    if (wal->end > current->size / 2) {
        wal_spares_make_ahead(&wal->spares);
    }
}

/* Hands what has gathered to the worker. The loop lays out the log, the worker writes it. */
static void begin_write(struct wal *wal)
{
    ASSERT(!wal->is_writing);
    ASSERT(!wal_batch_is_empty(&wal->gathering));
    struct wal_batch empty = wal->writing;
    wal->writing = wal->gathering;
    wal->gathering = empty;
    wal->is_writing = true;
    wal->is_flush_wanted = false;

    struct wal_write *write = &wal->write;
    struct wal_segment *current = wal_segments_current(&wal->segments);
    write->is_new_segment = false;
    write->file = current->file;
    if (!fits_current(wal, &wal->writing)) {
        begin_segment(wal, write);
        current = wal_segments_current(&wal->segments);
    }
    wal_batch_each_entry(&wal->writing, place_entry, wal);
    wal->last_batch++;
    write->batch = &wal->writing;
    write->sequence = current->sequence;
    write->seal = (struct wal_seal){
        .header_crc = current->header_crc,
        .offset = wal->end,
        .batch = wal->last_batch,
        .previous_crc = wal->last_crc,
    };
    wal_path_format(write->path, wal->options.directory, WAL_FILE_SEGMENT, current->sequence);
    wal->end += wal_batch_size(&wal->writing);
    if (wal->is_closing) {
        return; /* wal_close does the job itself: the worker is gone */
    }
    env_worker_submit(wal->worker, &write->job);
    make_ahead(wal);
}

static void try_to_write(struct wal *wal)
{
    if (wal->is_flush_wanted && !wal->is_writing && !wal->is_closing && has_place(wal)) {
        begin_write(wal);
    }
}

/* The batch is durable: env_job.done. */
static void write_done(struct env_job *job)
{
    struct wal *wal = CONTAINER_OF(job, struct wal, write.job);
    ASSERT(wal->is_writing);
    ASSERT(wal->write.end == wal->end);
    struct wal_segment *current = wal_segments_current(&wal->segments);
    current->file = wal->write.file;
    wal->last_crc = wal->write.last_crc;
    wal->durable_batch = wal->last_batch;
    wal->durable = (struct wal_place){(uint32_t)current->sequence, (uint32_t)wal->end};
    wal->is_writing = false;

    uint64_t ticket = wal->writing.ticket;
    struct wal_stats *stats = &wal->stats;
    stats->syncs++;
    stats->appended_bytes += wal_batch_size(&wal->writing);
    stats->durable_ticket = ticket != 0 ? ticket : stats->durable_ticket;
    histogram_observe(&stats->sync_us, wal->write.sync_ns / 1000);
    histogram_observe(&stats->batch_entries, wal->writing.entry_count);
    wal_batch_reset(&wal->writing);

    /* The disk first, then whoever waits: while they are told, the next batch is being written. */
    try_to_write(wal);
    wal_index_evict(&wal->index, wal->durable);
    wal_reclaim(wal);
    if (ticket != 0) {
        wal->options.persisted(wal->options.ctx, ticket);
    }
}

static void on_spares_changed(void *ctx)
{
    struct wal *wal = ctx;
    try_to_write(wal);
    make_ahead(wal);
    wal_reclaim(wal);
}

void wal_tick(struct wal *wal)
{
    if (wal->spares.has_no_space) {
        try_to_write(wal);
        make_ahead(wal);
    }
}

/* ---- open and close ---- */

static void set_options(struct wal *wal, const struct wal_options *options)
{
    ASSERT(options->persisted != NULL);
    ASSERT(options->segment_size_bytes <= SEGMENT_SIZE_MAX);
    wal->options = *options;
    wal->options.directory = mem_strdup(options->directory);
    uint64_t segment_size = options->segment_size_bytes;
    segment_size = segment_size == 0 ? SEGMENT_SIZE_DEFAULT : segment_size;
    segment_size = segment_size < SEGMENT_SIZE_MIN ? SEGMENT_SIZE_MIN : segment_size;
    wal->options.segment_size_bytes = wal_sector_round(segment_size);
    if (options->cache_bytes_max == 0) {
        wal->options.cache_bytes_max = CACHE_BYTES_DEFAULT;
    }
    if (options->spare_segments_max == 0) {
        wal->options.spare_segments_max = SPARE_SEGMENTS_DEFAULT;
    }
}

static void init_parts(struct wal *wal)
{
    const struct wal_options *options = &wal->options;
    size_t spare_count_max = (size_t)options->spare_segments_max + 1; /* and the one made ahead */
    wal->spares = (struct wal_spares){
        .env = options->env,
        .directory = options->directory,
        .segment_size = options->segment_size_bytes,
        .count_max = spare_count_max < WAL_SPARES_MAX ? spare_count_max : WAL_SPARES_MAX - 1,
        .changed = on_spares_changed,
        .ctx = wal,
    };
    wal_index_init(&wal->index, &wal->segments, options->cache_bytes_max);
    wal->write = (struct wal_write){
        .job = {.run = wal_write_run, .done = write_done},
        .env = options->env,
        .directory = options->directory,
        .marks = &wal->marks,
    };
}

/* What recovery has filled goes; the worker is closed or never ran. */
static void deinit_parts(struct wal *wal)
{
    wal_marks_deinit(&wal->marks);
    wal_spares_deinit(&wal->spares);
    wal_index_deinit(&wal->index);
    wal_segments_deinit(&wal->segments);
}

static void free_wal(struct wal *wal)
{
    deinit_parts(wal);
    wal_batch_deinit(&wal->gathering);
    wal_batch_deinit(&wal->writing);
    mem_free((char *)(uintptr_t)wal->options.directory);
    mem_free(wal);
}

static err open_log(struct wal *wal, struct err_note *note)
{
    const struct wal_options *options = &wal->options;
    if (strlen(options->directory) > WAL_DIRECTORY_SIZE_MAX) {
        return err_note_set(note, ERR_NO_FILE, "%s: the name is too long", options->directory);
    }
    err e = env_dir_create(options->env, options->directory, note);
    if (e == OK) {
        e = wal_redo(options->env, options->directory, note);
    }
    if (e == OK) {
        e = wal_recover(wal, note);
    }
    if (e != OK) {
        return e;
    }
    e = env_worker_open(options->env, "wal", &wal->worker);
    return e == OK ? OK : err_note_set(note, e, "cannot start the log's thread");
}

struct wal *wal_new(const struct wal_options *options)
{
    struct wal *wal = mem_calloc(1, sizeof(*wal));
    set_options(wal, options);
    init_parts(wal);
    return wal;
}

err wal_start(struct wal *wal, struct err_note *note)
{
    ASSERT(wal->worker == NULL);
    err e = open_log(wal, note);
    if (e != OK) {
        deinit_parts(wal);
        init_parts(wal);
        return e;
    }
    wal->spares.worker = wal->worker;
    wal->durable_batch = wal->last_batch;
    wal->durable = (struct wal_place){
        .segment = (uint32_t)wal_segments_current(&wal->segments)->sequence,
        .offset = (uint32_t)wal->end,
    };
    wal->is_copy_due = true;
    wal_reclaim(wal);
    make_ahead(wal);
    return OK;
}

err wal_open(struct wal **out_wal, const struct wal_options *options, struct err_note *note)
{
    struct wal *wal = wal_new(options);
    err e = wal_start(wal, note);
    if (e != OK) {
        wal_close(wal);
        return e;
    }
    *out_wal = wal;
    return OK;
}

void wal_close(struct wal *wal)
{
    if (wal == NULL) {
        return;
    }
    if (wal->worker == NULL) { /* not started */
        free_wal(wal);
        return;
    }
    wal->is_closing = true;
    wal->spares.is_closing = true;
    env_worker_close(wal->worker);
    ASSERT(!wal->is_writing);
    while (!wal_batch_is_empty(&wal->gathering) && has_place(wal)) {
        begin_write(wal);
        wal->write.job.run(&wal->write.job);
        wal->write.job.done(&wal->write.job);
    }
    if (!wal_batch_is_empty(&wal->gathering)) {
        LOG_WARN(wal->options.log, "log: no space for what was not durable yet: it is dropped",
                 LOG_U64("bytes", wal_batch_size(&wal->gathering)));
    }
    wal_must(wal_marks_sync(&wal->marks), "sync", wal->marks.path);
    free_wal(wal);
}

/* ---- what there is ---- */

void wal_regions(const struct wal *wal, void (*each)(void *ctx, region_id region), void *ctx)
{
    for (size_t i = 0; i < wal->index.count; i++) {
        each(ctx, wal->index.regions[i]->id);
    }
}

struct wal_bounds wal_bounds(const struct wal *wal, region_id region)
{
    const struct wal_region *known = wal_index_find(&wal->index, region);
    if (known == NULL) {
        return (struct wal_bounds){0};
    }
    return (struct wal_bounds){.compacted = known->compacted, .last_index = known->last};
}

struct hard_state wal_hard_state(const struct wal *wal, region_id region)
{
    const struct wal_region *known = wal_index_find(&wal->index, region);
    return known != NULL ? known->hard_state : (struct hard_state){0};
}

void wal_stats_update(struct wal *wal)
{
    struct wal_stats *stats = &wal->stats;
    const struct wal_spares *spares = &wal->spares;
    stats->segments = wal->segments.count;
    stats->spare_segments = spares->count;
    stats->size_bytes = wal->segments.size_bytes + wal_spares_bytes(spares) + WAL_MARK_FILE_SIZE;
    stats->live_bytes = wal->segments.live_bytes;
    stats->cached_bytes = wal->index.cached_bytes;
}

const struct wal_stats *wal_stats(const struct wal *wal)
{
    return &wal->stats;
}

uint64_t wal_writing(const struct wal *wal)
{
    if (wal->is_writing) {
        return wal->last_batch;
    }
    return wal->is_flush_wanted ? wal_gathering_batch(wal) : 0; /* it waits for its place */
}

enum wal_room wal_room(const struct wal *wal, uint64_t size)
{
    const struct wal_segment *current = wal_segments_current(&wal->segments);
    if (wal->spares.has_no_space && wal->is_flush_wanted && !wal->is_writing) {
        return WAL_ROOM_RESERVE; /* a batch waits, and all behind it */
    }
    if (wal_spares_has_reserve(&wal->spares)) {
        return WAL_ROOM_ENOUGH;
    }
    uint64_t used = wal->end + wal_batch_size(&wal->gathering) + size;
    uint64_t left = used < current->size ? current->size - used : 0;
    if (left > current->size / 2) {
        return WAL_ROOM_ENOUGH;
    }
    return left > current->size / 4 ? WAL_ROOM_SHORT : WAL_ROOM_RESERVE;
}

/* ---- appending ---- */

void wal_gather(struct wal *wal, struct wal_region *region, const struct entry *entries,
                uint32_t entry_count)
{
    for (uint32_t i = 0; i < entry_count; i++) {
        ASSERT(entries[i].pos.index == entries[0].pos.index + i);
        wal_batch_add_entry(&wal->gathering, region->id, &entries[i]);
        wal_region_append(&wal->index, region, &entries[i], wal_gathering_batch(wal));
    }
}

uint64_t wal_append(struct wal *wal, const struct wal_append *append)
{
    ASSERT(append->entry_count > 0 || append->hard_state != NULL);
    struct wal_region *region = wal_index_get(&wal->index, append->region);
    if (append->entry_count > 0) {
        ASSERT(append->entries[0].pos.index > region->compacted.index);
        ASSERT(append->entries[0].pos.index <= region->last + 1);
        wal_gather(wal, region, append->entries, append->entry_count);
    }
    if (append->hard_state != NULL) {
        region->hard_state = *append->hard_state;
        wal_batch_add_hard_state(&wal->gathering, append->region, append->hard_state);
    }
    wal->stats.last_ticket++;
    wal->gathering.ticket = wal->stats.last_ticket;
    wal_stats_update(wal);
    return wal->stats.last_ticket;
}

void wal_flush(struct wal *wal)
{
    if (wal_batch_is_empty(&wal->gathering)) {
        return;
    }
    wal->is_flush_wanted = true;
    try_to_write(wal);
}

void wal_compact(struct wal *wal, region_id region, struct raft_pos pos)
{
    struct wal_region *known = wal_index_get(&wal->index, region);
    ASSERT(pos.index >= known->compacted.index);
    uint64_t batch = wal_gathering_batch(wal);
    uint64_t term;
    bool is_ours = wal_term(wal, region, pos.index, &term) == OK && term == pos.term;
    if (is_ours && pos.index == known->compacted.index) {
        return;
    }
    if (is_ours) {
        wal_batch_add_pos(&wal->gathering, WAL_KIND_COMPACTION, region, pos);
        wal_region_compact(&wal->index, known, pos, batch);
    } else { /* past the end, or of another history: nothing of what is here goes on from there */
        wal_batch_add_pos(&wal->gathering, WAL_KIND_SNAPSHOT, region, pos);
        wal_region_reset(&wal->index, known, pos, batch);
    }
    wal->is_copy_due = true;
    wal_stats_update(wal);
}
