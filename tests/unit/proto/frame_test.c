#include "base/crc32c.h"
#include "proto/frame.h"
#include "proto_testing.h"

/* Notes the frames that come out of a parser, and fails at a given one. */
struct sink {
    unsigned count;
    unsigned fail_at; /* 1 is the first */
    struct frame_header header;
    struct writer payloads;
};

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct sink *sink = ctx;
    assert_int_equal(header->payload_size, payload.size);
    sink->count++;
    sink->header = *header;
    writer_bytes(&sink->payloads, payload);
    return sink->count == sink->fail_at ? ERR_CLOSED : OK;
}

static struct buf *build(enum frame_type type, struct slice payload)
{
    struct frame_header header = {
        .type = type, .sequence = 6, .cluster_id = 7, .from = 3, .region = 1};
    return frame_build(&header, payload);
}

/* "first", nothing and "third" in three frames. */
static void stream_of_three(struct writer *out)
{
    const struct slice payloads[] = {SLICE_LITERAL("first"), SLICE_EMPTY, SLICE_LITERAL("third")};
    for (size_t i = 0; i < 3; i++) {
        struct buf *frame = build(FRAME_RAFT, payloads[i]);
        writer_bytes(out, buf_slice(frame));
        buf_unref(frame);
    }
}

/* The header's own check, as README.md says. */
static uint16_t check_of(const uint8_t *frame)
{
    uint32_t crc = crc32c(crc32c(crc32c(0, frame, 8), frame + 12, 2), frame + 16, 32);
    return (uint16_t)crc;
}

/* Makes both checksums right again. */
static void seal(struct buf *frame)
{
    store_u16(frame->data + 14, check_of(frame->data));
    store_u32(frame->data + 8, crc32c(0, frame->data + 12, frame->size - 12));
}

static void the_bytes_are_as_documented(void **state)
{
    (void)state;
    struct buf *frame = build(FRAME_WRITE, SLICE_LITERAL("xyz"));
    assert_int_equal(frame->size, FRAME_HEADER_SIZE + 3);
    assert_memory_equal(frame->data, "PTN1", 4);
    assert_int_equal(load_u32(frame->data + 4), 3);
    assert_int_equal(load_u32(frame->data + 8), crc32c(0, frame->data + 12, 39));
    assert_int_equal(load_u16(frame->data + 12), FRAME_WRITE);
    assert_int_equal(load_u16(frame->data + 14), check_of(frame->data));
    assert_int_equal(load_u64(frame->data + 16), 6);
    assert_int_equal(load_u64(frame->data + 24), 7);
    assert_int_equal(load_u64(frame->data + 32), 3);
    assert_int_equal(load_u64(frame->data + 40), 1);
    assert_memory_equal(frame->data + 48, "xyz", 3);
    buf_unref(frame);
}

static void frames_come_out_however_the_stream_is_cut(void **state)
{
    (void)state;
    struct writer stream = {0};
    stream_of_three(&stream);
    for (size_t piece = 1; piece <= stream.size; piece++) {
        struct frame_parser parser = {0};
        struct sink sink = {0};
        for (size_t offset = 0; offset < stream.size; offset += piece) {
            size_t left = stream.size - offset;
            struct slice bytes = {stream.data + offset, left < piece ? left : piece};
            assert_int_equal(frame_parser_feed(&parser, bytes, on_frame, &sink), OK);
        }
        assert_int_equal(sink.count, 3);
        assert_int_equal(sink.header.type, FRAME_RAFT);
        assert_int_equal(sink.header.sequence, 6);
        assert_int_equal(sink.header.cluster_id, 7);
        assert_int_equal(sink.header.from, 3);
        assert_int_equal(sink.header.region, 1);
        assert_true(slice_equal(writer_slice(&sink.payloads), SLICE_LITERAL("firstthird")));
        writer_deinit(&sink.payloads);
        frame_parser_deinit(&parser);
    }
    writer_deinit(&stream);
}

