#include "base/buf.h"
#include "base/compiler.h"
#include "base_testing.h"

static void slices_are_equal_by_their_bytes(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0b")));
    assert_false(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
    assert_false(slice_equal(SLICE_LITERAL("ab"), SLICE_LITERAL("abc")));
    assert_true(slice_equal(SLICE_EMPTY, slice_from_text("")));
}

static void slices_are_ordered_by_unsigned_bytes_and_prefixes_first(void **state)
{
    (void)state;
    const struct slice ascending[] = {
        SLICE_EMPTY,           SLICE_LITERAL("\0"),   SLICE_LITERAL("a"),
        SLICE_LITERAL("a\0"),  SLICE_LITERAL("ab"),   SLICE_LITERAL("b"),
        SLICE_LITERAL("\x7f"), SLICE_LITERAL("\x80"), SLICE_LITERAL("\xff"),
    };
    size_t count = sizeof(ascending) / sizeof(ascending[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = slice_compare(ascending[i], ascending[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void a_buf_is_a_copy_of_its_bytes(void **state)
{
    (void)state;
    struct buf *buf = buf_copy(SLICE_LITERAL("value"));
    assert_true(slice_equal(buf_slice(buf), SLICE_LITERAL("value")));
    buf_unref(buf);
    buf = buf_copy(SLICE_EMPTY);
    assert_int_equal(buf_slice(buf).size, 0);
    buf_unref(buf);
}

static void the_last_reference_frees_the_block(void **state)
{
    (void)state;
    struct buf *buf = buf_copy(SLICE_LITERAL("value"));
    struct buf *other = buf_ref(buf);
    assert_ptr_equal(buf, other);
    assert_int_equal(buf->ref_count, 2);
    buf_drop(&buf);
    assert_null(buf);
    assert_int_equal(other->ref_count, 1);
    assert_true(slice_equal(buf_slice(other), SLICE_LITERAL("value")));
    buf_unref(other); /* or the leak checker complains */
}

static void null_is_accepted(void **state)
{
    (void)state;
    struct buf *none = NULL;
    assert_null(buf_ref(NULL));
    buf_unref(NULL);
    buf_drop(&none);
    assert_int_equal(buf_slice(NULL).size, 0);
}

static void unref_of_a_dead_buf(void)
{
    struct buf *buf = buf_new(1);
    buf->ref_count = 0;
    buf_unref(buf);
}

static void one_reference_too_few_is_an_assert(void **state)
{
    (void)state;
    static struct death death;
    death_of(unref_of_a_dead_buf, &death);
    assert_true(WIFSIGNALED(death.status));
    assert_non_null(strstr(death.text, "assert failed: buf->ref_count > 0"));
}

/* The two bytes at each place of texts that are compared by words. */
static void expect_nocase_anywhere(uint8_t a, uint8_t b, bool is_same)
{
    const size_t sizes[] = {7, 8, 9, 16, 19};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        uint8_t one[19];
        uint8_t other[19];
        memset(one, 'x', sizeof(one));
        memset(other, 'X', sizeof(other));
        size_t at = (size_t)(a + b) % sizes[i];
        one[at] = a;
        other[at] = b;
        bool is_equal =
            slice_equal_nocase((struct slice){one, sizes[i]}, (struct slice){other, sizes[i]});
        assert_int_equal(is_equal, is_same);
    }
}

static void case_is_that_of_ascii_letters_alone(void **state)
{
    (void)state;
    assert_true(
        slice_equal_nocase(SLICE_LITERAL("Content-Length"), SLICE_LITERAL("cONTENT-lENGTH")));
    assert_true(slice_equal_nocase(SLICE_EMPTY, SLICE_LITERAL("")));
    assert_false(slice_equal_nocase(SLICE_LITERAL("host"), SLICE_LITERAL("hosts")));
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const uint8_t bytes[2] = {(uint8_t)a, (uint8_t)b};
            bool is_letter = (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z');
            bool is_same = a == b || (is_letter && (a ^ b) == ('a' ^ 'A'));
            assert_int_equal(
                slice_equal_nocase((struct slice){bytes, 1}, (struct slice){bytes + 1, 1}),
                is_same);
            expect_nocase_anywhere(bytes[0], bytes[1], is_same);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_that_of_ascii_letters_alone),
        cmocka_unit_test(slices_are_equal_by_their_bytes),
        cmocka_unit_test(slices_are_ordered_by_unsigned_bytes_and_prefixes_first),
        cmocka_unit_test(a_buf_is_a_copy_of_its_bytes),
        cmocka_unit_test(the_last_reference_frees_the_block),
        cmocka_unit_test(null_is_accepted),
        cmocka_unit_test(one_reference_too_few_is_an_assert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
