#include "wal/wal_recover.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_scan.h"

#define ADVICE                                                                                     \
    "; what was reported durable is not there any more: restore the file from a copy, or remove "  \
    "this node from the cluster and let it join again with an empty directory"

struct recovery {
    struct wal *wal;
    struct err_note *note;
    struct wal_header *headers; /* of the live segments, oldest first */
    size_t header_capacity;
    uint64_t *sequences; /* as listed */
    size_t sequence_count;
    size_t sequence_capacity;
    struct wal_mark mark; /* all zero: none */
    uint8_t *image;       /* of the segment at hand */
    size_t image_capacity;
    uint64_t sequence;        /* its number */
    char path[WAL_PATH_SIZE]; /* its name */
    /* The last whole batch of the log, if its segment has one. */
    uint64_t last_begin;
    uint64_t last_end;
};

static err fail(struct recovery *recovery, err e, uint64_t offset, const char *what)
{
    return err_note_set(recovery->note, e, "%s: at offset %" PRIu64 ": %s%s", recovery->path,
                        offset, what, e == ERR_DAMAGED ? ADVICE : "");
}

static err fail_io(struct recovery *recovery, err e, const char *what)
{
    return err_note_set(recovery->note, e, "%s: cannot %s: %s", recovery->path, what, err_title(e));
}

static void name_segment(struct recovery *recovery, uint64_t sequence)
{
    recovery->sequence = sequence;
    wal_path_format(recovery->path, recovery->wal->options.directory, WAL_FILE_SEGMENT, sequence);
}

/* ---- the directory ---- */

static void on_name(void *ctx, const char *name)
{
    struct recovery *recovery = ctx;
    struct wal *wal = recovery->wal;
    uint64_t number;
    enum wal_file_type type = wal_name_parse(name, &number);
    if (type == WAL_FILE_OTHER) {
        return;
    }
    if (type == WAL_FILE_SPARE || type == WAL_FILE_NEW) {
        wal_spares_reserve(&wal->spares, number);
        return;
    }
    if (recovery->sequence_count == recovery->sequence_capacity) {
        recovery->sequence_capacity = recovery->sequence_capacity * 2 + 16;
        recovery->sequences = mem_realloc(recovery->sequences, recovery->sequence_capacity,
                                          sizeof(*recovery->sequences));
    }
    recovery->sequences[recovery->sequence_count] = number;
    recovery->sequence_count++;
}

static err check_sequences(struct recovery *recovery)
{
    const uint64_t *sequences = recovery->sequences;
    size_t count = recovery->sequence_count;
    for (size_t i = 1; i < count; i++) { /* listed in byte order of names, which is theirs */
        if (sequences[i] != sequences[i - 1] + 1) {
            name_segment(recovery, sequences[i - 1] + 1);
            return err_note_set(recovery->note, ERR_DAMAGED, "%s is missing%s", recovery->path,
                                ADVICE);
        }
    }
    if (recovery->mark.sequence > (count > 0 ? sequences[count - 1] : 0)) {
        name_segment(recovery, recovery->mark.sequence);
        return err_note_set(recovery->note, ERR_DAMAGED,
                            "%s is missing, which has been synced up to offset %" PRIu64 "%s",
                            recovery->path, recovery->mark.end, ADVICE);
    }
    if (count > 0 && (sequences[0] == 0 || sequences[count - 1] >= UINT32_MAX)) {
        name_segment(recovery, sequences[0] == 0 ? 0 : sequences[count - 1]);
        return err_note_set(recovery->note, ERR_DAMAGED, "%s: not a name of the log's%s",
                            recovery->path, ADVICE);
    }
    return OK;
}

/* ---- headers ---- */

static err check_header(struct recovery *recovery, const struct wal_header *header,
                        uint64_t sequence, uint64_t file_size)
{
    const struct wal_options *options = &recovery->wal->options;
    if (header->cluster_id != options->cluster_id || header->node != options->node) {
        return err_note_set(recovery->note, ERR_IDENTITY,
                            "%s: belongs to node %" PRIu64 " of cluster %016" PRIx64
                            ", this is node %" PRIu64 " of cluster %016" PRIx64,
                            recovery->path, header->node, header->cluster_id, options->node,
                            options->cluster_id);
    }
    if (header->sequence != sequence) {
        return fail(recovery, ERR_DAMAGED, 0, "the header is another segment's");
    }
    if (header->size > file_size) {
        return fail(recovery, ERR_DAMAGED, file_size, "the file has been cut here");
    }
    if (header->size < WAL_SECTOR_SIZE || header->size > UINT32_MAX ||
        header->size % WAL_SECTOR_SIZE != 0 || header->first_batch == 0 ||
        header->previous_end > UINT32_MAX) {
        return fail(recovery, ERR_DAMAGED, 0, "the header makes no sense");
    }
    return OK;
}

