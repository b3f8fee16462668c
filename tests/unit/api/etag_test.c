#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/etag.h"

static void a_tag_is_the_revision_in_quotes(void **state)
{
    (void)state;
    char text[ETAG_SIZE_MAX];
    assert_int_equal(api_etag_write(text, 42), 4);
    assert_memory_equal(text, "\"42\"", 4);
    assert_int_equal(api_etag_write(text, UINT64_MAX), 22);
}

static void a_list_is_searched_as_its_field_compares(void **state)
{
    (void)state;
    const struct {
        const char *list;
        bool is_strong;
        bool is_weak;
    } cases[] = {
        {"*", true, true},
        {"\"42\"", true, true},
        {"W/\"42\"", false, true},
        {"\"4\"", false, false},
        {"42", false, false},
        {"\"1\", \"42\"", true, true},
        {"\"1\",W/\"42\"", false, true},
        {"", false, false},
        {"\"42", false, false},
        {",,\"42\" ,", true, true},
        {"W/", false, false},
        {"\"*\"", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice list = slice_from_text(cases[i].list);
        assert_int_equal(api_etag_list_has(list, SLICE_LITERAL("\"42\""), ETAG_STRONG),
                         cases[i].is_strong);
        assert_int_equal(api_etag_list_has(list, SLICE_LITERAL("\"42\""), ETAG_WEAK),
                         cases[i].is_weak);
    }
}

static void the_compressed_form_has_a_tag_of_its_own(void **state)
{
    (void)state;
    char text[ETAG_SIZE_MAX];
    size_t size = api_etag_write_gzip(text, 42);
    assert_int_equal(size, 9);
    assert_memory_equal(text, "\"42-gzip\"", 9);
    assert_int_equal(api_etag_write_gzip(text, UINT64_MAX), ETAG_SIZE_MAX);
    const struct slice list = SLICE_INIT("\"7\", \"42-gzip\"");
    assert_true(api_etag_list_has(list, SLICE_LITERAL("\"42\""), ETAG_STRONG));
    assert_true(api_etag_list_has(list, SLICE_LITERAL("\"7\""), ETAG_STRONG));
    assert_false(api_etag_list_has(SLICE_LITERAL("\"42-br\", \"-gzip\", -gzip\""),
                                   SLICE_LITERAL("\"42\""), ETAG_WEAK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_is_the_revision_in_quotes),
        cmocka_unit_test(a_list_is_searched_as_its_field_compares),
        cmocka_unit_test(the_compressed_form_has_a_tag_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