/* A damaged size, too, is found at once: the parser must not wait for what nobody sends. */
static void no_frame_with_a_flipped_bit_comes_out(void **state)
{
    (void)state;
    struct buf *frame = build(FRAME_RAFT, SLICE_LITERAL("payload"));
    for (size_t bit = 0; bit < frame->size * 8; bit++) {
        frame->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct frame_parser parser = {0};
        struct sink sink = {0};
        err e = frame_parser_feed(&parser, buf_slice(frame), on_frame, &sink);
        assert_int_equal(e, ERR_MALFORMED);
        assert_int_equal(sink.count, 0);
        frame_parser_deinit(&parser);
        frame->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_unref(frame);
}

static void what_no_frame_says_is_refused_despite_a_right_crc(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint16_t value;
    } cases[] = {{12, 0}, {12, FRAME_TYPE_LAST + 1}, {16, 0}, {32, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf *frame = build(FRAME_RAFT, SLICE_EMPTY);
        store_u16(frame->data + cases[i].offset, cases[i].value);
        seal(frame);
        struct frame_parser parser = {0};
        struct sink sink = {0};
        assert_int_equal(frame_parser_feed(&parser, buf_slice(frame), on_frame, &sink),
                         ERR_MALFORMED);
        assert_int_equal(sink.count, 0);
        frame_parser_deinit(&parser);
        buf_unref(frame);
    }
}

/* Whoever speaks another protocol may wait for our answer before it says as much as a header. */
static void a_wrong_magic_is_refused_with_its_last_byte(void **state)
{
    (void)state;
    struct frame_parser parser = {0};
    struct sink sink = {0};
    assert_int_equal(frame_parser_feed(&parser, SLICE_LITERAL("HTT"), on_frame, &sink), OK);
    assert_int_equal(frame_parser_feed(&parser, SLICE_LITERAL("P"), on_frame, &sink),
                     ERR_MALFORMED);
    frame_parser_deinit(&parser);
    parser = (struct frame_parser){0};
    assert_int_equal(frame_parser_feed(&parser, SLICE_LITERAL("PTN2"), on_frame, &sink),
                     ERR_MALFORMED);
    frame_parser_deinit(&parser);
}

static void a_promised_size_above_the_maximum_is_refused_with_the_header(void **state)
{
    (void)state;
    struct buf *frame = build(FRAME_RAFT, SLICE_EMPTY);
    struct frame_parser parser = {0};
    struct sink sink = {0};
    store_u32(frame->data + 4, FRAME_SIZE_MAX);
    seal(frame);
    assert_int_equal(frame_parser_feed(&parser, buf_slice(frame), on_frame, &sink), OK);
    assert_true(parser.pending.capacity < 4096);
    frame_parser_deinit(&parser);
    parser = (struct frame_parser){0};
    store_u32(frame->data + 4, FRAME_SIZE_MAX + 1);
    seal(frame);
    assert_int_equal(frame_parser_feed(&parser, buf_slice(frame), on_frame, &sink), ERR_MALFORMED);
    frame_parser_deinit(&parser);
    buf_unref(frame);
}

static void a_large_frame_in_pieces_leaves_no_memory_behind(void **state)
{
    (void)state;
    size_t size = 5u << 20;
    uint8_t *payload = mem_calloc(size, 1);
    payload[size - 1] = 0xaa;
    struct buf *frame = build(FRAME_RAFT, (struct slice){payload, size});
    struct frame_parser parser = {0};
    struct sink sink = {0};
    for (size_t offset = 0; offset < frame->size; offset += 65536) {
        size_t left = frame->size - offset;
        struct slice bytes = {frame->data + offset, left < 65536 ? left : 65536};
        assert_int_equal(frame_parser_feed(&parser, bytes, on_frame, &sink), OK);
    }
    assert_int_equal(sink.count, 1);
    assert_int_equal(sink.payloads.size, size);
    assert_memory_equal(sink.payloads.data, payload, size);
    assert_int_equal(parser.pending.size, 0);
    assert_true(parser.pending.capacity <= 65536);
    frame_parser_deinit(&parser);
    writer_deinit(&sink.payloads);
    buf_unref(frame);
    mem_free(payload);
}

static void a_handler_that_fails_stops_the_parser(void **state)
{
    (void)state;
    struct writer stream = {0};
    stream_of_three(&stream);
    struct frame_parser parser = {0};
    struct sink sink = {.fail_at = 2};
    assert_int_equal(frame_parser_feed(&parser, writer_slice(&stream), on_frame, &sink),
                     ERR_CLOSED);
    assert_int_equal(sink.count, 2);
    frame_parser_deinit(&parser);
    writer_deinit(&sink.payloads);
    writer_deinit(&stream);
}

/* ---- the handshake's payloads ---- */

static err decode_hello(struct slice bytes)
{
    struct frame_hello hello;
    return frame_hello_decode(bytes, &hello);
}

static void a_hello_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct frame_hello hello = {
        .protocol = FRAME_PROTOCOL,
        .to = 2,
        .instance = UINT64_MAX,
        .client_address = SLICE_LITERAL("127.0.0.1:3001"),
        .peer_address = SLICE_LITERAL("127.0.0.1:4001"),
        .version = SLICE_LITERAL("0.1.0"),
    };
    struct writer out = {0};
    frame_hello_encode(&hello, &out);
    struct frame_hello decoded;
    assert_int_equal(frame_hello_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.to, 2);
    assert_int_equal(decoded.instance, UINT64_MAX);
    assert_true(slice_equal(decoded.client_address, hello.client_address));
    assert_true(slice_equal(decoded.peer_address, hello.peer_address));
    assert_true(slice_equal(decoded.version, hello.version));
    assert_prefixes_are_refused(writer_slice(&out), decode_hello);
    store_u32(out.data, FRAME_PROTOCOL + 1);
    assert_int_equal(decode_hello(writer_slice(&out)), ERR_VERSION);
    assert_int_equal(decode_hello((struct slice){out.data, 4}), ERR_VERSION);
    writer_deinit(&out);
}

