#include "proto/frame.h"

#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "proto/text.h"

#define FRAME_MAGIC 0x314e5450u /* "PTN1", read as a little-endian integer */
#define FRAME_MAGIC_SIZE 4u
#define FRAME_CRC_OFFSET 8u
#define FRAME_CRC_BEGIN 12u /* the first byte that the CRC covers */
#define FRAME_CHECK_OFFSET 14u

/* An empty parser keeps a block of up to this size for the next frame that comes in pieces. */
#define PENDING_CAPACITY_KEPT (64u << 10)

_Static_assert(FRAME_SIZE_MAX <= UINT32_MAX - FRAME_HEADER_SIZE, "a frame's size is 32 bits");

/* ---- whole frames ---- */

static uint32_t crc_of(const uint8_t *frame, size_t size)
{
    ASSERT(size >= FRAME_HEADER_SIZE);
    return crc32c(0, frame + FRAME_CRC_BEGIN, size - FRAME_CRC_BEGIN);
}

/* Of all the header but the two checksums: the low half of its CRC. */
static uint16_t check_of(const uint8_t *frame)
{
    uint32_t crc = crc32c(0, frame, FRAME_CRC_OFFSET);
    crc = crc32c(crc, frame + FRAME_CRC_BEGIN, FRAME_CHECK_OFFSET - FRAME_CRC_BEGIN);
    crc = crc32c(crc, frame + FRAME_CHECK_OFFSET + 2, FRAME_HEADER_SIZE - FRAME_CHECK_OFFSET - 2);
    return (uint16_t)(crc & 0xffffu);
}

struct buf *frame_build(const struct frame_header *header, struct slice payload)
{
    ASSERT(payload.size <= FRAME_SIZE_MAX);
    ASSERT(header->type >= FRAME_HELLO && header->type <= FRAME_TYPE_LAST);
    ASSERT(header->sequence != 0);
    struct buf *frame = buf_new(FRAME_HEADER_SIZE + payload.size);
    store_u32(frame->data, FRAME_MAGIC);
    store_u32(frame->data + 4, (uint32_t)payload.size);
    store_u16(frame->data + 12, (uint16_t)header->type);
    store_u64(frame->data + 16, header->sequence);
    store_u64(frame->data + 24, header->cluster_id);
    store_u64(frame->data + 32, header->from);
    store_u64(frame->data + 40, header->region);
    store_u16(frame->data + FRAME_CHECK_OFFSET, check_of(frame->data));
    if (payload.size > 0) {
        memcpy(frame->data + FRAME_HEADER_SIZE, payload.data, payload.size);
    }
    store_u32(frame->data + FRAME_CRC_OFFSET, crc_of(frame->data, frame->size));
    return frame;
}

/* Checks a frame's CRC and header, and hands it over. */
static err deliver(struct slice frame, frame_handler_fn *handler, void *ctx)
{
    if (load_u32(frame.data + FRAME_CRC_OFFSET) != crc_of(frame.data, frame.size)) {
        return ERR_MALFORMED;
    }
    uint16_t type = load_u16(frame.data + 12);
    uint64_t sequence = load_u64(frame.data + 16);
    node_id from = load_u64(frame.data + 32);
    if (type < FRAME_HELLO || type > FRAME_TYPE_LAST || sequence == 0 || from == 0) {
        return ERR_MALFORMED;
    }
    struct frame_header header = {
        .payload_size = load_u32(frame.data + 4),
        .type = (enum frame_type)type,
        .sequence = sequence,
        .cluster_id = load_u64(frame.data + 24),
        .from = from,
        .region = load_u64(frame.data + 40),
    };
    ASSERT(header.payload_size == frame.size - FRAME_HEADER_SIZE);
    struct slice payload = {frame.data + FRAME_HEADER_SIZE, header.payload_size};
    return handler(ctx, &header, payload);
}

/* ---- the stream ---- */

/*
 * How many bytes the frame that begins with `have` takes; only its header, while that is not whole.
 * A wrong size must be found here: waiting for that many bytes would swallow every frame behind it,
 * on a connection that looks alive.
 */
