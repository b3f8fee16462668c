#include "wal/wal_mend.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_hole.h"
#include "wal/wal_redo.h"
#include "wal/wal_replay.h"

struct item {
    struct wal_hole hole;
    size_t segment;     /* its position in the list */
    struct entry *told; /* high - low of them; NULL: nothing was told yet */
    bool has_next;      /* an entry behind it is known, and with it `high` */
    bool is_filled;
};

/* A whole entry's record. */
struct place {
    uint64_t index;
    uint32_t segment; /* position in the list */
    uint32_t offset;
    uint32_t size;
};

struct wal_mend {
    struct wal wal; /* never opened: what the replay reads its options from */
    struct wal_replay replay;
    region_id region;
    struct item *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t left;
    struct place *places; /* in the order of the log */
    size_t place_count;
    size_t place_capacity;
    uint64_t index_max; /* of all places */
};

/* The walk through one segment. */
struct walk {
    struct wal_mend *mend;
    size_t segment;
    const struct wal_header *following; /* NULL: it is the last */
    struct wal_scan scan;               /* behind what was verified, or is a hole */
    bool is_first;                      /* a batch begins there */
    uint64_t later;      /* of the last segment, behind the mark: where the batch after the one at
                          hand begins; 0: that is whole */
    uint64_t last_index; /* the last whole entry's, over all segments; 0: none yet */
    struct hard_state hard_state; /* likewise */
    struct err_note *note;
};

static void name_segment(const struct wal_mend *mend, size_t i, char path[WAL_PATH_SIZE])
{
    wal_path_format(path, mend->wal.options.directory, WAL_FILE_SEGMENT,
                    mend->replay.segments[i].sequence);
}

/* N2 */
static err refuse(const struct walk *walk, const char *what)
{
    char path[WAL_PATH_SIZE];
    name_segment(walk->mend, walk->segment, path);
    return err_note_set(walk->note, ERR_UNAVAILABLE, "%s: at offset %" PRIu64 ": %s", path,
                        walk->scan.offset, what);
}

/* ---- what is whole ---- */

static void add_place(struct wal_mend *mend, uint64_t index, size_t segment, uint64_t offset,
                      size_t size)
{
    if (mend->place_count == mend->place_capacity) {
        mend->place_capacity = mend->place_capacity * 2 + 64;
        mend->places = mem_realloc(mend->places, mend->place_capacity, sizeof(*mend->places));
    }
    mend->places[mend->place_count] =
        (struct place){index, (uint32_t)segment, (uint32_t)offset, (uint32_t)size};
    mend->place_count++;
    mend->index_max = index > mend->index_max ? index : mend->index_max;
}

/* Which entries may be missing before entry `next`: most often those between the one before the
 * hole and this one. */
static void bound(struct wal_hole *hole, uint64_t next)
{
    const uint64_t most = WAL_HOLE_ENTRIES_MAX;
    if (hole->low == 0) { /* none is before it */
        hole->low = next > most ? next - most : 1;
        hole->high = next;
    } else if (next > hole->low) {
        hole->high = next - hole->low > most ? hole->low + most : next;
    } else { /* no entry, or one that replaces others; or `next` does */
        hole->low = next > most / 2 ? next - most / 2 : 1;
        hole->high = hole->low + most;
        hole->begins_at_low = false;
    }
}

static void see_entry(struct walk *walk, uint64_t index)
{
    struct wal_mend *mend = walk->mend;
    walk->last_index = index;
    for (uint32_t i = mend->count; i > 0 && !mend->items[i - 1].has_next; i--) {
        mend->items[i - 1].has_next = true;
        bound(&mend->items[i - 1].hole, index);
    }
}

static void see_hard_state(struct walk *walk, const struct hard_state *hard_state)
{
    struct wal_mend *mend = walk->mend;
    walk->hard_state = *hard_state;
    for (uint32_t i = mend->count; i > 0 && !mend->items[i - 1].hole.has_after; i--) {
        mend->items[i - 1].hole.has_after = true;
        mend->items[i - 1].hole.after = *hard_state;
    }
}

