#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "work.h"

static void a_fill_puts_each_key_once(void **state)
{
    (void)state;
    struct work work;
    work_init(&work, OPERATION_FILL, 3, 20, 1);
    struct request request;
    for (uint64_t key = 0; key < 3; key++) {
        assert_true(work_next(&work, &request));
        assert_true(request.is_put);
        assert_true(request.is_new);
        assert_int_equal(request.key, key);
    }
    assert_false(work_next(&work, &request));
    work_deinit(&work);
}

static void a_tenth_of_mixed_are_puts(void **state)
{
    (void)state;
    struct work work;
    work_init(&work, OPERATION_MIXED, 7, 20, 1);
    unsigned puts = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct request request;
        assert_true(work_next(&work, &request));
        assert_true(request.key < 7);
        assert_false(request.is_new);
        puts += request.is_put ? 1 : 0;
    }
    assert_in_range(puts, 900, 1100);
    work_deinit(&work);
}

static void a_count_is_a_bound(void **state)
{
    (void)state;
    struct work work;
    work_init(&work, OPERATION_GET, 7, 20, 1);
    work.count_max = 1;
    struct request request;
    assert_true(work_next(&work, &request));
    assert_false(request.is_put);
    assert_false(work_next(&work, &request));
    work_deinit(&work);
}

static void a_value_is_known_by_its_key(void **state)
{
    (void)state;
    for (size_t size = WORK_KEY_SIZE; size < 20; size++) {
        struct work work;
        work_init(&work, OPERATION_GET, 100, size, size);
        struct writer value = {0};
        work_write_value(&work, 42, &value);
        assert_int_equal(value.size, size);
        assert_int_equal(work_value_size(&work), size);
        assert_memory_equal(value.data, "key-00000042", WORK_KEY_SIZE);
        struct slice bytes = writer_slice(&value);
        assert_true(work_is_value(&work, 42, bytes));
        assert_false(work_is_value(&work, 43, bytes));
        bytes.size--;
        assert_false(work_is_value(&work, 42, bytes));
        value.data[size - 1] ^= 1;
        assert_false(work_is_value(&work, 42, writer_slice(&value)));
        writer_deinit(&value);
        work_deinit(&work);
    }
}

static void base64_is_that_of_the_whole_value(void **state)
{
    (void)state;
    for (size_t size = WORK_KEY_SIZE; size < 20; size++) {
        struct work work;
        work_init(&work, OPERATION_GET, 100, size, 1);
        struct writer value = {0};
        work_write_value_base64(&work, 42, &value);
        assert_int_equal(value.size, (size + 2) / 3 * 4);
        assert_memory_equal(value.data, "a2V5LTAwMDAwMDQy", 16); /* key-00000042 */
        assert_true(work_is_value_base64(&work, 42, writer_slice(&value)));
        assert_false(work_is_value_base64(&work, 41, writer_slice(&value)));
        assert_int_equal(value.data[value.size - 1] == '=', size % 3 != 0);
        writer_deinit(&value);
        work_deinit(&work);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fill_puts_each_key_once),
        cmocka_unit_test(a_tenth_of_mixed_are_puts),
        cmocka_unit_test(a_count_is_a_bound),
        cmocka_unit_test(a_value_is_known_by_its_key),
        cmocka_unit_test(base64_is_that_of_the_whole_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
