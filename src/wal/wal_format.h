/*
 * The bytes of the log: segment headers, records, the slots of the `synced` file. Pure: no files,
 * no state. README.md has the same byte by byte.
 *
 * F1  A record's CRC is seeded with its segment's header CRC (which covers a random salt) and its
 *     own offset: it verifies in its own place in its own life of the file, and nowhere else.
 * F2  A record names the CRC of the record before it, and its own CRC covers that: records are a
 *     chain, and still each of them can be verified alone.
 * F3  The header's first 12 bytes and its CRC keep their places in every format version, so that an
 *     unknown version can be told from damage.
 * F4  Batch numbers grow by one from batch to batch, over all segments.
 */
#ifndef WAL_WAL_FORMAT_H
#define WAL_WAL_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/entry.h"

#define WAL_VERSION 1u
#define WAL_SECTOR_SIZE 512u     /* what a disk writes whole: headers and batches begin on one */
#define WAL_RECORD_HEAD_SIZE 32u /* before each record's payload */
#define WAL_ENTRY_HEAD_SIZE 17u  /* index, term, type: before an entry's data */
#define WAL_HARD_STATE_PAYLOAD_SIZE 24u
#define WAL_POS_PAYLOAD_SIZE 16u
#define WAL_MARK_SLOT_COUNT 2u
#define WAL_MARK_FILE_SIZE 1024u

/* Bytes of an entry's record whose data has `size` bytes. */
#define WAL_ENTRY_RECORD_SIZE(size) (WAL_RECORD_HEAD_SIZE + WAL_ENTRY_HEAD_SIZE + (size))

_Static_assert(WAL_MARK_FILE_SIZE == WAL_MARK_SLOT_COUNT * WAL_SECTOR_SIZE, "a slot is a sector");
_Static_assert(WAL_RECORD_HEAD_SIZE <= WAL_SECTOR_SIZE, "a batch's first head is never torn");

/* ---- segment header ---- */

struct wal_header {
    uint64_t cluster_id;
    node_id node;
    uint64_t sequence;     /* also the file's name */
    uint64_t size;         /* of the file: a shorter one was cut by somebody else */
    uint64_t first_batch;  /* number of the segment's first batch */
    uint64_t previous_end; /* where the previous segment's last batch ends; 0: there is none */
    uint32_t previous_crc; /* of the previous segment's last record */
    uint64_t salt;         /* random: no two lives of a file have equal headers */
    uint32_t crc;          /* set by encode and decode; seeds the records (F1) */
};

/* Fills `target` with the header's sector and sets header->crc. */
void wal_header_encode(struct wal_header *header, uint8_t target[WAL_SECTOR_SIZE]);

/* Fills `out_header` from a sector. Errors: ERR_DAMAGED (magic, CRC), ERR_VERSION. */
MUST_USE err wal_header_decode(const uint8_t source[WAL_SECTOR_SIZE],
                               struct wal_header *out_header);

/* ---- records ---- */

/* The values stand on disk. */
enum wal_kind {
    WAL_KIND_ENTRY = 1, /* truncates: the region's log ends with this entry afterwards */
    WAL_KIND_HARD_STATE = 2,
    WAL_KIND_TRUNCATION = 3,    /* reserved: today an entry implies it */
    WAL_KIND_COMPACTION = 4,    /* entries up to a position are gone, those after it stay */
    WAL_KIND_SNAPSHOT = 5,      /* every entry is gone, the log goes on after a position */
    WAL_KIND_CONFIGURATION = 6, /* reserved */
};

enum wal_flag {
    WAL_FLAG_FIRST = 1, /* of its batch: begins on a sector */
    WAL_FLAG_LAST = 2,  /* of its batch: zeros up to the next sector follow */
};

/* A decoded record; `payload` is borrowed from what it was decoded from. */
struct wal_record {
    uint32_t crc;
    uint32_t previous_crc;
    enum wal_kind kind; /* perhaps one that we do not know */
    uint8_t flags;      /* of enum wal_flag */
    uint64_t batch;
    region_id region;
    struct slice payload;
};

