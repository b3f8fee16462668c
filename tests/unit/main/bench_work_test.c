#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "main/bench_work.h"

static void keys_are_under_a_prefix_of_their_run(void **state)
{
    (void)state;
    struct bench_work work;
    struct writer path = {0};
    main_bench_work_init(&work, "a b/", 0x0123456789abcdef, 10);
    assert_true(slice_equal(writer_slice(&work.prefix), SLICE_LITERAL("a b/0123456789abcdef/")));
    main_bench_work_path(&work, 42, &path);
    assert_true(
        slice_equal(writer_slice(&path), SLICE_LITERAL("/kv/a%20b/0123456789abcdef/0000000042")));
    writer_deinit(&path);
    main_bench_work_deinit(&work);
}

static void values_are_known_as_those_of_their_key(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 256, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct bench_work work;
        main_bench_work_init(&work, "", 77, sizes[i]);
        for (uint64_t key = 0; key < 20; key++) {
            struct buf *value = main_bench_work_value(&work, key, key * 1000);
            assert_int_equal(value->size, sizes[i]);
            assert_true(main_bench_work_is_value(&work, key, buf_slice(value)));
            assert_int_equal(main_bench_work_is_value(&work, key + 1, buf_slice(value)),
                             sizes[i] == 0);
            buf_unref(value);
        }
        main_bench_work_deinit(&work);
    }
}

static void a_byte_that_is_wrong_is_seen(void **state)
{
    (void)state;
    struct bench_work work;
    main_bench_work_init(&work, "", 77, 100);
    for (size_t i = 0; i < 100; i++) {
        struct buf *value = main_bench_work_value(&work, 5, 6);
        value->data[i] ^= 1;
        assert_false(main_bench_work_is_value(&work, 5, buf_slice(value)));
        buf_unref(value);
    }
    struct buf *value = main_bench_work_value(&work, 5, 6);
    assert_false(main_bench_work_is_value(&work, 5, (struct slice){value->data, 99}));
    buf_unref(value);
    main_bench_work_deinit(&work);
}

static void another_number_is_another_value(void **state)
{
    (void)state;
    struct bench_work work;
    main_bench_work_init(&work, "", 77, 100);
    struct buf *first = main_bench_work_value(&work, 5, 6);
    struct buf *second = main_bench_work_value(&work, 5, 7);
    assert_false(slice_equal(buf_slice(first), buf_slice(second)));
    buf_unref(first);
    buf_unref(second);
    main_bench_work_deinit(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_under_a_prefix_of_their_run),
        cmocka_unit_test(values_are_known_as_those_of_their_key),
        cmocka_unit_test(a_byte_that_is_wrong_is_seen),
        cmocka_unit_test(another_number_is_another_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
