#include "wal/wal_scan.h"

#include "base/assert.h"

struct wal_scan wal_scan_begin(struct slice image, const struct wal_header *header)
{
    return (struct wal_scan){
        .image = image,
        .header_crc = header->crc,
        .offset = WAL_SECTOR_SIZE,
        .batch = header->first_batch,
        .previous_crc = header->crc,
    };
}

/* What there is from `offset` on. */
static struct slice rest(const struct wal_scan *scan, uint64_t offset)
{
    if (offset >= scan->image.size) {
        return SLICE_EMPTY;
    }
    return (struct slice){scan->image.data + offset, scan->image.size - offset};
}

const char *wal_scan_misfit(const struct wal_scan *scan, const struct wal_record *record,
                            bool is_first)
{
    if (record->batch != scan->batch) {
        return "a record has another batch's number";
    }
    if (record->previous_crc != scan->previous_crc) {
        return "a record does not continue the chain";
    }
    if (is_first != ((record->flags & WAL_FLAG_FIRST) != 0)) {
        return "a batch does not begin where it should";
    }
    return NULL;
}

bool wal_scan_batch(const struct wal_scan *scan, struct wal_scan *out_next,
                    struct wal_fault *out_fault)
{
    ASSERT(scan->offset % WAL_SECTOR_SIZE == 0);
    struct wal_scan at = *scan; /* the next record */
    for (;;) {
        struct wal_record record;
        const char *what = "no valid record";
        if (wal_record_decode(rest(scan, at.offset), at.header_crc, at.offset, &record) == OK) {
            what = wal_scan_misfit(&at, &record, at.offset == scan->offset);
        }
        if (what != NULL) {
            *out_fault = (struct wal_fault){.offset = at.offset, .what = what};
            return false;
        }
        at.offset += wal_record_size(&record);
        at.previous_crc = record.crc;
        if ((record.flags & WAL_FLAG_LAST) != 0) {
            break;
        }
    }
    *out_next = at;
    out_next->offset = wal_sector_round(at.offset);
    out_next->batch++;
    return true;
}

err wal_scan_apply(const struct wal_scan *scan, wal_scan_record_fn *each, void *ctx)
{
    uint64_t offset = scan->offset;
    struct wal_record record;
    do {
        record = wal_record_view(rest(scan, offset)); /* wal_scan_batch has verified it */
        err e = each(ctx, &record, offset);
        if (e != OK) {
            return e;
        }
        offset += wal_record_size(&record);
    } while ((record.flags & WAL_FLAG_LAST) == 0);
    return OK;
}

/* The head must be good before the payload is looked at: most candidates cost 60 bytes of CRC. */
static bool begins_later_batch(const struct wal_scan *scan, uint64_t offset)
{
    struct slice bytes = rest(scan, offset);
    struct wal_record record;
    if (wal_record_decode_head(bytes, scan->header_crc, offset, &record) != OK) {
        return false;
    }
    return (record.flags & WAL_FLAG_FIRST) != 0 && record.batch > scan->batch &&
           wal_record_decode(bytes, scan->header_crc, offset, &record) == OK;
}

uint64_t wal_scan_later_batch(const struct wal_scan *scan)
{
    for (uint64_t offset = scan->offset + WAL_SECTOR_SIZE; offset < scan->image.size;
         offset += WAL_SECTOR_SIZE) {
        if (begins_later_batch(scan, offset)) {
            return offset;
        }
    }
    return 0;
}

bool wal_scan_resume(const struct wal_scan *scan, struct wal_scan *out_next)
{
    uint64_t offset = wal_scan_later_batch(scan);
    if (offset == 0) {
        return false;
    }
    struct wal_record record;
    err e = wal_record_decode(rest(scan, offset), scan->header_crc, offset, &record);
    ASSERT(e == OK);
    *out_next = *scan;
    out_next->offset = offset;
    out_next->batch = record.batch;
    out_next->previous_crc = record.previous_crc;
    return true;
}

bool wal_scan_has_torn_batch(const struct wal_scan *scan)
{
    struct wal_record record;
    return wal_record_decode_head(rest(scan, scan->offset), scan->header_crc, scan->offset,
                                  &record) == OK &&
           record.batch == scan->batch;
}