/* Takes note of a record that is whole and in its place. */
static err take(struct walk *walk, const struct wal_record *record)
{
    struct entry entry;
    struct slice data;
    struct hard_state hard_state;
    struct raft_pos pos;
    if (record->kind != WAL_KIND_ENTRY && record->kind != WAL_KIND_HARD_STATE &&
        record->kind != WAL_KIND_COMPACTION && record->kind != WAL_KIND_SNAPSHOT) {
        return refuse(walk, "a record of a kind that this program does not know");
    }
    if (record->region != walk->mend->region) {
        return OK;
    }
    if (record->kind == WAL_KIND_ENTRY) {
        if (wal_entry_decode(record->payload, &entry, &data) != OK) {
            return refuse(walk, "an entry cannot be decoded");
        }
        add_place(walk->mend, entry.pos.index, walk->segment, walk->scan.offset,
                  wal_record_size(record));
        see_entry(walk, entry.pos.index);
    } else if (record->kind == WAL_KIND_HARD_STATE) {
        if (wal_hard_state_decode(record->payload, &hard_state) != OK) {
            return refuse(walk, "a hard state cannot be decoded");
        }
        see_hard_state(walk, &hard_state);
    } else {
        if (wal_pos_decode(record->payload, &pos) != OK) {
            return refuse(walk, "a mark cannot be decoded");
        }
        walk->last_index = record->kind == WAL_KIND_SNAPSHOT ? pos.index : walk->last_index;
    }
    return OK;
}

/* ---- holes ---- */

static struct slice rest(const struct walk *walk, uint64_t offset)
{
    const struct slice *image = &walk->scan.image;
    return offset < image->size ? (struct slice){image->data + offset, image->size - offset}
                                : SLICE_EMPTY;
}

/* The scan goes on behind the hole. */
static err add_hole(struct walk *walk, uint64_t end, bool is_last, uint32_t crc)
{
    struct wal_mend *mend = walk->mend;
    struct wal_scan *scan = &walk->scan;
    if (mend->count == WAL_MEND_HOLES_MAX) {
        return refuse(walk, "too much of it is damaged");
    }
    if (mend->count == mend->capacity) {
        mend->capacity = mend->capacity * 2 + 16;
        mend->items = mem_realloc(mend->items, mend->capacity, sizeof(*mend->items));
    }
    bool is_alone = mend->count == 0 || mend->items[mend->count - 1].has_next;
    mend->items[mend->count] = (struct item){
        .hole =
            {
                .header_crc = scan->header_crc,
                .offset = scan->offset,
                .end = end,
                .batch = scan->batch,
                .is_first = walk->is_first,
                .is_last = is_last,
                .previous_crc = scan->previous_crc,
                .crc = crc,
                .region = mend->region,
                .low = walk->last_index > 0 ? walk->last_index + 1 : 0,
                .begins_at_low = walk->last_index > 0 && is_alone,
                .before = walk->hard_state,
            },
        .segment = walk->segment,
    };
    mend->count++;
    scan->offset = end;
    scan->batch += is_last ? 1 : 0;
    scan->previous_crc = crc;
    walk->is_first = is_last;
    return OK;
}

/* The first whole record behind the scan's offset and before `limit`, of this batch or a later
 * one; 0: there is none. */
static uint64_t find_record(const struct walk *walk, uint64_t limit, struct wal_record *out_record)
{
    const struct wal_scan *scan = &walk->scan;
    for (uint64_t at = scan->offset + WAL_RECORD_HEAD_SIZE; at < limit; at++) {
        struct slice bytes = rest(walk, at);
        if (wal_record_decode_head(bytes, scan->header_crc, at, out_record) == OK &&
            out_record->batch >= scan->batch &&
            wal_record_decode(bytes, scan->header_crc, at, out_record) == OK) {
            return at;
        }
    }
    return 0;
}