static err size_wanted(struct slice have, size_t *out_size)
{
    if (have.size >= FRAME_MAGIC_SIZE && load_u32(have.data) != FRAME_MAGIC) {
        return ERR_MALFORMED;
    }
    if (have.size < FRAME_HEADER_SIZE) {
        *out_size = FRAME_HEADER_SIZE;
        return OK;
    }
    uint32_t payload_size = load_u32(have.data + 4);
    if (payload_size > FRAME_SIZE_MAX ||
        load_u16(have.data + FRAME_CHECK_OFFSET) != check_of(have.data)) {
        return ERR_MALFORMED;
    }
    *out_size = FRAME_HEADER_SIZE + (size_t)payload_size;
    return OK;
}

static void skip(struct slice *bytes, size_t size)
{
    ASSERT(size <= bytes->size);
    bytes->data += size;
    bytes->size -= size;
}

/* Empties `pending`; what a large frame made of it goes back, so that an idle connection is small.
 */
static void release(struct writer *pending)
{
    if (pending->capacity > PENDING_CAPACITY_KEPT) {
        writer_deinit(pending);
    } else {
        writer_reset(pending);
    }
}

/*
 * A frame that is whole in `bytes` is handed over from there; only one that is cut is gathered in
 * `pending`, which grows with what has come and not with what the header promises.
 */
err frame_parser_feed(struct frame_parser *parser, struct slice bytes, frame_handler_fn *handler,
                      void *ctx)
{
    struct writer *pending = &parser->pending;
    for (;;) {
        bool is_gathering = pending->size > 0;
        struct slice have = is_gathering ? writer_slice(pending) : bytes;
        size_t wanted;
        err e = size_wanted(have, &wanted);
        if (e != OK) {
            return e;
        }
        if (have.size >= wanted) {
            e = deliver((struct slice){have.data, wanted}, handler, ctx);
            if (e != OK) {
                return e;
            }
            if (is_gathering) {
                ASSERT(have.size == wanted);
                release(pending);
            } else {
                skip(&bytes, wanted);
            }
            continue;
        }
        if (bytes.size == 0) {
            return OK;
        }
        size_t missing = wanted - pending->size;
        size_t taken = bytes.size < missing ? bytes.size : missing;
        writer_bytes(pending, (struct slice){bytes.data, taken});
        skip(&bytes, taken);
    }
}

void frame_parser_deinit(struct frame_parser *parser)
{
    writer_deinit(&parser->pending);
}

/* ---- the handshake's payloads ---- */

void frame_hello_encode(const struct frame_hello *hello, struct writer *out)
{
    ASSERT(hello->client_address.size <= ADDRESS_SIZE_MAX);
    ASSERT(hello->peer_address.size <= ADDRESS_SIZE_MAX);
    ASSERT(hello->version.size <= FRAME_VERSION_SIZE_MAX);
    writer_u32(out, hello->protocol);
    writer_u64(out, hello->to);
    writer_u64(out, hello->instance);
    writer_sized(out, hello->client_address);
    writer_sized(out, hello->peer_address);
    writer_sized(out, hello->version);
}

err frame_hello_decode(struct slice bytes, struct frame_hello *out_hello)
{
    struct reader in = reader_of(bytes);
    struct frame_hello hello = {.protocol = reader_u32(&in)};
    if (!reader_ok(&in)) {
        return ERR_MALFORMED;
    }
    if (hello.protocol != FRAME_PROTOCOL) {
        return ERR_VERSION;
    }
    hello.to = reader_u64(&in);
    hello.instance = reader_u64(&in);
    hello.client_address = reader_sized(&in, ADDRESS_SIZE_MAX);
    hello.peer_address = reader_sized(&in, ADDRESS_SIZE_MAX);
    hello.version = reader_sized(&in, FRAME_VERSION_SIZE_MAX);
    if (reader_finish(&in) != OK || hello.instance == 0 || !text_is_plain(hello.client_address) ||
        !text_is_plain(hello.peer_address) || !text_is_plain(hello.version)) {
        return ERR_MALFORMED;
    }
    *out_hello = hello;
    return OK;
}

