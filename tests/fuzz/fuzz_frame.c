/* links: proto */
/*
 * A stream of frames. The first byte is the size of the pieces in which it arrives; an odd second
 * byte has the CRCs put right first, or hardly an input would get past them. However the stream is
 * cut, the same frames come out, and each is what frame_build makes of it.
 */
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "fuzz.h"
#include "proto/admin.h"
#include "proto/frame.h"
#include "proto/log_frame.h"

#define PREFIX_SIZE 2u

static void try_snapshot(const struct frame_header *header, struct slice payload)
{
    struct frame_snapshot snapshot;
    struct frame_snapshot_ack ack;
    struct writer out = {0};
    if (header->type == FRAME_SNAPSHOT && frame_snapshot_decode(payload, &snapshot) == OK) {
        frame_snapshot_encode(&snapshot, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    if (header->type == FRAME_SNAPSHOT_ACK && frame_snapshot_ack_decode(payload, &ack) == OK) {
        frame_snapshot_ack_encode(&ack, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    writer_deinit(&out);
}

static void try_admin(const struct frame_header *header, struct slice payload)
{
    struct admin_request request;
    struct admin_result result;
    struct writer out = {0};
    if (header->type == FRAME_ADMIN && admin_request_decode(payload, &request) == OK) {
        admin_request_encode(&request, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    if (header->type == FRAME_ADMIN_RESULT && admin_result_decode(payload, &result) == OK) {
        struct writer back = {0};
        admin_result_encode(&result, &out); /* an unknown name of an error has become another */
        ASSERT(admin_result_decode(writer_slice(&out), &result) == OK);
        admin_result_encode(&result, &back);
        ASSERT(slice_equal(writer_slice(&out), writer_slice(&back)));
        writer_deinit(&back);
    }
    writer_deinit(&out);
}

static void try_states(const struct frame_header *header, struct slice payload)
{
    struct frame_mark mark;
    struct frame_record record;
    struct writer out = {0};
    if (header->type == FRAME_STATE_MARK && frame_mark_decode(payload, &mark) == OK) {
        frame_mark_encode(&mark, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    if (header->type == FRAME_RECORD && frame_record_decode(payload, &record) == OK) {
        frame_record_encode(&record, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    writer_deinit(&out);
}

static void try_log(const struct frame_header *header, struct slice payload)
{
    struct log_frame_ask ask;
    struct log_frame_answer answer;
    struct writer out = {0};
    if (header->type == FRAME_LOG_ASK && log_frame_ask_decode(payload, &ask) == OK) {
        log_frame_ask_encode(&ask, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    if (header->type == FRAME_LOG_ENTRIES && log_frame_answer_decode(payload, &answer) == OK) {
        log_frame_answer_encode(&answer, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
        log_frame_answer_deinit(&answer);
    }
    writer_deinit(&out);
}

static void try_handshake(const struct frame_header *header, struct slice payload)
{
    struct frame_hello hello;
    struct frame_refuse refuse;
    struct writer out = {0};
    if (header->type == FRAME_HELLO && frame_hello_decode(payload, &hello) == OK) {
        frame_hello_encode(&hello, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    if (header->type == FRAME_REFUSE && frame_refuse_decode(payload, &refuse) == OK) {
        frame_refuse_encode(&refuse, &out);
        ASSERT(slice_equal(writer_slice(&out), payload));
    }
    writer_deinit(&out);
}

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct writer *frames = ctx;
    ASSERT(header->payload_size == payload.size);
    try_handshake(header, payload);
    try_snapshot(header, payload);
    try_admin(header, payload);
    try_states(header, payload);
    try_log(header, payload);
    struct buf *frame = frame_build(header, payload);
    writer_bytes(frames, buf_slice(frame));
    buf_unref(frame);
    return OK;
}

static err feed(struct slice stream, size_t piece, struct writer *frames)
{
    struct frame_parser parser = {0};
    err e = OK;
    while (e == OK && stream.size > 0) {
        size_t size = stream.size < piece ? stream.size : piece;
        e = frame_parser_feed(&parser, (struct slice){stream.data, size}, on_frame, frames);
        stream.data += size;
        stream.size -= size;
    }
    frame_parser_deinit(&parser);
    return e;
}

/* The header's check and the frame's CRC, as proto's README has them. */
static void repair_crcs(uint8_t *stream, size_t size)
{
    while (size >= FRAME_HEADER_SIZE) {
        size_t frame_size = FRAME_HEADER_SIZE + (size_t)load_u32(stream + 4);
        if (frame_size > size) {
            return;
        }
        uint32_t crc = crc32c(crc32c(crc32c(0, stream, 8), stream + 12, 2), stream + 16, 32);
        store_u16(stream + 14, (uint16_t)(crc & 0xffffu));
        store_u32(stream + 8, crc32c(0, stream + 12, frame_size - 12));
        stream += frame_size;
        size -= frame_size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= PREFIX_SIZE) {
        return 0;
    }
    struct slice stream = {data + PREFIX_SIZE, size - PREFIX_SIZE};
    uint8_t *repaired = mem_alloc(stream.size);
    memcpy(repaired, stream.data, stream.size);
    if (data[1] % 2 == 1) {
        repair_crcs(repaired, stream.size);
    }
    stream.data = repaired;

    struct writer whole = {0};
    struct writer pieces = {0};
    err e = feed(stream, stream.size, &whole);
    ASSERT(feed(stream, (size_t)data[0] + 1, &pieces) == e);
    ASSERT(slice_equal(writer_slice(&whole), writer_slice(&pieces)));
    ASSERT(whole.size <= stream.size);
    ASSERT(slice_equal(writer_slice(&whole), (struct slice){stream.data, whole.size}));
    writer_deinit(&whole);
    writer_deinit(&pieces);
    mem_free(repaired);
    return 0;
}
