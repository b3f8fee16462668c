#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/watch_cache.h"
#include "base/mem.h"

static struct history_entry entry_of(uint64_t number, struct slice value)
{
    return (struct history_entry){
        .number = number,
        .revision = number,
        .key = SLICE_LITERAL("a"),
        .kind = STORE_CHANGE_PUT,
        .record = {.value = value, .mod_revision = number, .create_revision = 1, .version = 1},
    };
}

static void an_event_is_encoded_once_in_each_form(void **state)
{
    (void)state;
    struct watch_cache *cache = api_watch_cache_new();
    struct history_entry entry = entry_of(7, SLICE_LITERAL("v"));
    for (int round = 0; round < 3; round++) {
        for (unsigned form = 0; form < 4; form++) {
            struct watch_style style = {(enum watch_form)(form / 2), form % 2 == 1};
            struct buf *bytes = api_watch_cache_change(cache, style, &entry, true);
            struct writer expected = {0};
            api_watch_format_change(&expected, style, &entry, true);
            assert_true(slice_equal(buf_slice(bytes), writer_slice(&expected)));
            writer_deinit(&expected);
            buf_unref(bytes);
        }
    }
    assert_int_equal(api_watch_cache_encoded(cache), 4);
    struct watch_style style = {WATCH_FORM_SSE, false};
    struct buf *bytes = api_watch_cache_change(cache, style, &entry, false); /* without its id */
    assert_null(memmem(bytes->data, bytes->size, "id:", 3));
    buf_unref(bytes);
    assert_int_equal(api_watch_cache_encoded(cache), 5);
    api_watch_cache_free(cache);
}

static void it_forgets_what_is_old_and_what_is_too_large(void **state)
{
    (void)state;
    struct watch_cache *cache = api_watch_cache_new();
    struct watch_style style = {WATCH_FORM_SSE, false};
    size_t size = 9u << 20;
    uint8_t *value = mem_alloc(size);
    memset(value, 'v', size);
    struct history_entry old = entry_of(1, (struct slice){value, size});
    struct history_entry large = entry_of(2, (struct slice){value, size});
    struct buf *kept = api_watch_cache_change(cache, style, &old, true);
    buf_unref(api_watch_cache_change(cache, style, &large, true));
    assert_int_equal(kept->ref_count, 1); /* both are more than it keeps */
    buf_unref(kept);
    struct buf *again = api_watch_cache_change(cache, style, &large, true);
    assert_int_equal(again->ref_count, 2);
    buf_unref(again);
    assert_int_equal(api_watch_cache_encoded(cache), 2);
    for (uint64_t number = 3; number < 1000; number++) { /* places are used again */
        struct history_entry entry = entry_of(number, SLICE_LITERAL("v"));
        buf_unref(api_watch_cache_change(cache, style, &entry, true));
    }
    buf_unref(api_watch_cache_change(cache, style, &large, true));
    assert_int_equal(api_watch_cache_encoded(cache), 2 + 997 + 1);
    api_watch_cache_clear(cache);
    buf_unref(api_watch_cache_change(cache, style, &large, true));
    assert_int_equal(api_watch_cache_encoded(cache), 2 + 997 + 2);
    mem_free(value);
    api_watch_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_encoded_once_in_each_form),
        cmocka_unit_test(it_forgets_what_is_old_and_what_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
