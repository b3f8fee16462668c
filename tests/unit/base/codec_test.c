#include "base/codec.h"
#include "base_testing.h"

static struct writer writer;

static int tear_down(void **state)
{
    (void)state;
    writer_deinit(&writer);
    return 0;
}

static void write_one_of_each(void)
{
    writer_u8(&writer, 0x01);
    writer_u16(&writer, 0x0302);
    writer_u32(&writer, 0x07060504);
    writer_u64(&writer, 0x0f0e0d0c0b0a0908);
    writer_sized(&writer, SLICE_LITERAL("xy"));
    writer_bytes(&writer, SLICE_LITERAL("z"));
    writer_bytes(&writer, SLICE_EMPTY);
}

static void integers_are_little_endian(void **state)
{
    (void)state;
    write_one_of_each();
    assert_true(slice_equal(
        writer_slice(&writer),
        SLICE_LITERAL(
            "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x02\0\0\0xyz")));
}

static void a_reader_reads_what_a_writer_wrote(void **state)
{
    (void)state;
    write_one_of_each();
    struct reader reader = reader_of(writer_slice(&writer));
    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_u16(&reader), 0x0302);
    assert_int_equal(reader_u32(&reader), 0x07060504);
    assert_int_equal(reader_u64(&reader), 0x0f0e0d0c0b0a0908);
    assert_true(slice_equal(reader_sized(&reader, 2), SLICE_LITERAL("xy")));
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
    assert_true(slice_equal(reader_bytes(&reader, 1), SLICE_LITERAL("z")));
    assert_int_equal(reader_finish(&reader), OK);
}

static void every_cut_is_found_and_nothing_is_read_past_it(void **state)
{
    (void)state;
    write_one_of_each();
    struct slice whole = writer_slice(&writer);
    for (size_t size = 0; size < whole.size; size++) {
        struct buf *cut =
            buf_copy((struct slice){whole.data, size}); /* the sanitizer sees its end */
        struct reader reader = reader_of(buf_slice(cut));
        (void)reader_u8(&reader);
        (void)reader_u16(&reader);
        (void)reader_u32(&reader);
        (void)reader_u64(&reader);
        (void)reader_sized(&reader, 2);
        (void)reader_bytes(&reader, 1);
        assert_false(reader_ok(&reader));
        assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
        buf_unref(cut);
    }
}

static void a_reader_that_has_failed_stays_failed(void **state)
{
    (void)state;
    struct reader reader = reader_of(SLICE_LITERAL("\x01\x02\x03"));
    assert_int_equal(reader_u32(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0);
    assert_null(reader_bytes(&reader, 0).data);
    assert_null(reader_bytes(&reader, 1).data);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
}

static void a_size_above_its_limit_fails(void **state)
{
    (void)state;
    writer_sized(&writer, SLICE_LITERAL("abc"));
    struct reader reader = reader_of(writer_slice(&writer));
    assert_int_equal(reader_sized(&reader, 2).size, 0);
    assert_false(reader_ok(&reader));
    reader = reader_of(SLICE_LITERAL("\xff\xff\xff\xff"));
    assert_int_equal(reader_sized(&reader, SIZE_MAX).size, 0);
    assert_false(reader_ok(&reader));
}

static void an_empty_view_reads_as_nothing(void **state)
{
    (void)state;
    struct reader reader = reader_of(SLICE_EMPTY);
    assert_int_equal(reader_bytes(&reader, 0).size, 0);
    assert_int_equal(reader_finish(&reader), OK);
}

static void a_writer_grows_and_keeps_what_it_has(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        writer_u32(&writer, i);
    }
    struct buf *copy = writer_to_buf(&writer);
    struct reader reader = reader_of(buf_slice(copy));
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(reader_u32(&reader), i);
    }
    assert_int_equal(reader_finish(&reader), OK);
    buf_unref(copy);
}

static void a_reset_keeps_the_memory(void **state)
{
    (void)state;
    writer_bytes(&writer, SLICE_LITERAL("abc"));
    const uint8_t *data = writer.data;
    writer_reset(&writer);
    assert_int_equal(writer_slice(&writer).size, 0);
    writer_bytes(&writer, SLICE_LITERAL("d"));
    assert_ptr_equal(writer.data, data);
    assert_true(slice_equal(writer_slice(&writer), SLICE_LITERAL("d")));
}

static void formatted_text_has_no_nul_and_any_size(void **state)
{
    (void)state;
    writer_format(&writer, "%d-%s", 42, "x");
    writer_format(&writer, "%s", "");
    assert_true(slice_equal(writer_slice(&writer), SLICE_LITERAL("42-x")));
    writer_format(&writer, "%5000d", 7);
    assert_int_equal(writer_slice(&writer).size, 5004);
    assert_int_equal(writer_slice(&writer).data[5003], '7');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(integers_are_little_endian, tear_down),
        cmocka_unit_test_teardown(a_reader_reads_what_a_writer_wrote, tear_down),
        cmocka_unit_test_teardown(every_cut_is_found_and_nothing_is_read_past_it, tear_down),
        cmocka_unit_test(a_reader_that_has_failed_stays_failed),
        cmocka_unit_test_teardown(a_size_above_its_limit_fails, tear_down),
        cmocka_unit_test(an_empty_view_reads_as_nothing),
        cmocka_unit_test_teardown(a_writer_grows_and_keeps_what_it_has, tear_down),
        cmocka_unit_test_teardown(a_reset_keeps_the_memory, tear_down),
        cmocka_unit_test_teardown(formatted_text_has_no_nul_and_any_size, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
