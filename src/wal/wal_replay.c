#include "wal/wal_replay.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static err fail(struct wal_replay *replay, err e, uint64_t offset, const char *what)
{
    return err_note_set(replay->note, e, "%s: at offset %" PRIu64 ": %s", replay->path, offset,
                        what);
}

static err fail_io(struct wal_replay *replay, err e, const char *what)
{
    return err_note_set(replay->note, e, "%s: cannot %s: %s", replay->path, what, err_title(e));
}

static void name_file(struct wal_replay *replay, uint64_t sequence)
{
    wal_path_format(replay->path, replay->wal->options.directory, WAL_FILE_SEGMENT, sequence);
}

static void choose(struct wal_replay *replay, size_t i)
{
    ASSERT(i < replay->count);
    replay->current = i;
    name_file(replay, replay->segments[i].sequence);
}

/* ---- the directory ---- */

static void on_name(void *ctx, const char *name)
{
    struct wal_replay *replay = ctx;
    uint64_t number;
    enum wal_file_type type = wal_name_parse(name, &number);
    if (type == WAL_FILE_OTHER) {
        return;
    }
    if (type == WAL_FILE_SPARE || type == WAL_FILE_NEW) {
        wal_spares_reserve(&replay->wal->spares, number);
        return;
    }
    if (replay->count == replay->capacity) {
        replay->capacity = replay->capacity * 2 + 16;
        replay->segments =
            mem_realloc(replay->segments, replay->capacity, sizeof(*replay->segments));
    }
    replay->segments[replay->count] = (struct wal_replay_segment){.sequence = number};
    replay->count++;
}

err wal_replay_list(struct wal_replay *replay)
{
    const struct wal_options *options = &replay->wal->options;
    err e = env_dir_list(options->env, options->directory, on_name, replay);
    return e == OK ? OK
                   : err_note_set(replay->note, e, "%s: cannot list: %s", options->directory,
                                  err_title(e));
}

void wal_replay_deinit(struct wal_replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        env_file_close(replay->segments[i].file);
    }
    mem_free(replay->segments);
    mem_free(replay->image);
    replay->segments = NULL;
    replay->image = NULL;
    replay->count = 0;
}

static err check_mark_name(struct wal_replay *replay)
{
    uint64_t last = replay->count > 0 ? replay->segments[replay->count - 1].sequence : 0;
    if (replay->mark.sequence <= last) {
        return OK;
    }
    name_file(replay, replay->mark.sequence);
    return err_note_set(replay->note, ERR_DAMAGED,
                        "%s is missing, which has been synced up to offset %" PRIu64, replay->path,
                        replay->mark.end);
}

err wal_replay_check_name(struct wal_replay *replay, size_t i)
{
    if (i == replay->count) {
        return check_mark_name(replay);
    }
    uint64_t sequence = replay->segments[i].sequence;
    /* Listed in byte order of names, which is theirs. */
    if (i > 0 && sequence != replay->segments[i - 1].sequence + 1) {
        name_file(replay, replay->segments[i - 1].sequence + 1);
        return err_note_set(replay->note, ERR_DAMAGED, "%s is missing", replay->path);
    }
    if (sequence == 0 || sequence >= UINT32_MAX) {
        name_file(replay, sequence);
        return err_note_set(replay->note, ERR_DAMAGED, "%s: not a name of the log's", replay->path);
    }
    return OK;
}

/* ---- headers ---- */

static err check_header(struct wal_replay *replay, const struct wal_header *header,
                        uint64_t sequence, uint64_t file_size)
{
    const struct wal_options *options = &replay->wal->options;
    if (options->node != 0 &&
        (header->cluster_id != options->cluster_id || header->node != options->node)) {
        return err_note_set(replay->note, ERR_IDENTITY,
                            "%s: belongs to node %" PRIu64 " of cluster %016" PRIx64
                            ", this is node %" PRIu64 " of cluster %016" PRIx64,
                            replay->path, header->node, header->cluster_id, options->node,
                            options->cluster_id);
    }
    if (header->sequence != sequence) {
        return fail(replay, ERR_DAMAGED, 0, "the header is another segment's");
    }
    if (header->size > file_size) {
        return fail(replay, ERR_DAMAGED, file_size, "the file has been cut here");
    }
    if (header->size < WAL_SECTOR_SIZE || header->size > UINT32_MAX ||
        header->size % WAL_SECTOR_SIZE != 0 || header->first_batch == 0 ||
        header->previous_end > UINT32_MAX) {
        return fail(replay, ERR_DAMAGED, 0, "the header makes no sense");
    }
    return OK;
}