/* Fills `head`, but for what only the writer knows: see wal_record_seal. */
void wal_record_encode(uint8_t head[WAL_RECORD_HEAD_SIZE], enum wal_kind kind, region_id region,
                       size_t payload_size);

/* What the writer knows of a record at last. */
struct wal_seal {
    uint32_t header_crc; /* of the segment */
    uint64_t offset;     /* of the record in the segment's file */
    uint64_t batch;
    uint8_t flags;
    uint32_t previous_crc;
};

/*
 * Completes the encoded record that is `head` followed by `data` (the end of its payload, perhaps
 * empty) and returns its CRC. `head_size` counts the payload bytes that stand right after the head.
 */
uint32_t wal_record_seal(uint8_t *head, size_t head_size, struct slice data,
                         const struct wal_seal *seal);

/*
 * Decodes the record at `offset` of a segment from `bytes`, which begin there and may go on after
 * it. ERR_DAMAGED: this is not a record of this segment at this place.
 */
MUST_USE err wal_record_decode(struct slice bytes, uint32_t header_crc, uint64_t offset,
                               struct wal_record *out_record);

/*
 * The same, but believes the head's own check and leaves the payload alone: cheap, and what merely
 * looks like a head (a user's bytes can) passes once in 65,536 times.
 */
MUST_USE err wal_record_decode_head(struct slice bytes, uint32_t header_crc, uint64_t offset,
                                    struct wal_record *out_record);

/* A record that wal_record_decode has accepted, once more and without looking at its checks. */
struct wal_record wal_record_view(struct slice bytes);

/* Whether the encoded head is an entry's; if so, fills whose and where in its region's log. */
bool wal_head_is_entry(const uint8_t *head, region_id *out_region, struct raft_pos *out_pos);

/* Bytes of the record, head included. */
static inline size_t wal_record_size(const struct wal_record *record)
{
    return WAL_RECORD_HEAD_SIZE + record->payload.size;
}

/* Payloads. Decoding: ERR_MALFORMED; ERR_VERSION (an entry type that we do not know). */
void wal_entry_encode(uint8_t target[WAL_ENTRY_HEAD_SIZE], struct raft_pos pos,
                      enum entry_type type);
/* `out_data` is borrowed from `payload`; out_entry->data is NULL. */
MUST_USE err wal_entry_decode(struct slice payload, struct entry *out_entry,
                              struct slice *out_data);
void wal_hard_state_encode(uint8_t target[WAL_HARD_STATE_PAYLOAD_SIZE],
                           const struct hard_state *hard_state);
MUST_USE err wal_hard_state_decode(struct slice payload, struct hard_state *out_hard_state);
void wal_pos_encode(uint8_t target[WAL_POS_PAYLOAD_SIZE], struct raft_pos pos);
MUST_USE err wal_pos_decode(struct slice payload, struct raft_pos *out_pos);

/* ---- the `synced` file ---- */

/* How far fdatasync had come when it returned last. */
struct wal_mark {
    uint64_t count;    /* of marks written: the newer slot has the larger one */
    uint64_t sequence; /* segment; 0: no mark */
    uint64_t end;      /* offset behind the last durable batch, its padding included */
    uint32_t last_crc; /* of its last record, or of the segment's header where it has no batch */
};

/* Fills `target` with the mark's sector. */
void wal_mark_encode(const struct wal_mark *mark, uint8_t target[WAL_SECTOR_SIZE]);
/* Errors: ERR_DAMAGED, ERR_VERSION. */
MUST_USE err wal_mark_decode(const uint8_t source[WAL_SECTOR_SIZE], struct wal_mark *out_mark);

/* `size` rounded up to whole sectors. */
static inline uint64_t wal_sector_round(uint64_t size)
{
    return (size + WAL_SECTOR_SIZE - 1) / WAL_SECTOR_SIZE * WAL_SECTOR_SIZE;
}

#endif