static bool is_refusal(uint16_t reason)
{
    return reason >= FRAME_REFUSAL_CLUSTER && reason <= FRAME_REFUSAL_VERSION;
}

const char *frame_refusal_name(enum frame_refusal reason)
{
    switch (reason) {
    case FRAME_REFUSAL_CLUSTER:
        return "cluster";
    case FRAME_REFUSAL_ID_TAKEN:
        return "id-taken";
    case FRAME_REFUSAL_UNKNOWN:
        return "unknown";
    case FRAME_REFUSAL_VERSION:
        return "version";
    }
    UNREACHABLE();
}

void frame_refuse_encode(const struct frame_refuse *refuse, struct writer *out)
{
    ASSERT(is_refusal((uint16_t)refuse->reason));
    struct slice text = refuse->text;
    if (text.size > FRAME_REFUSE_TEXT_SIZE_MAX) {
        text.size = FRAME_REFUSE_TEXT_SIZE_MAX;
    }
    writer_u16(out, (uint16_t)refuse->reason);
    writer_u64(out, refuse->as_of);
    writer_bytes(out, text);
}

err frame_refuse_decode(struct slice bytes, struct frame_refuse *out_refuse)
{
    struct reader in = reader_of(bytes);
    uint16_t reason = reader_u16(&in);
    uint64_t as_of = reader_u64(&in);
    struct slice text = reader_bytes(&in, in.size);
    if (!reader_ok(&in) || !is_refusal(reason) || text.size > FRAME_REFUSE_TEXT_SIZE_MAX ||
        !text_is_plain(text)) {
        return ERR_MALFORMED;
    }
    *out_refuse = (struct frame_refuse){
        .reason = (enum frame_refusal)reason,
        .as_of = as_of,
        .text = text,
    };
    return OK;
}

/* ---- snapshots' payloads ---- */

#define SNAPSHOT_FIELDS_SIZE 17u /* transfer, number, last, size of the message */
#define SNAPSHOT_MESSAGE_SIZE_MAX (FRAME_SNAPSHOT_OVERHEAD_MAX - SNAPSHOT_FIELDS_SIZE)

static bool is_snapshot_valid(const struct frame_snapshot *snapshot)
{
    return snapshot->transfer != 0 && (snapshot->message.size > 0) == (snapshot->number == 0) &&
           snapshot->message.size <= SNAPSHOT_MESSAGE_SIZE_MAX && snapshot->chunk.size > 0;
}

void frame_snapshot_encode(const struct frame_snapshot *snapshot, struct writer *out)
{
    ASSERT(is_snapshot_valid(snapshot));
    writer_u64(out, snapshot->transfer);
    writer_u32(out, snapshot->number);
    writer_u8(out, snapshot->is_last ? 1 : 0);
    writer_sized(out, snapshot->message);
    writer_bytes(out, snapshot->chunk);
}

err frame_snapshot_decode(struct slice bytes, struct frame_snapshot *out_snapshot)
{
    struct reader in = reader_of(bytes);
    struct frame_snapshot snapshot = {.transfer = reader_u64(&in), .number = reader_u32(&in)};
    uint8_t last = reader_u8(&in);
    snapshot.is_last = last == 1;
    snapshot.message = reader_sized(&in, SNAPSHOT_MESSAGE_SIZE_MAX);
    snapshot.chunk = reader_bytes(&in, in.size);
    if (!reader_ok(&in) || last > 1 || !is_snapshot_valid(&snapshot)) {
        return ERR_MALFORMED;
    }
    *out_snapshot = snapshot;
    return OK;
}

void frame_snapshot_ack_encode(const struct frame_snapshot_ack *ack, struct writer *out)
{
    ASSERT(ack->transfer != 0 && ack->outcome <= FRAME_SNAPSHOT_REFUSED);
    writer_u64(out, ack->transfer);
    writer_u32(out, ack->received);
    writer_u8(out, (uint8_t)ack->outcome);
}