static void a_hello_with_long_or_unprintable_texts_or_no_instance_is_refused(void **state)
{
    (void)state;
    uint8_t text[ADDRESS_SIZE_MAX + 1];
    memset(text, 'a', sizeof(text));
    struct writer out = {0};
    for (unsigned i = 0; i < 6; i++) {
        size_t peer_size = i == 4 ? ADDRESS_SIZE_MAX + 1 : ADDRESS_SIZE_MAX;
        size_t address_size = i == 1 ? ADDRESS_SIZE_MAX + 1 : ADDRESS_SIZE_MAX;
        size_t version_size = i == 2 ? FRAME_VERSION_SIZE_MAX + 1 : FRAME_VERSION_SIZE_MAX;
        text[3] = i == 3 ? '\n' : 'a';
        writer_reset(&out);
        writer_u32(&out, FRAME_PROTOCOL);
        writer_u64(&out, 1);
        writer_u64(&out, i == 5 ? 0 : 1); /* no directory has the instance 0 */
        writer_sized(&out, (struct slice){text, address_size});
        writer_sized(&out, (struct slice){text, peer_size});
        writer_sized(&out, (struct slice){text, version_size});
        assert_int_equal(decode_hello(writer_slice(&out)), i == 0 ? OK : ERR_MALFORMED);
    }
    writer_deinit(&out);
}

