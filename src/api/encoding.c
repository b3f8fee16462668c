#include "api/encoding.h"

#include <zlib.h>

#include "api/accept.h"
#include "api/text.h"
#include "base/assert.h"

#define LEVEL 1                      /* of 9: the others take longer than they save here */
#define WINDOW_GZIP (MAX_WBITS + 16) /* zlib's way of saying which format */
#define DECODE_STEP_MIN 4096u

/* ---- names ---- */

enum encoding api_encoding_of(struct slice content_encoding)
{
    if (content_encoding.size == 0 || api_text_equals_nocase(content_encoding, "identity")) {
        return ENCODING_IDENTITY;
    }
    if (api_text_equals_nocase(content_encoding, "gzip") ||
        api_text_equals_nocase(content_encoding, "x-gzip")) {
        return ENCODING_GZIP;
    }
    return api_text_equals_nocase(content_encoding, "deflate") ? ENCODING_DEFLATE
                                                               : ENCODING_UNKNOWN;
}

static bool ends_nocase(struct slice text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size &&
           api_text_equals_nocase((struct slice){text.data + text.size - size, size}, end);
}

bool api_encoding_is_compressible(struct slice content_type)
{
    static const char *const types[] = {
        "application/json",       "application/xml",
        "application/javascript", "application/x-ndjson",
        "application/yaml",       "application/x-yaml",
        "application/toml",       "application/sql",
        "application/x-sh",       "application/openmetrics-text",
    };
    struct slice type = api_text_trim(api_text_split(&content_type, ';'));
    if (api_text_begins_nocase(type, "text/") || ends_nocase(type, "+json") ||
        ends_nocase(type, "+xml") || ends_nocase(type, "+yaml")) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        if (api_text_equals_nocase(type, types[i])) {
            return true;
        }
    }
    return false;
}

/* ---- Accept-Encoding ---- */

enum encoding_choice api_encoding_choose(struct slice accept_encoding)
{
    unsigned gzip = api_accept_quality(accept_encoding, "gzip");
    if (gzip == 0) {
        return ENCODING_CHOICE_PLAIN;
    }
    if (api_accept_refuses(accept_encoding, "identity")) {
        return ENCODING_CHOICE_FORCED;
    }
    /* What is not weighed is what every client takes, and is wanted least. */
    return gzip >= api_accept_quality(accept_encoding, "identity") ? ENCODING_CHOICE_GZIP
                                                                   : ENCODING_CHOICE_PLAIN;
}

/* ---- bytes ---- */

/* zlib does not write there, but says so only if it is asked to. */
static Bytef *input_of(struct slice bytes)
{
    union {
        const uint8_t *there;
        Bytef *here;
    } pointer = {.there = bytes.data};
    return pointer.here;
}

struct buf *api_encoding_gzip(struct slice bytes)
{
    ASSERT(bytes.size <= UINT32_MAX);
    z_stream stream = {.next_in = input_of(bytes), .avail_in = (uInt)bytes.size};
    int status =
        deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_GZIP, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
    ASSERT(status == Z_OK);
    struct writer out = {0};
    uLong room = deflateBound(&stream, (uLong)bytes.size);
    stream.next_out = writer_extend(&out, room);
    stream.avail_out = (uInt)room;
    status = deflate(&stream, Z_FINISH);
    ASSERT(status == Z_STREAM_END); /* there was room for all of it */
    struct buf *coded = buf_copy((struct slice){out.data, stream.total_out});
    (void)deflateEnd(&stream);
    writer_deinit(&out);
    return coded;
}

/* Decodes until this block of room is full or the stream ends. */
static int decode_step(z_stream *stream, size_t room, struct writer *out)
{
    size_t before = out->size;
    stream->next_out = writer_extend(out, room);
    stream->avail_out = (uInt)room;
    int status = inflate(stream, Z_NO_FLUSH);
    out->size = before + room - stream->avail_out;
    return status;
}

/* What a step's status means for the whole. OK with *out_is_done false: it goes on. */
static err judge(int status, enum encoding encoding, z_stream *stream, bool *out_is_done)
{
    *out_is_done = false;
    if (status == Z_OK || (status == Z_BUF_ERROR && stream->avail_out == 0)) {
        return OK;
    }
    if (status != Z_STREAM_END) {
        return ERR_MALFORMED;
    }
    *out_is_done = stream->avail_in == 0;
    if (*out_is_done) {
        return OK;
    }
    /* A file of gzip may have several members, one after the other (RFC 1952, section 2.2). */
    return encoding == ENCODING_GZIP && inflateReset(stream) == Z_OK ? OK : ERR_MALFORMED;
}

err api_encoding_decode(enum encoding encoding, struct slice bytes, size_t size_max,
                        struct writer *out)
{
    ASSERT(encoding == ENCODING_GZIP || encoding == ENCODING_DEFLATE);
    ASSERT(bytes.size <= UINT32_MAX);
    z_stream stream = {.next_in = input_of(bytes), .avail_in = (uInt)bytes.size};
    int status = inflateInit2(&stream, encoding == ENCODING_GZIP ? WINDOW_GZIP : MAX_WBITS);
    ASSERT(status == Z_OK);
    size_t begin = out->size;
    bool is_done = false;
    err e = OK;
    while (e == OK && !is_done) {
        size_t taken = out->size - begin;
        size_t step = taken > DECODE_STEP_MIN ? taken : DECODE_STEP_MIN;
        /* One byte more than may be, so that what is too large shows. */
        step = step < size_max - taken + 1 ? step : size_max - taken + 1;
        e = judge(decode_step(&stream, step, out), encoding, &stream, &is_done);
        if (e == OK && out->size - begin > size_max) {
            e = ERR_TOO_LARGE;
        }
    }
    (void)inflateEnd(&stream);
    return e;
}