static err read_header(struct wal_replay *replay, struct env_file *file, uint64_t sequence,
                       struct wal_header *out_header)
{
    uint8_t sector[WAL_SECTOR_SIZE] = {0};
    size_t size;
    uint64_t file_size;
    err e = env_file_read(file, 0, sector, sizeof(sector), &size);
    if (e == OK) {
        e = env_file_size(file, &file_size);
    }
    if (e != OK) {
        return fail_io(replay, e, "read");
    }
    struct wal_header header;
    e = wal_header_decode(sector, &header);
    if (e != OK) {
        return fail(replay, e, 0,
                    e == ERR_VERSION ? "the header has a format version that this program does "
                                       "not know: start the program that wrote it"
                                     : "the header is damaged");
    }
    e = check_header(replay, &header, sequence, file_size);
    if (e == OK) {
        *out_header = header;
    }
    return e;
}

err wal_replay_open(struct wal_replay *replay, size_t i)
{
    choose(replay, i);
    struct wal_replay_segment *segment = &replay->segments[i];
    err e = env_file_open(replay->wal->options.env, replay->path, replay->open_flags,
                          &segment->file, replay->note);
    if (e == OK) {
        e = read_header(replay, segment->file, segment->sequence, &segment->header);
    }
    segment->is_known = e == OK;
    return e;
}

void wal_replay_adopt(struct wal_replay *replay)
{
    ASSERT(!replay->is_broken);
    for (size_t i = 0; i < replay->count; i++) {
        struct wal_replay_segment *segment = &replay->segments[i];
        ASSERT(segment->is_known);
        wal_segments_push(&replay->wal->segments, &(struct wal_segment){
                                                      .sequence = segment->sequence,
                                                      .size = segment->header.size,
                                                      .first_batch = segment->header.first_batch,
                                                      .header_crc = segment->header.crc,
                                                      .file = segment->file,
                                                  });
        segment->file = NULL;
    }
}

/* ---- records ---- */

static err apply_entry(struct wal_replay *replay, const struct wal_record *record, uint64_t offset)
{
    struct wal_index *index = &replay->wal->index;
    struct entry entry;
    struct slice data;
    err e = wal_entry_decode(record->payload, &entry, &data);
    if (e != OK) {
        return e == ERR_VERSION
                   ? fail(replay, e, offset,
                          "an entry is of a type that this program does not know: start the "
                          "program that wrote it")
                   : fail(replay, ERR_DAMAGED, offset, "an entry cannot be decoded");
    }
    if (replay->is_broken) {
        return OK; /* R5 */
    }
    struct wal_region *region = wal_index_get(index, record->region);
    if (entry.pos.index <= region->compacted.index) {
        return fail(replay, ERR_DAMAGED, offset, "an entry has an index that was compacted");
    }
    if (entry.pos.index < region->first || entry.pos.index > region->last + 1) {
        wal_region_restart(index, region, entry.pos.index); /* I1 */
    }
    struct wal_place place = {
        .segment = (uint32_t)replay->segments[replay->current].sequence,
        .offset = (uint32_t)offset,
    };
    wal_region_restore(index, region, &entry, data.size, place);
    return OK;
}

static err apply_hard_state(struct wal_replay *replay, const struct wal_record *record,
                            uint64_t offset)
{
    struct hard_state hard_state;
    if (wal_hard_state_decode(record->payload, &hard_state) != OK) {
        return fail(replay, ERR_DAMAGED, offset, "a hard state cannot be decoded");
    }
    if (!replay->is_broken) { /* R5 */
        wal_index_get(&replay->wal->index, record->region)->hard_state = hard_state;
    }
    return OK;
}