static void a_refusal_comes_back_with_its_text_cut(void **state)
{
    (void)state;
    char text[FRAME_REFUSE_TEXT_SIZE_MAX + 50];
    memset(text, 't', sizeof(text));
    struct frame_refuse refuse = {
        .reason = FRAME_REFUSAL_ID_TAKEN,
        .as_of = 0x0102030405060708,
        .text = {(const uint8_t *)text, sizeof(text)},
    };
    struct writer out = {0};
    frame_refuse_encode(&refuse, &out);
    struct frame_refuse decoded;
    assert_int_equal(frame_refuse_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.reason, FRAME_REFUSAL_ID_TAKEN);
    assert_int_equal(decoded.as_of, 0x0102030405060708);
    assert_int_equal(decoded.text.size, FRAME_REFUSE_TEXT_SIZE_MAX);
    assert_string_equal(frame_refusal_name(decoded.reason), "id-taken");
    store_u16(out.data, 0);
    assert_int_equal(frame_refuse_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    store_u16(out.data, FRAME_REFUSAL_VERSION + 1);
    assert_int_equal(frame_refuse_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    store_u16(out.data, FRAME_REFUSAL_VERSION);
    out.data[12] = '\r';
    assert_int_equal(frame_refuse_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    assert_int_equal(frame_refuse_decode((struct slice){out.data, 9}, &decoded), ERR_MALFORMED);
    assert_int_equal(frame_refuse_decode((struct slice){out.data, 10}, &decoded), OK);
    writer_deinit(&out);
}

static err decode_snapshot(struct slice bytes)
{
    struct frame_snapshot snapshot;
    return frame_snapshot_decode(bytes, &snapshot);
}

static void a_snapshots_chunk_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct frame_snapshot first = {
        .transfer = 7,
        .message = slice_from_text("message"),
        .chunk = slice_from_text("c"),
    };
    struct writer out = {0};
    frame_snapshot_encode(&first, &out);
    struct frame_snapshot decoded;
    assert_int_equal(frame_snapshot_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.transfer, 7);
    assert_int_equal(decoded.number, 0);
    assert_false(decoded.is_last);
    assert_true(slice_equal(decoded.message, first.message));
    assert_true(slice_equal(decoded.chunk, first.chunk));
    assert_prefixes_are_refused(writer_slice(&out), decode_snapshot); /* the last has no chunk */
    out.data[12] = 2;                                                 /* neither last nor not */
    assert_int_equal(decode_snapshot(writer_slice(&out)), ERR_MALFORMED);
    out.data[12] = 1;
    assert_int_equal(decode_snapshot(writer_slice(&out)), OK);
    out.data[8] = 1; /* only chunk 0 has a message */
    assert_int_equal(decode_snapshot(writer_slice(&out)), ERR_MALFORMED);
    out.data[8] = 0;
    out.data[0] = 0; /* transfer 0 */
    assert_int_equal(decode_snapshot(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static err decode_ack(struct slice bytes)
{
    struct frame_snapshot_ack ack;
    return frame_snapshot_ack_decode(bytes, &ack);
}

static void the_answer_to_a_chunk_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct frame_snapshot_ack ack = {7, 300, FRAME_SNAPSHOT_STAGED};
    struct writer out = {0};
    frame_snapshot_ack_encode(&ack, &out);
    struct frame_snapshot_ack decoded;
    assert_int_equal(frame_snapshot_ack_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.transfer, 7);
    assert_int_equal(decoded.received, 300);
    assert_int_equal(decoded.outcome, FRAME_SNAPSHOT_STAGED);
    assert_prefixes_are_refused(writer_slice(&out), decode_ack);
    out.data[12] = 3;
    assert_int_equal(decode_ack(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static void a_repair_frame_comes_back_as_it_was(void **state)
{
    (void)state;
    struct frame_repair repair = {FRAME_REPAIR_ANSWER, 7, 300, 41, true};
    struct frame_repair decoded;
    struct writer out = {0};
    frame_repair_encode(&repair, &out);
    assert_int_equal(frame_repair_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.kind, FRAME_REPAIR_ANSWER);
    assert_int_equal(decoded.term, 7);
    assert_int_equal(decoded.index, 300);
    assert_int_equal(decoded.transfer, 41);
    assert_true(decoded.leads);
    static const struct {
        size_t offset;
        uint8_t value;
    } wrong[] = {{0, 0}, {0, 4}, {25, 2}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t was = out.data[wrong[i].offset];
        out.data[wrong[i].offset] = wrong[i].value;
        assert_int_equal(frame_repair_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
        out.data[wrong[i].offset] = was;
    }
    out.size--;
    assert_int_equal(frame_repair_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    writer_deinit(&out);
}

static err decode_mark(struct slice bytes)
{
    struct frame_mark mark;
    return frame_mark_decode(bytes, &mark);
}

static void a_mark_of_a_state_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct frame_mark mark = {true, 9, {1, 2}, 3, 4};
    struct writer out = {0};
    frame_mark_encode(&mark, &out);
    assert_int_equal(out.size, 42);
    struct frame_mark decoded;
    assert_int_equal(frame_mark_decode(writer_slice(&out), &decoded), OK);
    assert_true(decoded.is_question);
    assert_int_equal(decoded.index, 9);
    assert_true(hash128_equal(decoded.state_hash, mark.state_hash));
    assert_int_equal(decoded.revision, 3);
    assert_int_equal(decoded.clock_ms, 4);
    assert_prefixes_are_refused(writer_slice(&out), decode_mark);
    out.data[0] = 2; /* what it hashes may be something else */
    assert_int_equal(decode_mark(writer_slice(&out)), ERR_VERSION);
    out.data[0] = 1;
    out.data[1] = 2;
    assert_int_equal(decode_mark(writer_slice(&out)), ERR_MALFORMED);
    out.data[1] = 0;
    out.data[2] = 0;
    assert_int_equal(decode_mark(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static void a_record_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct frame_record record = {7, FRAME_RECORD_WHOLE, 12, SLICE_LITERAL("bytes")};
    struct writer out = {0};
    frame_record_encode(&record, &out);
    struct frame_record decoded;
    assert_int_equal(frame_record_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.number, 7);
    assert_int_equal(decoded.state, FRAME_RECORD_WHOLE);
    assert_int_equal(decoded.applied, 12);
    assert_true(slice_equal(decoded.bytes, SLICE_LITERAL("bytes")));
    out.size = 17; /* whole, and nothing follows */
    assert_int_equal(frame_record_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    out.data[8] = FRAME_RECORD_NONE;
    assert_int_equal(frame_record_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.bytes.size, 0);
    out.data[8] = 3;
    assert_int_equal(frame_record_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    out.size = 16;
    assert_int_equal(frame_record_decode(writer_slice(&out), &decoded), ERR_MALFORMED);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_as_documented),
        cmocka_unit_test(frames_come_out_however_the_stream_is_cut),
        cmocka_unit_test(no_frame_with_a_flipped_bit_comes_out),
        cmocka_unit_test(what_no_frame_says_is_refused_despite_a_right_crc),
        cmocka_unit_test(a_wrong_magic_is_refused_with_its_last_byte),
        cmocka_unit_test(a_promised_size_above_the_maximum_is_refused_with_the_header),
        cmocka_unit_test(a_large_frame_in_pieces_leaves_no_memory_behind),
        cmocka_unit_test(a_handler_that_fails_stops_the_parser),
        cmocka_unit_test(a_hello_comes_back_as_it_was_encoded),
        cmocka_unit_test(a_hello_with_long_or_unprintable_texts_or_no_instance_is_refused),
        cmocka_unit_test(a_refusal_comes_back_with_its_text_cut),
        cmocka_unit_test(a_snapshots_chunk_comes_back_as_it_was_encoded),
        cmocka_unit_test(the_answer_to_a_chunk_comes_back_as_it_was_encoded),
        cmocka_unit_test(a_repair_frame_comes_back_as_it_was),
        cmocka_unit_test(a_mark_of_a_state_comes_back_as_it_was_encoded),
        cmocka_unit_test(a_record_comes_back_as_it_was_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
