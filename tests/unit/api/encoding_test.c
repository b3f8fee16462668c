#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/encoding.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/prng.h"

static void codings_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(api_encoding_of(SLICE_EMPTY), ENCODING_IDENTITY);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("Identity")), ENCODING_IDENTITY);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("GZIP")), ENCODING_GZIP);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("x-gzip")), ENCODING_GZIP);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("deflate")), ENCODING_DEFLATE);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("br")), ENCODING_UNKNOWN);
    assert_int_equal(api_encoding_of(SLICE_LITERAL("gzip, gzip")), ENCODING_UNKNOWN);
}

static void text_is_worth_compressing(void **state)
{
    (void)state;
    const char *const yes[] = {"text/plain",          "Text/HTML; charset=utf-8",
                               "application/json",    "application/vnd.api+json",
                               "image/svg+xml",       "application/javascript ; x=1",
                               "application/x-ndjson"};
    const char *const no[] = {"",
                              "application/octet-stream",
                              "image/png",
                              "application/gzip",
                              "application/jsonp",
                              "json",
                              "texts/plain",
                              "+jso"};
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        assert_true(api_encoding_is_compressible(slice_from_text(yes[i])));
    }
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        assert_false(api_encoding_is_compressible(slice_from_text(no[i])));
    }
}

static void weights_decide_between_gzip_and_the_value_as_it_is(void **state)
{
    (void)state;
    const struct {
        const char *accept;
        enum encoding_choice choice;
    } cases[] = {
        {"gzip", ENCODING_CHOICE_GZIP},
        {"deflate, gzip, br, zstd", ENCODING_CHOICE_GZIP}, /* curl --compressed */
        {"*", ENCODING_CHOICE_GZIP},
        {"gzip;q=0.5, identity;q=0.5", ENCODING_CHOICE_GZIP},
        {"gzip;Q=0.001", ENCODING_CHOICE_GZIP},
        {"", ENCODING_CHOICE_PLAIN},
        {"br", ENCODING_CHOICE_PLAIN},
        {"identity", ENCODING_CHOICE_PLAIN},
        {"gzip;q=0", ENCODING_CHOICE_PLAIN},
        {"gzip;q=0.000, *", ENCODING_CHOICE_PLAIN},
        {"gzip;q=0.499, identity;q=0.5", ENCODING_CHOICE_PLAIN},
        {"gzip;q=x", ENCODING_CHOICE_PLAIN},
        {"identity;q=0, br", ENCODING_CHOICE_PLAIN}, /* nothing that we have: as it is */
        {"*;q=0", ENCODING_CHOICE_PLAIN},
        {"gzip, identity;q=0", ENCODING_CHOICE_FORCED},
        {"gzip, *;q=0", ENCODING_CHOICE_FORCED},
        {"identity;q=0.0, *;q=0.1", ENCODING_CHOICE_FORCED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (api_encoding_choose(slice_from_text(cases[i].accept)) != cases[i].choice) {
            fail_msg("%s", cases[i].accept);
        }
    }
}

static void what_was_compressed_decodes_to_the_same_bytes(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000, ENCODING_GZIP_BYTES_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(sizes) * 2; i++) {
        size_t size = sizes[i / 2];
        uint8_t *bytes = mem_alloc(size + 1);
        for (size_t j = 0; j < size; j++) { /* noise, and what has much of itself in it */
            bytes[j] = i % 2 == 0 ? (uint8_t)prng_next(&prng) : (uint8_t)(j / 100);
        }
        struct slice plain = {bytes, size};
        struct buf *coded = api_encoding_gzip(plain);
        assert_true(i % 2 == 0 || size < 4096 || coded->size < size / 10);
        struct writer decoded = {0};
        assert_int_equal(api_encoding_decode(ENCODING_GZIP, buf_slice(coded), size, &decoded), OK);
        assert_true(slice_equal(writer_slice(&decoded), plain));
        writer_deinit(&decoded);
        if (size > 0) {
            assert_int_equal(
                api_encoding_decode(ENCODING_GZIP, buf_slice(coded), size - 1, &decoded),
                ERR_TOO_LARGE);
            assert_in_range(decoded.size, 0, size);
        }
        writer_deinit(&decoded);
        buf_unref(coded);
        mem_free(bytes);
    }
}

static void members_one_after_the_other_are_one_body(void **state)
{
    (void)state;
    struct buf *first = api_encoding_gzip(SLICE_LITERAL("one, "));
    struct buf *second = api_encoding_gzip(SLICE_LITERAL("two"));
    struct writer both = {0};
    struct writer decoded = {0};
    writer_bytes(&both, buf_slice(first));
    writer_bytes(&both, buf_slice(second));
    assert_int_equal(api_encoding_decode(ENCODING_GZIP, writer_slice(&both), 100, &decoded), OK);
    assert_true(slice_equal(writer_slice(&decoded), SLICE_LITERAL("one, two")));
    writer_reset(&decoded);
    writer_u8(&both, 0); /* and something that is none */
    assert_int_equal(api_encoding_decode(ENCODING_GZIP, writer_slice(&both), 100, &decoded),
                     ERR_MALFORMED);
    writer_deinit(&decoded);
    writer_deinit(&both);
    buf_unref(first);
    buf_unref(second);
}

static void deflate_is_the_format_of_zlib(void **state)
{
    (void)state;
    /* zlib.compress(b"hello hello hello") */
    const struct slice coded = SLICE_INIT("\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00"
                                          "\x3a\x2e\x06\x7d");
    struct writer decoded = {0};
    assert_int_equal(api_encoding_decode(ENCODING_DEFLATE, coded, 17, &decoded), OK);
    assert_true(slice_equal(writer_slice(&decoded), SLICE_LITERAL("hello hello hello")));
    writer_reset(&decoded);
    assert_int_equal(api_encoding_decode(ENCODING_GZIP, coded, 17, &decoded), ERR_MALFORMED);
    writer_deinit(&decoded);
}

static void a_byte_that_is_missing_or_wrong_is_noticed(void **state)
{
    (void)state;
    char text[3000];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i * i % 23);
    }
    struct buf *coded = api_encoding_gzip((struct slice){(const uint8_t *)text, sizeof(text)});
    struct writer decoded = {0};
    for (size_t size = 0; size < coded->size; size++) {
        writer_reset(&decoded);
        assert_int_equal(api_encoding_decode(ENCODING_GZIP, (struct slice){coded->data, size},
                                             sizeof(text), &decoded),
                         ERR_MALFORMED);
    }
    for (size_t i = 10; i < coded->size; i++) { /* behind the header, whose texts nobody checks */
        coded->data[i] ^= 0x10;
        writer_reset(&decoded);
        assert_int_not_equal(
            api_encoding_decode(ENCODING_GZIP, buf_slice(coded), sizeof(text), &decoded), OK);
        coded->data[i] ^= 0x10;
    }
    writer_deinit(&decoded);
    buf_unref(coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codings_are_known_by_name),
        cmocka_unit_test(text_is_worth_compressing),
        cmocka_unit_test(weights_decide_between_gzip_and_the_value_as_it_is),
        cmocka_unit_test(what_was_compressed_decodes_to_the_same_bytes),
        cmocka_unit_test(members_one_after_the_other_are_one_body),
        cmocka_unit_test(deflate_is_the_format_of_zlib),
        cmocka_unit_test(a_byte_that_is_missing_or_wrong_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
