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

static void what_is_not_plain_in_a_path_is_escaped(void **state)
{
    (void)state;
    struct writer out = {0};
    text_escape(SLICE_LITERAL("app/users-1_a.b~"), &out);
    text_escape(SLICE_LITERAL(" %\"\n\0\xff+"), &out);
    assert_true(
        slice_equal(writer_slice(&out), SLICE_LITERAL("app/users-1_a.b~%20%25%22%0A%00%FF%2B")));
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_ascii_is_plain),
        cmocka_unit_test(controls_and_bytes_above_ascii_are_not_plain),
        cmocka_unit_test(what_is_not_plain_in_a_path_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