static bool is_marked(const struct walk *walk)
{
    const struct wal_replay *replay = &walk->mend->replay;
    return walk->following == NULL &&
           replay->mark.sequence == replay->segments[walk->segment].sequence;
}

/* How far the hole at the scan's offset goes, and what tells its last CRC (C1). */
static err find_hole(struct walk *walk)
{
    const struct wal_scan *scan = &walk->scan;
    const struct wal_mark *mark = &walk->mend->replay.mark;
    uint64_t limit = walk->later != 0 ? walk->later + 1 : scan->image.size;
    bool is_before_mark = walk->later == 0 && is_marked(walk);
    if (is_before_mark && mark->end < limit) {
        limit = mark->end;
    }
    struct wal_record record;
    uint64_t at = find_record(walk, limit, &record);
    bool begins = at != 0 && (record.flags & WAL_FLAG_FIRST) != 0;
    if (at != 0 && record.batch == scan->batch && !begins) {
        return add_hole(walk, at, false, record.previous_crc);
    }
    if (at != 0 && record.batch == scan->batch + 1 && begins && at % WAL_SECTOR_SIZE == 0) {
        return add_hole(walk, at, true, record.previous_crc);
    }
    if (at == 0 && limit % WAL_SECTOR_SIZE == 0 && walk->following != NULL &&
        walk->following->first_batch == scan->batch + 1) {
        return add_hole(walk, limit, true, walk->following->previous_crc);
    }
    if (at == 0 && limit % WAL_SECTOR_SIZE == 0 && is_before_mark) {
        return add_hole(walk, limit, true, mark->last_crc);
    }
    return refuse(walk, "more than a part of one batch is damaged");
}

/* ---- the walk ---- */

/* At the begin of a batch: whether the log of the segment ends here, or what follows is torn. */
static err look_at_batch(struct walk *walk, bool *out_is_over)
{
    struct wal_scan *scan = &walk->scan;
    const struct wal_mark *mark = &walk->mend->replay.mark;
    walk->later = 0;
    *out_is_over = scan->offset >= scan->image.size;
    if (walk->following != NULL) {
        return OK;
    }
    if (is_marked(walk) && scan->offset == mark->end && mark->last_crc != scan->previous_crc) {
        return refuse(walk, "the mark tells of another record before this");
    }
    if (is_marked(walk) && scan->offset < mark->end) {
        return OK;
    }
    struct wal_scan next;
    struct wal_fault fault;
    if (!*out_is_over && !wal_scan_batch(scan, &next, &fault)) {
        walk->later = wal_scan_later_batch(scan);
        *out_is_over = walk->later == 0; /* N3 */
    }
    return OK;
}

/* The record at the scan's offset, or the hole that is there. */
static err step(struct walk *walk)
{
    struct wal_scan *scan = &walk->scan;
    struct wal_record record;
    if (wal_record_decode(rest(walk, scan->offset), scan->header_crc, scan->offset, &record) !=
        OK) {
        return find_hole(walk);
    }
    const char *misfit = wal_scan_misfit(scan, &record, walk->is_first);
    err e = misfit == NULL ? take(walk, &record) : refuse(walk, misfit);
    if (e != OK) {
        return e;
    }
    bool is_last = (record.flags & WAL_FLAG_LAST) != 0;
    scan->offset += wal_record_size(&record);
    scan->offset = is_last ? wal_sector_round(scan->offset) : scan->offset;
    scan->batch += is_last ? 1 : 0;
    scan->previous_crc = record.crc;
    walk->is_first = is_last;
    return OK;
}

