#include "http/http_percent.h"
#include "http_test.h"

static void check(struct slice text, struct slice expected)
{
    uint8_t memory[64];
    struct slice bytes = SLICE_EMPTY;
    assert_int_equal(http_percent_decode(text, memory, &bytes), OK);
    assert_true(slice_equal(bytes, expected));
}

static void escapes_are_decoded_exactly_once(void **state)
{
    (void)state;
    check(SLICE_LITERAL("a%2Fb"), SLICE_LITERAL("a/b"));
    check(SLICE_LITERAL("%2541"), SLICE_LITERAL("%41"));
    check(SLICE_LITERAL("%fF%00x"), SLICE_LITERAL("\xff\0x"));
    check(SLICE_LITERAL("a+b"), SLICE_LITERAL("a+b"));
    check(SLICE_LITERAL("/p/../q//r"), SLICE_LITERAL("/p/../q//r"));
    check(SLICE_EMPTY, SLICE_EMPTY);
}

static void bad_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"%",   "a%",   "%4",   "%zz", "%4z",
                                        "%z4", "%%41", "% 41", "%+1"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t memory[64];
        struct slice bytes = SLICE_EMPTY;
        assert_int_equal(http_percent_decode(slice_from_text(cases[i]), memory, &bytes),
                         ERR_BAD_REQUEST);
    }
}

static void hexadecimal_digits_have_their_values(void **state)
{
    (void)state;
    unsigned count = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        count += http_hex_value((uint8_t)byte) < 16 ? 1 : 0;
    }
    assert_int_equal(count, 22);
    assert_int_equal(http_hex_value('9'), 9);
    assert_int_equal(http_hex_value('a'), 10);
    assert_int_equal(http_hex_value('F'), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_exactly_once),
        cmocka_unit_test(bad_escapes_are_refused),
        cmocka_unit_test(hexadecimal_digits_have_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
