#include "base/mem.h"
#include "base_testing.h"

static struct death death;

static void no_bytes_are_a_block_too(void **state)
{
    (void)state;
    void *block = mem_alloc(0);
    assert_non_null(block);
    block = mem_realloc(block, 0, 8);
    assert_non_null(block);
    mem_free(block);
    block = mem_calloc(0, 8);
    assert_non_null(block);
    mem_free(block);
    mem_free(NULL);
}

static void calloc_gives_zeros_and_realloc_keeps_the_bytes(void **state)
{
    (void)state;
    uint32_t *numbers = mem_calloc(4, sizeof(*numbers));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(numbers[i], 0);
        numbers[i] = (uint32_t)i;
    }
    numbers = mem_realloc(numbers, 1000, sizeof(*numbers));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(numbers[i], i);
    }
    mem_free(numbers);
}

static void strdup_copies(void **state)
{
    (void)state;
    char text[] = "text";
    char *copy = mem_strdup(text);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    mem_free(copy);
}

static volatile size_t huge = SIZE_MAX / 2 + 1;

static void overflow_calloc(void)
{
    mem_free(mem_calloc(huge, 2));
}

static void overflow_realloc(void)
{
    mem_free(mem_realloc(NULL, huge, 2));
}

static void a_product_that_overflows_ends_the_process(void **state)
{
    (void)state;
    void (*const cases[])(void) = {overflow_calloc, overflow_realloc};
    for (size_t i = 0; i < 2; i++) {
        death_of(cases[i], &death);
        assert_true(WIFEXITED(death.status));
        assert_int_equal(WEXITSTATUS(death.status), 1);
        assert_string_equal(death.text, "fatal: allocate 9223372036854775808 times 2 bytes: "
                                        "Cannot allocate memory\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_a_block_too),
        cmocka_unit_test(calloc_gives_zeros_and_realloc_keeps_the_bytes),
        cmocka_unit_test(strdup_copies),
        cmocka_unit_test(a_product_that_overflows_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