static err read_image(struct walk *walk, uint64_t size, uint8_t **out_image)
{
    char path[WAL_PATH_SIZE];
    size_t read_size = 0;
    uint8_t *image = mem_alloc(size);
    err e =
        env_file_read(walk->mend->replay.segments[walk->segment].file, 0, image, size, &read_size);
    if (e == OK && read_size == size) {
        *out_image = image;
        return OK;
    }
    mem_free(image);
    if (e == OK) {
        return refuse(walk, "the file has been cut");
    }
    name_segment(walk->mend, walk->segment, path);
    return err_note_set(walk->note, e, "%s: cannot read: %s", path, err_title(e));
}

static err walk_image(struct walk *walk)
{
    bool is_over = false;
    err e = OK;
    while (e == OK && !is_over) {
        if (walk->is_first) {
            e = look_at_batch(walk, &is_over);
        }
        if (e == OK && !is_over) {
            e = step(walk);
        }
    }
    const struct wal_header *following = walk->following;
    if (e == OK && following != NULL &&
        (walk->scan.offset != following->previous_end ||
         walk->scan.previous_crc != following->previous_crc ||
         walk->scan.batch != following->first_batch)) {
        return refuse(walk, "the next segment continues another log than this");
    }
    return e;
}

static err walk_segment(struct walk *walk, size_t i)
{
    const struct wal_replay *replay = &walk->mend->replay;
    ASSERT(replay->segments != NULL);
    const struct wal_header *header = &replay->segments[i].header;
    walk->segment = i;
    walk->following = i + 1 < replay->count ? &replay->segments[i + 1].header : NULL;
    walk->is_first = true;
    walk->scan = (struct wal_scan){.offset = 0};
    uint64_t size = walk->following != NULL ? walk->following->previous_end : header->size;
    if (size > header->size || size < WAL_SECTOR_SIZE) {
        return refuse(walk, "the next segment's header does not fit to it");
    }
    uint8_t *image = NULL;
    err e = read_image(walk, size, &image);
    if (e == OK) {
        walk->scan = wal_scan_begin((struct slice){image, size}, header);
        e = walk_image(walk);
    }
    mem_free(image);
    return e;
}

/* ---- opening ---- */

/* N2: all names and headers are as they should be. */
static err open_segments(struct wal_mend *mend, struct err_note *note)
{
    struct wal_replay *replay = &mend->replay;
    struct wal_marks_view view;
    err e = wal_marks_look(mend->wal.options.env, mend->wal.options.directory, &view, note);
    if (e == OK) {
        replay->mark = view.mark;
        e = wal_replay_list(replay);
    }
    for (size_t i = 0; e == OK && i <= replay->count; i++) {
        e = wal_replay_check_name(replay, i);
    }
    for (size_t i = 0; e == OK && i < replay->count; i++) {
        e = wal_replay_open(replay, i);
    }
    return e == ERR_DAMAGED ? ERR_UNAVAILABLE : e; /* with replay's own note */
}

static err find_holes(struct wal_mend *mend, struct err_note *note)
{
    struct walk walk = {.mend = mend, .note = note};
    err e = open_segments(mend, note);
    for (size_t i = 0; e == OK && i < mend->replay.count; i++) {
        e = walk_segment(&walk, i);
    }
    if (e == OK && mend->count == 0) {
        return err_note_set(note, ERR_UNAVAILABLE, "%s: each record of it is whole",
                            mend->wal.options.directory);
    }
    for (uint32_t i = 0; i < mend->count; i++) {
        struct item *item = &mend->items[i];
        if (!item->has_next) { /* the log ends with it, or nearly */
            item->hole.low = item->hole.low == 0 ? 1 : item->hole.low;
            item->hole.high = item->hole.low + WAL_HOLE_ENTRIES_MAX;
        }
    }
    mend->left = mend->count;
    return e;
}

