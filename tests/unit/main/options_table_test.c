#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "main/options_int.h"

static void every_row_is_complete_and_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &main_options_table[i];
        assert_non_null(row->name);
        assert_non_null(row->placeholder);
        assert_true(row->help[0] != '\0');
        assert_ptr_equal(main_options_find(slice_from_text(row->name)), row);
        assert_true((row->choices != NULL) == (row->type == OPTION_CHOICE));
        assert_true((row->placeholder[0] == '\0') == (row->type == OPTION_BOOL));
        bool is_number =
            row->type == OPTION_U64 || row->type == OPTION_SIZE || row->type == OPTION_DURATION;
        assert_true(is_number ? row->min < row->max && row->standard != NULL : row->max == 0);
        for (size_t j = 0; j < i; j++) {
            assert_true(main_options_table[j].offset != row->offset);
        }
    }
}

static void underscores_are_as_good_as_dashes(void **state)
{
    (void)state;
    const struct option_row *row = main_options_find(SLICE_LITERAL("max_value-bytes"));
    assert_non_null(row);
    assert_string_equal(row->name, "max-value-bytes");
    assert_null(main_options_find(SLICE_LITERAL("max-value")));
    char variable[OPTION_NAME_SIZE_MAX];
    main_options_environment_name(row, variable);
    assert_string_equal(variable, "PONTOON_MAX_VALUE_BYTES");
}

static void only_a_small_mistake_has_a_nearest_name(void **state)
{
    (void)state;
    assert_string_equal(main_options_nearest(SLICE_LITERAL("elction-timout"))->name,
                        "election-timeout");
    assert_string_equal(main_options_nearest(SLICE_LITERAL("di"))->name, "id");
    assert_null(main_options_nearest(SLICE_LITERAL("port")));
    assert_null(main_options_nearest(SLICE_LITERAL("name")));
    assert_null(main_options_nearest(SLICE_LITERAL("x")));
    assert_null(main_options_nearest(SLICE_LITERAL("peer")));
    assert_string_equal(main_options_meant(SLICE_LITERAL("peer"))->name, "peer-listen");
    assert_string_equal(main_options_meant(SLICE_LITERAL("di"))->name, "id");
    assert_null(main_options_meant(SLICE_LITERAL("log"))); /* of many */
    assert_null(main_options_meant(SLICE_LITERAL("prot")));
}

/* The README's table has each setting with its default, and no other. */
static void the_readme_tells_the_same(void **state)
{
    (void)state;
    char path[512];
    const char *tests = strstr(__FILE__, "tests/unit/");
    assert_non_null(tests);
    (void)snprintf(path, sizeof(path), "%.*ssrc/main/README.md", (int)(tests - __FILE__), __FILE__);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char line[512];
    size_t i = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "| `--", 5) != 0) {
            continue;
        }
        assert_true(i < OPTION_COUNT);
        const struct option_row *row = &main_options_table[i++];
        char expected[512];
        const char *standard = row->standard != NULL ? row->standard : "";
        (void)snprintf(expected, sizeof(expected), "| `--%s%s%s` | %s | %s |\n", row->name,
                       row->placeholder[0] != '\0' ? " " : "", row->placeholder, standard,
                       row->help);
        assert_string_equal(line, expected);
    }
    (void)fclose(file);
    assert_int_equal(i, OPTION_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete_and_has_a_name_of_its_own),
        cmocka_unit_test(underscores_are_as_good_as_dashes),
        cmocka_unit_test(only_a_small_mistake_has_a_nearest_name),
        cmocka_unit_test(the_readme_tells_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
