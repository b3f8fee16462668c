/* links: api */
/*
 * What a client says of a value, and the value in its codings: the first byte chooses who reads the
 * rest. Whatever it is, an answer lies within what there is, and decoding stays within its bound.
 */
#include "api/digest.h"
#include "api/encoding.h"
#include "api/etag.h"
#include "api/prefer.h"
#include "api/range.h"
#include "base/assert.h"
#include "fuzz.h"
#include "http/http_date.h"

#define DECODED_BYTES_MAX 100000u
#define WHOLE_BYTES 1000u

static void decode(enum encoding encoding, struct slice text)
{
    struct writer out = {0};
    err e = api_encoding_decode(encoding, text, DECODED_BYTES_MAX, &out);
    ASSERT(e == OK || e == ERR_MALFORMED || e == ERR_TOO_LARGE);
    ASSERT(out.size <= DECODED_BYTES_MAX + 1);
    ASSERT(e != OK || out.size <= DECODED_BYTES_MAX);
    writer_deinit(&out);
}

static void code_and_decode(struct slice text)
{
    struct buf *coded = api_encoding_gzip(text);
    struct writer out = {0};
    err e = api_encoding_decode(ENCODING_GZIP, buf_slice(coded), text.size, &out);
    ASSERT(e == OK);
    ASSERT(slice_equal(writer_slice(&out), text));
    writer_deinit(&out);
    buf_unref(coded);
}

static void take_range(struct slice text)
{
    struct range range = {0, 0};
    if (api_range_parse(text, WHOLE_BYTES, &range) == RANGE_PART) {
        ASSERT(range.size > 0);
        ASSERT(range.size <= WHOLE_BYTES);
        ASSERT(range.first <= WHOLE_BYTES - range.size);
    }
}

static void take_digest(struct slice text)
{
    struct problem problem = {.e = OK};
    char target[DIGEST_FIELD_SIZE_MAX];
    if (api_digest_check("Repr-Digest", text, &problem) == OK) {
        (void)api_digest_matches(text, SLICE_LITERAL("hello world"));
    }
    ASSERT(api_digest_write(text, text, target) <= sizeof(target));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice text = {data + 1, size - 1};
    uint64_t seconds;
    struct prefer prefer = {.timing = false};
    switch (data[0] % 8) {
    case 0:
        decode(ENCODING_GZIP, text);
        break;
    case 1:
        decode(ENCODING_DEFLATE, text);
        break;
    case 2:
        code_and_decode(text);
        break;
    case 3:
        take_range(text);
        break;
    case 4:
        take_digest(text);
        break;
    case 5:
        (void)api_encoding_choose(text);
        (void)api_encoding_is_compressible(text);
        break;
    case 6:
        (void)api_etag_list_has(text, SLICE_LITERAL("\"42\""), ETAG_WEAK);
        (void)http_date_parse(text, &seconds);
        break;
    default:
        api_prefer_parse(text, &prefer);
        ASSERT(prefer.wait_ms <= PREFER_WAIT_MS_MAX);
        break;
    }
    return 0;
}