static void note_entries(struct wal_mend *mend, const struct item *item, struct slice bytes)
{
    uint64_t offset = item->hole.offset;
    while (bytes.size > WAL_RECORD_HEAD_SIZE && offset < item->hole.end) {
        struct wal_record record;
        struct entry entry;
        struct slice data;
        if (wal_record_decode(bytes, item->hole.header_crc, offset, &record) != OK) {
            return; /* the padding */
        }
        size_t size = wal_record_size(&record);
        if (record.kind == WAL_KIND_ENTRY &&
            wal_entry_decode(record.payload, &entry, &data) == OK) {
            add_place(mend, entry.pos.index, item->segment, offset, size);
        }
        bytes.data += size;
        bytes.size -= size;
        offset += size;
    }
}

static void forget_told(struct item *item)
{
    for (uint64_t i = 0; item->told != NULL && i < item->hole.high - item->hole.low; i++) {
        buf_unref(item->told[i].data);
    }
    mem_free(item->told);
    item->told = NULL;
}

/* Before anything is written (wal_redo.h). */
static err note_holes(const struct wal_mend *mend, struct err_note *note)
{
    struct wal_redo_place *places = mem_calloc(mend->count, sizeof(*places));
    for (uint32_t i = 0; i < mend->count; i++) {
        const struct item *item = &mend->items[i];
        places[i] = (struct wal_redo_place){
            .segment = mend->replay.segments[item->segment].sequence,
            .offset = item->hole.offset,
            .size = item->hole.end - item->hole.offset,
        };
    }
    const struct wal_options *options = &mend->wal.options;
    err e = wal_redo_note(options->env, options->directory, places, mend->count, note);
    mem_free(places);
    return e;
}

/* N1. Whether it is filled. */
static bool try_to_fill(struct wal_mend *mend, struct item *item)
{
    static const struct entry none[WAL_HOLE_ENTRIES_MAX];
    struct writer bytes = {0};
    item->is_filled = wal_hole_fill(&item->hole, item->told != NULL ? item->told : none, &bytes);
    if (item->is_filled) {
        char path[WAL_PATH_SIZE];
        struct iovec part = {.iov_base = bytes.data, .iov_len = bytes.size};
        name_segment(mend, item->segment, path);
        wal_must(
            env_file_write(mend->replay.segments[item->segment].file, item->hole.offset, &part, 1),
            "write", path);
        note_entries(mend, item, writer_slice(&bytes));
        forget_told(item);
        mend->left--;
    }
    writer_deinit(&bytes);
    return item->is_filled;
}

/* What takes no entry is filled at once; whatever can take none, and is not, cannot be. */
static err fill_alone(struct wal_mend *mend, struct err_note *note)
{
    for (uint32_t i = 0; i < mend->count; i++) {
        struct item *item = &mend->items[i];
        const struct wal_hole *hole = &item->hole;
        bool is_possible =
            hole->low < hole->high && hole->end - hole->offset >= WAL_ENTRY_RECORD_SIZE(0);
        if (!try_to_fill(mend, item) && !is_possible) {
            char path[WAL_PATH_SIZE];
            name_segment(mend, item->segment, path);
            return err_note_set(note, ERR_UNAVAILABLE,
                                "%s: at offset %" PRIu64 ": it is not known what was there", path,
                                hole->offset);
        }
    }
    return OK;
}

err wal_mend_open(struct wal_mend **out_mend, const struct wal_options *options, region_id region,
                  struct err_note *note)
{
    ASSERT(strlen(options->directory) <= WAL_DIRECTORY_SIZE_MAX);
    struct wal_mend *mend = mem_calloc(1, sizeof(*mend));
    mend->wal.options = *options;
    mend->wal.options.directory = mem_strdup(options->directory);
    mend->region = region;
    mend->replay = (struct wal_replay){
        .wal = &mend->wal,
        .note = note,
        .open_flags = ENV_OPEN_READ | ENV_OPEN_WRITE,
    };
    err e = find_holes(mend, note);
    if (e == OK) {
        e = note_holes(mend, note);
    }
    if (e == OK) {
        e = fill_alone(mend, note);
    }
    mend->replay.note = NULL;
    if (e != OK) {
        wal_mend_close(mend);
        return e;
    }
    *out_mend = mend;
    return OK;
}

