/* links: http */
/*
 * A connection's bytes. The first byte is the size of the pieces in which they arrive: however they
 * are cut, the same events come out (P1). And what we have read as one message, llhttp, where it
 * takes that at all, reads as one message with the same body: nothing can be smuggled between us
 * and a proxy that uses it.
 */
#include <llhttp.h>

#include "../unit/http/http_event_log.h"
#include "base/assert.h"
#include "fuzz.h"

#define HEAD_SIZE_MAX 1024u
#define TARGET_SIZE_MAX 128u

/* ---- however they are cut ---- */

static void feed(struct event_log *log, struct slice bytes, size_t piece_size)
{
    event_log_init(log, HEAD_SIZE_MAX, TARGET_SIZE_MAX);
    bool goes_on = true;
    while (goes_on && bytes.size > 0) {
        size_t size = bytes.size < piece_size ? bytes.size : piece_size;
        goes_on = event_log_feed(log, (struct slice){bytes.data, size});
        bytes = (struct slice){bytes.data + size, bytes.size - size};
    }
}

static void compare_cuts(struct slice bytes, size_t piece_size)
{
    struct event_log whole;
    struct event_log pieces;
    feed(&whole, bytes, bytes.size);
    feed(&pieces, bytes, piece_size);
    ASSERT(slice_equal(writer_slice(&whole.text), writer_slice(&pieces.text)));
    ASSERT(whole.parser.refusal == pieces.parser.refusal);
    event_log_deinit(&whole);
    event_log_deinit(&pieces);
}

/* ---- as llhttp reads them ---- */

struct reading {
    struct writer body;
    unsigned completed;
};

static int on_body(llhttp_t *llhttp, const char *at, size_t size)
{
    struct reading *reading = llhttp->data;
    writer_bytes(&reading->body, (struct slice){(const uint8_t *)at, size});
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    llhttp->upgrade = 0;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct reading *reading = llhttp->data;
    reading->completed++;
    return 0;
}

static void compare_message(struct slice message, struct slice body)
{
    struct reading reading = {0};
    llhttp_settings_t settings = {.on_body = on_body,
                                  .on_headers_complete = on_headers_complete,
                                  .on_message_complete = on_message_complete};
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = &reading;
    size_t size = message.size;
    const char *bytes = (const char *)message.data;
    /* All but the last byte must not be a message, all of it must be one. */
    llhttp_errno_t status = llhttp_execute(&llhttp, bytes, size - 1);
    ASSERT(reading.completed == 0);
    if (status == HPE_OK) {
        status = llhttp_execute(&llhttp, bytes + size - 1, 1);
    }
    if (status == HPE_OK) {
        ASSERT(reading.completed == 1);
        ASSERT(slice_equal(writer_slice(&reading.body), body));
    }
    writer_deinit(&reading.body);
}

static void compare_readers(struct slice bytes)
{
    static const struct http_parser_limits limits = {HEAD_SIZE_MAX, TARGET_SIZE_MAX};
    struct http_parser parser;
    http_parser_init(&parser, &limits);
    struct slice input = bytes;
    struct http_head head;
    struct writer body = {0};
    const uint8_t *begin = bytes.data;
    enum http_event event;
    do {
        struct slice piece = SLICE_EMPTY;
        event = http_parser_next(&parser, &input, &head, &piece);
        if (event == HTTP_EVENT_HEAD) {
            begin = piece.data;
        } else if (event == HTTP_EVENT_BODY) {
            writer_bytes(&body, piece);
        } else if (event == HTTP_EVENT_END) {
            compare_message((struct slice){begin, (size_t)(input.data - begin)},
                            writer_slice(&body));
            writer_reset(&body);
        }
    } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_REFUSED);
    writer_deinit(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct slice bytes = {data + 1, size - 1};
    compare_cuts(bytes, (size_t)data[0] + 1);
    compare_readers(bytes);
    return 0;
}
