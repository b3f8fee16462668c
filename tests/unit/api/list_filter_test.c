#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/list_filter.h"
#include "base/compiler.h"

static void each_bound_counts_and_has_its_end(void **state)
{
    (void)state;
    static const struct {
        struct list_filter filter;
        bool takes;
    } cases[] = {
        {{.mod = {0, 0}}, true},
        {{.mod = {.min = 7}}, true},
        {{.mod = {.min = 8}}, false},
        {{.mod = {.max = 7}}, true},
        {{.mod = {.max = 6}}, false},
        {{.create = {.min = 3}}, true},
        {{.create = {.min = 4}}, false},
        {{.create = {.max = 3}}, true},
        {{.create = {.max = 2}}, false},
        {{.mod = {7, 7}, .create = {3, 3}}, true},
        {{.mod = {7, 7}, .create = {4, 9}}, false},
    };
    const struct store_record record = {.create_revision = 3, .mod_revision = 7};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_list_filter_takes(&cases[i].filter, &record), cases[i].takes);
        assert_int_equal(api_list_filter_is_set(&cases[i].filter), i > 0);
    }
}

static void it_is_written_as_it_was_asked(void **state)
{
    (void)state;
    const struct list_filter none = {.mod = {0, 0}};
    const struct list_filter some = {.mod = {.max = 9}, .create = {.min = 2}};
    struct writer out = {0};
    api_list_filter_write(&none, &out);
    assert_int_equal(out.size, 0);
    api_list_filter_write(&some, &out);
    assert_true(slice_equal(writer_slice(&out),
                            SLICE_LITERAL("max-mod-revision=9&min-create-revision=2&")));
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bound_counts_and_has_its_end),
        cmocka_unit_test(it_is_written_as_it_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