void wal_mend_close(struct wal_mend *mend)
{
    if (mend == NULL) {
        return;
    }
    for (uint32_t i = 0; i < mend->count; i++) {
        forget_told(&mend->items[i]);
    }
    wal_replay_deinit(&mend->replay);
    mem_free((char *)(uintptr_t)mend->wal.options.directory);
    mem_free(mend->items);
    mem_free(mend->places);
    mem_free(mend);
}

/* ---- its use ---- */

uint32_t wal_mend_left(const struct wal_mend *mend)
{
    return mend->left;
}

uint32_t wal_mend_count(const struct wal_mend *mend)
{
    return mend->count;
}

bool wal_mend_next(const struct wal_mend *mend, uint32_t number, struct wal_mend_gap *out_gap)
{
    while (number < mend->count && mend->items[number].is_filled) {
        number++;
    }
    if (number >= mend->count) {
        return false;
    }
    const struct item *item = &mend->items[number];
    *out_gap = (struct wal_mend_gap){
        .number = number,
        .segment = mend->replay.segments[item->segment].sequence,
        .offset = item->hole.offset,
        .low = item->hole.low,
        .high = item->hole.high,
    };
    return true;
}

bool wal_mend_offer(struct wal_mend *mend, uint32_t number, const struct entry *entries,
                    uint32_t count)
{
    ASSERT(number < mend->count);
    struct item *item = &mend->items[number];
    const struct wal_hole *hole = &item->hole;
    if (item->is_filled) {
        return true;
    }
    if (item->told == NULL) {
        item->told = mem_calloc((size_t)(hole->high - hole->low) + 1, sizeof(*item->told));
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];
        bool is_possible = entry->pos.index >= hole->low && entry->pos.index < hole->high &&
                           WAL_ENTRY_RECORD_SIZE(entry_size(entry)) <= hole->end - hole->offset;
        if (is_possible) {
            struct entry *told = &item->told[entry->pos.index - hole->low];
            buf_unref(told->data);
            *told = *entry;
            told->data = buf_ref(entry->data);
        }
    }
    return try_to_fill(mend, item);
}

/* The newest place of entry `index`; NULL: it is not here, or in a hole. */
static const struct place *find_place(const struct wal_mend *mend, uint64_t index)
{
    for (size_t i = index <= mend->index_max ? mend->place_count : 0; i > 0; i--) {
        if (mend->places[i - 1].index == index) {
            return &mend->places[i - 1];
        }
    }
    return NULL;
}

static bool read_entry(const struct wal_mend *mend, const struct place *place,
                       struct entry *out_entry)
{
    const struct wal_replay_segment *segment = &mend->replay.segments[place->segment];
    struct buf *bytes = buf_new(place->size);
    struct wal_record record;
    struct slice data;
    size_t size = 0;
    bool is_read =
        env_file_read(segment->file, place->offset, bytes->data, place->size, &size) == OK &&
        size == place->size &&
        wal_record_decode(buf_slice(bytes), segment->header.crc, place->offset, &record) == OK &&
        wal_entry_decode(record.payload, out_entry, &data) == OK;
    if (is_read) {
        out_entry->data = data.size > 0 ? buf_copy(data) : NULL;
    }
    buf_unref(bytes);
    return is_read;
}

uint32_t wal_mend_read(const struct wal_mend *mend, const struct wal_range *range,
                       struct entry *out_entries)
{
    uint32_t count = 0;
    uint64_t size = 0;
    for (uint64_t index = range->low; range->region == mend->region && index < range->high;
         index++) {
        const struct place *place = find_place(mend, index);
        if (place != NULL && count > 0 && size + place->size > range->size_max) {
            break;
        }
        if (place != NULL && read_entry(mend, place, &out_entries[count])) {
            size += place->size;
            count++;
        }
    }
    return count;
}