static err apply_pos(struct wal_replay *replay, const struct wal_record *record, uint64_t offset)
{
    struct wal_index *index = &replay->wal->index;
    struct raft_pos pos;
    err e = wal_pos_decode(record->payload, &pos);
    if (e != OK) {
        return fail(replay, ERR_DAMAGED, offset, "a mark cannot be decoded");
    }
    if (replay->is_broken) {
        return OK; /* R5 */
    }
    struct wal_region *region = wal_index_get(index, record->region);
    if (pos.index < region->compacted.index) {
        return fail(replay, ERR_DAMAGED, offset, "a compaction mark goes back");
    }
    if (record->kind == WAL_KIND_SNAPSHOT) {
        wal_region_reset(index, region, pos, 0);
    } else {
        wal_region_compact(index, region, pos, 0);
    }
    return OK;
}

static err apply(struct wal_replay *replay, const struct wal_record *record, uint64_t offset)
{
    switch (record->kind) {
    case WAL_KIND_ENTRY:
        return apply_entry(replay, record, offset);
    case WAL_KIND_HARD_STATE:
        return apply_hard_state(replay, record, offset);
    case WAL_KIND_COMPACTION:
    case WAL_KIND_SNAPSHOT:
        return apply_pos(replay, record, offset);
    case WAL_KIND_TRUNCATION:
    case WAL_KIND_CONFIGURATION:
    default:
        return fail(replay, ERR_VERSION, offset,
                    "a record is of a kind that this program does not know: start the program "
                    "that wrote it");
    }
}

/* wal_scan_record_fn. */
static err apply_record(void *ctx, const struct wal_record *record, uint64_t offset)
{
    struct wal_replay *replay = ctx;
    err e = apply(replay, record, offset);
    if (e == OK) {
        replay->records++;
    }
    return e == OK && replay->each != NULL ? replay->each(replay->ctx, record, offset) : e;
}

/* ---- segments ---- */

/* The bytes of the segment up to `size`. */
static err read_image(struct wal_replay *replay, uint64_t size, struct slice *out_image)
{
    if (replay->image_capacity < size) {
        mem_free(replay->image);
        replay->image = mem_alloc(size);
        replay->image_capacity = size;
    }
    const struct wal_replay_segment *segment = &replay->segments[replay->current];
    struct env_file *file = segment->file;
    if (file == NULL) {
        file = wal_segments_at(&replay->wal->segments, segment->sequence)->file;
    }
    size_t read_size;
    err e = env_file_read(file, 0, replay->image, size, &read_size);
    if (e != OK) {
        return fail_io(replay, e, "read");
    }
    if (read_size < size) {
        return fail(replay, ERR_DAMAGED, read_size, "the file has been cut here");
    }
    *out_image = (struct slice){replay->image, size};
    return OK;
}

/* Whether the mark is where the scan is, and agrees; where it is not there, it has no say. */
static err check_mark(struct wal_replay *replay)
{
    const struct wal_mark *mark = &replay->mark;
    const struct wal_scan *scan = &replay->scan;
    if (mark->sequence == replay->segments[replay->current].sequence && mark->end == scan->offset &&
        mark->last_crc != scan->previous_crc) {
        return fail(replay, ERR_DAMAGED, scan->offset,
                    "the file `synced` tells of another record before this offset");
    }
    return OK;
}

/* Applies the whole batches from the scan on, up to the first that is not whole: replay->fault says
 * why it is not, or what comes after the last one. */
static err apply_batches(struct wal_replay *replay)
{
    struct wal_scan next;
    err e = check_mark(replay);
    while (e == OK && wal_scan_batch(&replay->scan, &next, &replay->fault)) {
        e = wal_scan_apply(&replay->scan, apply_record, replay);
        replay->last_begin = replay->scan.offset;
        replay->last_end = next.offset;
        replay->batches++;
        replay->scan = next;
        if (e == OK) {
            e = check_mark(replay);
        }
    }
    return e;
}

/* All of a segment that is not the last is known to be good, by the header after it (R1). */
static err check_full_end(struct wal_replay *replay, const struct wal_header *following)
{
    const struct wal_scan *scan = &replay->scan;
    if (scan->offset != following->previous_end) {
        replay->is_at_fault = true;
        return fail(replay, ERR_DAMAGED, replay->fault.offset, replay->fault.what);
    }
    if (scan->previous_crc != following->previous_crc || scan->batch != following->first_batch) {
        return fail(replay, ERR_DAMAGED, scan->offset,
                    "the next segment continues another log than this");
    }
    return OK;
}