static err read_header(struct recovery *recovery, struct env_file *file, uint64_t sequence,
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
        return fail_io(recovery, e, "read");
    }
    e = wal_header_decode(sector, out_header);
    if (e != OK) {
        return fail(recovery, e, 0,
                    e == ERR_VERSION ? "the header has a format version that this program does "
                                       "not know: start the program that wrote it"
                                     : "the header is damaged");
    }
    return check_header(recovery, out_header, sequence, file_size);
}

static err open_segment(struct recovery *recovery, size_t i)
{
    struct wal *wal = recovery->wal;
    uint64_t sequence = recovery->sequences[i];
    name_segment(recovery, sequence);
    struct env_file *file;
    err e = env_file_open(wal->options.env, recovery->path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file,
                          recovery->note);
    if (e != OK) {
        return e;
    }
    struct wal_header *header = &recovery->headers[i];
    e = read_header(recovery, file, sequence, header);
    if (e != OK) {
        env_file_close(file);
        return e;
    }
    wal_segments_push(&wal->segments, &(struct wal_segment){
                                          .sequence = sequence,
                                          .size = header->size,
                                          .first_batch = header->first_batch,
                                          .header_crc = header->crc,
                                          .file = file,
                                      });
    return OK;
}

static err open_segments(struct recovery *recovery)
{
    recovery->headers = mem_calloc(recovery->sequence_count, sizeof(*recovery->headers));
    for (size_t i = 0; i < recovery->sequence_count; i++) {
        err e = open_segment(recovery, i);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* ---- records ---- */

static err apply_entry(struct recovery *recovery, struct wal_region *region,
                       const struct wal_record *record, uint64_t offset)
{
    struct wal *wal = recovery->wal;
    struct entry entry;
    struct slice data;
    err e = wal_entry_decode(record->payload, &entry, &data);
    if (e != OK) {
        return e == ERR_VERSION
                   ? fail(recovery, e, offset,
                          "an entry is of a type that this program does not know: start the "
                          "program that wrote it")
                   : fail(recovery, ERR_DAMAGED, offset, "an entry cannot be decoded");
    }
    if (entry.pos.index <= region->compacted.index) {
        return fail(recovery, ERR_DAMAGED, offset, "an entry has an index that was compacted");
    }
    if (entry.pos.index < region->first || entry.pos.index > region->last + 1) {
        wal_region_restart(&wal->index, region, entry.pos.index); /* I1 */
    }
    struct wal_place place = {
        .segment = (uint32_t)recovery->sequence,
        .offset = (uint32_t)offset,
    };
    wal_region_restore(&wal->index, region, &entry, data.size, place);
    return OK;
}

static err apply_pos(struct recovery *recovery, struct wal_region *region,
                     const struct wal_record *record, uint64_t offset)
{
    struct wal *wal = recovery->wal;
    struct raft_pos pos;
    err e = wal_pos_decode(record->payload, &pos);
    if (e != OK) {
        return fail(recovery, ERR_DAMAGED, offset, "a mark cannot be decoded");
    }
    if (pos.index < region->compacted.index) {
        return fail(recovery, ERR_DAMAGED, offset, "a compaction mark goes back");
    }
    if (record->kind == WAL_KIND_SNAPSHOT) {
        wal_region_reset(&wal->index, region, pos, 0);
    } else {
        wal_region_compact(&wal->index, region, pos, 0);
    }
    return OK;
}

/* wal_scan_record_fn. */
static err apply_record(void *ctx, const struct wal_record *record, uint64_t offset)
{
    struct recovery *recovery = ctx;
    struct wal_region *region = wal_index_get(&recovery->wal->index, record->region);
    switch (record->kind) {
    case WAL_KIND_ENTRY:
        return apply_entry(recovery, region, record, offset);
    case WAL_KIND_HARD_STATE:
        if (wal_hard_state_decode(record->payload, &region->hard_state) != OK) {
            return fail(recovery, ERR_DAMAGED, offset, "a hard state cannot be decoded");
        }
        return OK;
    case WAL_KIND_COMPACTION:
    case WAL_KIND_SNAPSHOT:
        return apply_pos(recovery, region, record, offset);
    case WAL_KIND_TRUNCATION:
    case WAL_KIND_CONFIGURATION:
    default:
        return fail(recovery, ERR_VERSION, offset,
                    "a record is of a kind that this program does not know: start the program "
                    "that wrote it");
    }
}

/* ---- segments ---- */

/* The bytes of segment `i` up to `size`. */
static err read_image(struct recovery *recovery, size_t i, uint64_t size, struct slice *out_image)
{
    if (recovery->image_capacity < size) {
        mem_free(recovery->image);
        recovery->image = mem_alloc(size);
        recovery->image_capacity = size;
    }
    size_t read_size;
    err e =
        env_file_read(recovery->wal->segments.list[i].file, 0, recovery->image, size, &read_size);
    if (e != OK) {
        return fail_io(recovery, e, "read");
    }
    if (read_size < size) {
        return fail(recovery, ERR_DAMAGED, read_size, "the file has been cut here");
    }
    *out_image = (struct slice){recovery->image, size};
    return OK;
}

/* Whether the mark is where the scan is, and agrees; where it is not there, it has no say. */
static err check_mark(struct recovery *recovery, uint64_t sequence, const struct wal_scan *scan)
{
    const struct wal_mark *mark = &recovery->mark;
    if (mark->sequence == sequence && mark->end == scan->offset &&
        mark->last_crc != scan->previous_crc) {
        return fail(recovery, ERR_DAMAGED, scan->offset,
                    "the file `synced` tells of another record before this offset");
    }
    return OK;
}

/*
 * Applies the whole batches of the segment from `scan` on; returns with the scan before the first
 * one that is not whole, and *out_fault says why it is not, or at *end.
 */
static err apply_batches(struct recovery *recovery, uint64_t sequence, struct wal_scan *scan,
                         struct wal_fault *out_fault)
{
    struct wal_scan next;
    err e = check_mark(recovery, sequence, scan);
    while (e == OK && wal_scan_batch(scan, &next, out_fault)) {
        e = wal_scan_apply(scan, apply_record, recovery);
        recovery->last_begin = scan->offset;
        recovery->last_end = next.offset;
        *scan = next;
        if (e == OK) {
            e = check_mark(recovery, sequence, scan);
        }
    }
    return e;
}

/* All of a segment that is not the last is known to be good, by the header after it (R1). */
static err recover_full_segment(struct recovery *recovery, size_t i)
{
    const struct wal_header *header = &recovery->headers[i];
    const struct wal_header *following = &recovery->headers[i + 1];
    struct slice image = SLICE_EMPTY;
    if (following->previous_end > header->size || following->previous_end < WAL_SECTOR_SIZE) {
        return fail(recovery, ERR_DAMAGED, 0, "the next segment's header does not fit to it");
    }
    err e = read_image(recovery, i, following->previous_end, &image);
    if (e != OK) {
        return e;
    }
    struct wal_scan scan = wal_scan_begin(image, header);
    struct wal_fault fault = {0};
    e = apply_batches(recovery, header->sequence, &scan, &fault);
    if (e != OK) {
        return e;
    }
    if (scan.offset != following->previous_end) {
        return fail(recovery, ERR_DAMAGED, fault.offset, fault.what);
    }
    if (scan.previous_crc != following->previous_crc || scan.batch != following->first_batch) {
        return fail(recovery, ERR_DAMAGED, scan.offset,
                    "the next segment continues another log than this");
    }
    return OK;
}

/* Up to where the last segment must verify (R1); S2 says that its first batch does. */
static uint64_t known_end(const struct recovery *recovery, const struct wal_header *header)
{
    uint64_t end = header->sequence > 1 ? WAL_SECTOR_SIZE + 1 : WAL_SECTOR_SIZE;
    if (recovery->mark.sequence == header->sequence && recovery->mark.end > end) {
        end = recovery->mark.end;
    }
    return end;
}

static err check_tail(struct recovery *recovery, const struct wal_header *header,
                      const struct wal_scan *scan, const struct wal_fault *fault)
{
    if (scan->offset < known_end(recovery, header)) {
        return fail(recovery, ERR_DAMAGED, fault->offset, fault->what);
    }
    uint64_t later = wal_scan_later_batch(scan);
    if (later != 0) {
        return err_note_set(recovery->note, ERR_DAMAGED,
                            "%s: at offset %" PRIu64 ": %s, and at offset %" PRIu64
                            " something follows that was written later%s",
                            recovery->path, fault->offset, fault->what, later, ADVICE);
    }
    if (wal_scan_has_torn_batch(scan)) {
        LOG_WARN(recovery->wal->options.log, "log: torn tail cut", LOG_TEXT("file", recovery->path),
                 LOG_U64("offset", scan->offset), LOG_U64("fault_offset", fault->offset),
                 LOG_TEXT("fault", fault->what));
    }
    return OK;
}

/* R3 and R4. */
static err repair_tail(struct recovery *recovery, const struct wal_scan *scan)
{
    struct wal *wal = recovery->wal;
    struct wal_segment *segment = wal_segments_current(&wal->segments);
    const struct wal_mark *mark = &recovery->mark;
    bool is_marked = mark->sequence == segment->sequence && mark->end >= recovery->last_end;
    err e = OK;
    if (recovery->last_end != 0 && !is_marked) {
        struct iovec part = {
            .iov_base = recovery->image + recovery->last_begin,
            .iov_len = recovery->last_end - recovery->last_begin,
        };
        e = env_file_write(segment->file, recovery->last_begin, &part, 1);
    }
    if (e == OK && scan->offset < segment->size) {
        e = wal_file_zero(segment->file, scan->offset, WAL_SECTOR_SIZE);
    }
    if (e == OK) {
        e = env_file_sync(segment->file);
    }
    if (e != OK) {
        return fail_io(recovery, e, "make what was kept durable");
    }
    e = env_dir_sync(wal->options.env, wal->options.directory);
    return e == OK ? OK : fail_io(recovery, e, "sync its directory");
}

static err recover_last_segment(struct recovery *recovery, size_t i)
{
    struct wal *wal = recovery->wal;
    const struct wal_header *header = &recovery->headers[i];
    struct slice image = SLICE_EMPTY;
    err e = read_image(recovery, i, header->size, &image);
    if (e != OK) {
        return e;
    }
    struct wal_scan scan = wal_scan_begin(image, header);
    struct wal_fault fault = {0};
    recovery->last_begin = 0;
    recovery->last_end = 0;
    e = apply_batches(recovery, header->sequence, &scan, &fault);
    if (e == OK) {
        e = check_tail(recovery, header, &scan, &fault);
    }
    if (e == OK) {
        e = repair_tail(recovery, &scan);
    }
    if (e != OK) {
        return e;
    }
    wal->end = scan.offset;
    wal->last_batch = scan.batch - 1;
    wal->last_crc = scan.previous_crc;
    return OK;
}

/* I1 for the log's users: what stands further on has been found. */
static err check_regions(struct recovery *recovery)
{
    const struct wal_index *index = &recovery->wal->index;
    for (size_t i = 0; i < index->count; i++) {
        const struct wal_region *region = index->regions[i];
        if (region->first != region->compacted.index + 1) {
            return err_note_set(recovery->note, ERR_DAMAGED,
                                "%s: region %" PRIu64 " has no entries %" PRIu64 " to %" PRIu64
                                "%s",
                                recovery->wal->options.directory, region->id,
                                region->compacted.index + 1, region->first - 1, ADVICE);
        }
    }
    return OK;
}

static err recover_segments(struct recovery *recovery)
{
    err e = open_segments(recovery);
    for (size_t i = 0; e == OK && i < recovery->sequence_count; i++) {
        name_segment(recovery, recovery->sequences[i]);
        e = i + 1 < recovery->sequence_count ? recover_full_segment(recovery, i)
                                             : recover_last_segment(recovery, i);
    }
    return e == OK ? check_regions(recovery) : e;
}

/* ---- a new log ---- */

/* The file gets its name once it is durable, as every segment (S2); it has no batch yet. */
static err create_first_segment(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    struct wal_options *options = &wal->options;
    struct wal_header header = {
        .cluster_id = options->cluster_id,
        .node = options->node,
        .sequence = 1,
        .size = options->segment_size_bytes,
        .first_batch = 1,
        .salt = env_random(options->env),
    };
    uint8_t sector[WAL_SECTOR_SIZE];
    wal_header_encode(&header, sector);
    struct iovec part = {.iov_base = sector, .iov_len = sizeof(sector)};
    struct env_file *file;
    wal_path_format(recovery->path, options->directory, WAL_FILE_NEW,
                    wal_spares_number(&wal->spares));
    err e = wal_file_create(options->env, recovery->path, sizeof(sector), header.size, &file,
                            recovery->note);
    if (e != OK) {
        return e;
    }
    wal_segments_push(&wal->segments, &(struct wal_segment){
                                          .sequence = header.sequence,
                                          .size = header.size,
                                          .first_batch = header.first_batch,
                                          .header_crc = header.crc,
                                          .file = file,
                                      });
    char path[WAL_PATH_SIZE];
    wal_path_format(path, options->directory, WAL_FILE_SEGMENT, header.sequence);
    e = env_file_write(file, 0, &part, 1);
    if (e == OK) {
        e = env_file_sync(file);
    }
    if (e == OK) {
        e = env_rename(options->env, recovery->path, path);
    }
    if (e == OK) {
        e = env_dir_sync(options->env, options->directory);
    }
    wal->end = WAL_SECTOR_SIZE;
    wal->last_crc = header.crc;
    return e == OK ? OK : fail_io(recovery, e, "make the first segment durable");
}

/* ---- spares and the mark ---- */

static err adopt_spare(struct wal *wal, const char *path, uint64_t number, struct err_note *note)
{
    struct env_file *file;
    err e = env_file_open(wal->options.env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, note);
    if (e != OK) {
        return e;
    }
    uint64_t size = 0;
    e = env_file_size(file, &size);
    if (e == OK && size == wal->spares.segment_size && wal_spares_has_room(&wal->spares)) {
        wal_spares_adopt(&wal->spares, &(struct wal_spare){.number = number, .file = file});
        return OK;
    }
    env_file_close(file);
    if (e == OK) {
        e = env_unlink(wal->options.env, path);
    }
    return e == OK ? OK : err_note_set(note, e, "%s: %s", path, err_title(e));
}

struct spare_names {
    struct recovery *recovery;
    err e;
};

/* Takes over the spares; deletes what was half made. */
static void on_spare_name(void *ctx, const char *name)
{
    struct spare_names *names = ctx;
    struct recovery *recovery = names->recovery;
    struct wal *wal = recovery->wal;
    uint64_t number;
    enum wal_file_type type = wal_name_parse(name, &number);
    if (names->e != OK || (type != WAL_FILE_SPARE && type != WAL_FILE_NEW)) {
        return;
    }
    wal_path_format(recovery->path, wal->options.directory, type, number);
    if (type == WAL_FILE_SPARE) {
        names->e = adopt_spare(wal, recovery->path, number, recovery->note);
        return;
    }
    err e = env_unlink(wal->options.env, recovery->path);
    if (e != OK) {
        names->e = fail_io(recovery, e, "delete");
    }
}

static err recover_mark(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    enum wal_marks_state state;
    err e = wal_marks_open(&wal->marks, wal->options.env, wal->options.directory, &recovery->mark,
                           &state, recovery->note);
    if (e == OK && state != WAL_MARKS_VALID && recovery->sequence_count > 0) {
        LOG_WARN(wal->options.log,
                 state == WAL_MARKS_MISSING
                     ? "log: file synced is missing; a damaged last batch cannot be told from a "
                       "torn one"
                     : "log: file synced is damaged; a damaged last batch cannot be told from a "
                       "torn one",
                 LOG_TEXT("file", wal->marks.path));
    }
    return e;
}

/* The mark is where the log ends from now on. */
static err renew_mark(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    struct wal_mark mark = {
        .sequence = wal_segments_current(&wal->segments)->sequence,
        .end = wal->end,
        .last_crc = wal->last_crc,
    };
    err e = wal_marks_write(&wal->marks, mark);
    if (e == OK) {
        e = wal_marks_sync(&wal->marks);
    }
    if (e == OK) {
        e = env_dir_sync(wal->options.env, wal->options.directory);
    }
    return e == OK ? OK
                   : err_note_set(recovery->note, e, "%s: cannot write: %s", wal->marks.path,
                                  err_title(e));
}

static err run(struct recovery *recovery)
{
    const struct wal_options *options = &recovery->wal->options;
    err e = env_dir_list(options->env, options->directory, on_name, recovery);
    if (e != OK) {
        return err_note_set(recovery->note, e, "%s: cannot list: %s", options->directory,
                            err_title(e));
    }
    e = recover_mark(recovery);
    if (e == OK) {
        e = check_sequences(recovery);
    }
    if (e != OK) {
        return e;
    }
    e = recovery->sequence_count > 0 ? recover_segments(recovery) : create_first_segment(recovery);
    if (e != OK) {
        return e;
    }
    struct spare_names names = {.recovery = recovery};
    e = env_dir_list(options->env, options->directory, on_spare_name, &names);
    if (e == OK) {
        e = names.e;
    }
    return e == OK ? renew_mark(recovery) : e;
}

err wal_recover(struct wal *wal, struct err_note *note)
{
    struct recovery recovery = {.wal = wal, .note = note};
    err e = run(&recovery);
    mem_free(recovery.headers);
    mem_free(recovery.sequences);
    mem_free(recovery.image);
    return e;
}
