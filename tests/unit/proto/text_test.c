#include "proto/text.h"
#include "proto_testing.h"

static void printable_ascii_is_plain(void **state)
{
    (void)state;
    assert_true(text_is_plain(SLICE_EMPTY));
    assert_true(text_is_plain(SLICE_LITERAL("db-1.example.org:4000")));
    assert_true(text_is_plain(SLICE_LITERAL(" ~")));
}

static void controls_and_bytes_above_ascii_are_not_plain(void **state)
{
    (void)state;
    assert_false(text_is_plain(SLICE_LITERAL("a\nb")));
    assert_false(text_is_plain(SLICE_LITERAL("a\0b")));
    assert_false(text_is_plain(SLICE_LITERAL("\x1f")));
    assert_false(text_is_plain(SLICE_LITERAL("\x7f")));
    assert_false(text_is_plain(SLICE_LITERAL("caf\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_ascii_is_plain),
        cmocka_unit_test(controls_and_bytes_above_ascii_are_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