/* Up to where the last segment must verify (R1); S2 says that its first batch does. */
static uint64_t known_end(const struct wal_replay *replay, const struct wal_header *header)
{
    uint64_t end = header->sequence > 1 ? WAL_SECTOR_SIZE + 1 : WAL_SECTOR_SIZE;
    if (replay->mark.sequence == header->sequence && replay->mark.end > end) {
        end = replay->mark.end;
    }
    return end;
}

static err check_tail(struct wal_replay *replay, const struct wal_header *header)
{
    const struct wal_scan *scan = &replay->scan;
    const struct wal_fault *fault = &replay->fault;
    replay->is_at_fault = true;
    if (scan->offset < known_end(replay, header)) {
        return fail(replay, ERR_DAMAGED, fault->offset, fault->what);
    }
    uint64_t later = wal_scan_later_batch(scan);
    if (later != 0) {
        return err_note_set(replay->note, ERR_DAMAGED,
                            "%s: at offset %" PRIu64 ": %s, and at offset %" PRIu64
                            " something follows that was written later",
                            replay->path, fault->offset, fault->what, later);
    }
    replay->is_at_fault = false;
    replay->is_torn = wal_scan_has_torn_batch(scan);
    return OK;
}

/* NULL: the segment is the last, or which one follows is not known. */
static const struct wal_header *following_of(const struct wal_replay *replay)
{
    if (replay->current + 1 == replay->count) {
        return NULL;
    }
    const struct wal_replay_segment *next = &replay->segments[replay->current + 1];
    bool is_next = next->sequence == replay->segments[replay->current].sequence + 1;
    return next->is_known && is_next ? &next->header : NULL;
}

/* From the scan to the end. */
static err walk(struct wal_replay *replay)
{
    const struct wal_header *following = following_of(replay);
    replay->is_at_fault = false;
    err e = apply_batches(replay);
    if (e != OK) {
        return e;
    }
    if (following != NULL) {
        return check_full_end(replay, following);
    }
    if (replay->current + 1 == replay->count) {
        return check_tail(replay, &replay->segments[replay->current].header);
    }
    ASSERT(replay->is_broken);
    return OK; /* where it should end, only the header after it knows */
}

err wal_replay_walk(struct wal_replay *replay, size_t i)
{
    choose(replay, i);
    ASSERT(replay->segments[i].is_known);
    const struct wal_header *header = &replay->segments[i].header;
    const struct wal_header *following = following_of(replay);
    struct slice image = SLICE_EMPTY;
    replay->fault = (struct wal_fault){0};
    replay->batches = 0;
    replay->records = 0;
    replay->is_at_fault = false;
    replay->is_torn = false;
    replay->last_begin = 0;
    replay->last_end = 0;
    replay->scan = wal_scan_begin(image, header);
    if (following != NULL &&
        (following->previous_end > header->size || following->previous_end < WAL_SECTOR_SIZE)) {
        return fail(replay, ERR_DAMAGED, 0, "the next segment's header does not fit to it");
    }
    err e = read_image(replay, following != NULL ? following->previous_end : header->size, &image);
    if (e != OK) {
        return e;
    }
    replay->scan = wal_scan_begin(image, header);
    return walk(replay);
}

err wal_replay_resume(struct wal_replay *replay)
{
    ASSERT(replay->is_at_fault);
    struct wal_scan next;
    replay->is_broken = true;
    if (!wal_scan_resume(&replay->scan, &next)) {
        return ERR_NOT_FOUND;
    }
    replay->scan = next;
    return walk(replay);
}

err wal_replay_check_regions(struct wal_replay *replay)
{
    ASSERT(!replay->is_broken);
    const struct wal_index *index = &replay->wal->index;
    for (size_t i = 0; i < index->count; i++) {
        const struct wal_region *region = index->regions[i];
        if (region->first != region->compacted.index + 1) {
            return err_note_set(replay->note, ERR_DAMAGED,
                                "%s: region %" PRIu64 " has no entries %" PRIu64 " to %" PRIu64,
                                replay->wal->options.directory, region->id,
                                region->compacted.index + 1, region->first - 1);
        }
    }
    return OK;
}