err frame_snapshot_ack_decode(struct slice bytes, struct frame_snapshot_ack *out_ack)
{
    struct reader in = reader_of(bytes);
    struct frame_snapshot_ack ack = {.transfer = reader_u64(&in), .received = reader_u32(&in)};
    uint8_t outcome = reader_u8(&in);
    if (reader_finish(&in) != OK || ack.transfer == 0 || outcome > FRAME_SNAPSHOT_REFUSED) {
        return ERR_MALFORMED;
    }
    ack.outcome = (enum frame_snapshot_outcome)outcome;
    *out_ack = ack;
    return OK;
}

/* ---- repair ---- */

void frame_repair_encode(const struct frame_repair *repair, struct writer *out)
{
    ASSERT(repair->kind >= FRAME_REPAIR_SEND && repair->kind <= FRAME_REPAIR_ANSWER);
    writer_u8(out, (uint8_t)repair->kind);
    writer_u64(out, repair->term);
    writer_u64(out, repair->index);
    writer_u64(out, repair->transfer);
    writer_u8(out, repair->leads ? 1 : 0);
}

err frame_repair_decode(struct slice bytes, struct frame_repair *out_repair)
{
    struct reader in = reader_of(bytes);
    uint8_t kind = reader_u8(&in);
    struct frame_repair repair = {
        .term = reader_u64(&in),
        .index = reader_u64(&in),
        .transfer = reader_u64(&in),
    };
    uint8_t leads = reader_u8(&in);
    if (reader_finish(&in) != OK || leads > 1 || kind < FRAME_REPAIR_SEND ||
        kind > FRAME_REPAIR_ANSWER) {
        return ERR_MALFORMED;
    }
    repair.kind = (enum frame_repair_kind)kind;
    repair.leads = leads == 1;
    *out_repair = repair;
    return OK;
}

/* ---- marks of the state ---- */

/* Another one when what is hashed, or how, is another. */
#define MARK_FORMAT 1u

void frame_mark_encode(const struct frame_mark *mark, struct writer *out)
{
    ASSERT(mark->index != 0);
    writer_u8(out, MARK_FORMAT);
    writer_u8(out, mark->is_question ? 1 : 0);
    writer_u64(out, mark->index);
    writer_u64(out, mark->state_hash.low);
    writer_u64(out, mark->state_hash.high);
    writer_u64(out, mark->revision);
    writer_u64(out, mark->clock_ms);
}

err frame_mark_decode(struct slice bytes, struct frame_mark *out_mark)
{
    struct reader in = reader_of(bytes);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > MARK_FORMAT) {
        return ERR_VERSION;
    }
    uint8_t question = reader_u8(&in);
    struct frame_mark mark = {.is_question = question == 1, .index = reader_u64(&in)};
    mark.state_hash.low = reader_u64(&in);
    mark.state_hash.high = reader_u64(&in);
    mark.revision = reader_u64(&in);
    mark.clock_ms = reader_u64(&in);
    if (reader_finish(&in) != OK || format != MARK_FORMAT || question > 1 || mark.index == 0) {
        return ERR_MALFORMED;
    }
    *out_mark = mark;
    return OK;
}

/* ---- records ---- */

static bool is_record_valid(const struct frame_record *record)
{
    return (record->bytes.size > 0) == (record->state == FRAME_RECORD_WHOLE);
}

void frame_record_encode(const struct frame_record *record, struct writer *out)
{
    ASSERT(is_record_valid(record));
    writer_u64(out, record->number);
    writer_u8(out, (uint8_t)record->state);
    writer_u64(out, record->applied);
    writer_bytes(out, record->bytes);
}

err frame_record_decode(struct slice bytes, struct frame_record *out_record)
{
    struct reader in = reader_of(bytes);
    struct frame_record record = {.number = reader_u64(&in)};
    uint8_t state = reader_u8(&in);
    record.applied = reader_u64(&in);
    record.bytes = reader_bytes(&in, in.size);
    if (!reader_ok(&in) || state > FRAME_RECORD_REFUSED) {
        return ERR_MALFORMED;
    }
    record.state = (enum frame_record_state)state;
    if (!is_record_valid(&record)) {
        return ERR_MALFORMED;
    }
    *out_record = record;
    return OK;
}
