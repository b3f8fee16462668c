#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/list_cursor.h"
#include "base/compiler.h"

#define CLUSTER 0xabcdefu

static struct list_cursor cursor_of(struct slice place)
{
    return (struct list_cursor){
        .is_reverse = true, .revision = 42, .list_hash = UINT64_MAX - 7, .place = place};
}

static void it_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t bytes[STORE_BOUND_SIZE_MAX];
    struct writer text = {0};
    struct writer scratch = {0};
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7 + 250);
    }
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        struct list_cursor cursor = cursor_of((struct slice){bytes, size});
        struct list_cursor found;
        writer_reset(&text);
        api_list_cursor_write(&cursor, CLUSTER, &text);
        for (size_t i = 0; i < text.size; i++) { /* it stands in a URL as it is */
            assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_",
                                   text.data[i], 64));
        }
        assert_int_equal(api_list_cursor_read(writer_slice(&text), CLUSTER, &scratch, &found), OK);
        assert_true(found.is_reverse);
        assert_int_equal(found.revision, 42);
        assert_int_equal(found.list_hash, UINT64_MAX - 7);
        assert_true(slice_equal(found.place, cursor.place));
    }
    writer_deinit(&text);
    writer_deinit(&scratch);
}

static void whatever_is_changed_in_it_is_noticed(void **state)
{
    (void)state;
    struct writer text = {0};
    struct writer scratch = {0};
    struct list_cursor found;
    struct list_cursor cursor = cursor_of(SLICE_LITERAL("app/users/7"));
    api_list_cursor_write(&cursor, CLUSTER, &text);
    struct slice whole = writer_slice(&text);
    assert_int_equal(api_list_cursor_read(whole, CLUSTER, &scratch, &found), OK);
    assert_int_equal(api_list_cursor_read(whole, CLUSTER + 1, &scratch, &found), ERR_BAD_REQUEST);
    for (size_t size = 0; size < whole.size; size++) {
        struct slice part = {whole.data, size};
        assert_int_equal(api_list_cursor_read(part, CLUSTER, &scratch, &found), ERR_BAD_REQUEST);
    }
    for (size_t i = 0; i < whole.size; i++) {
        uint8_t kept = text.data[i];
        text.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(api_list_cursor_read(whole, CLUSTER, &scratch, &found), ERR_BAD_REQUEST);
        text.data[i] = kept;
    }
    static const char *const wrong[] = {"", "=", "A+B/", "abc def", "%41", "AAAA="};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(api_list_cursor_read(slice_from_text(wrong[i]), CLUSTER, &scratch, &found),
                         ERR_BAD_REQUEST);
    }
    writer_deinit(&text);
    writer_deinit(&scratch);
}

/* A place that none can have, though its checksum is right. */
static void a_place_of_no_size_or_too_much_is_refused(void **state)
{
    (void)state;
    struct writer text = {0};
    struct writer scratch = {0};
    struct list_cursor found;
    struct list_cursor cursor = cursor_of(SLICE_EMPTY);
    api_list_cursor_write(&cursor, CLUSTER, &text);
    assert_int_equal(api_list_cursor_read(writer_slice(&text), CLUSTER, &scratch, &found),
                     ERR_BAD_REQUEST);
    for (int i = 0; i < 1000; i++) {
        writer_bytes(&text, SLICE_LITERAL("AAAA"));
    }
    assert_int_equal(api_list_cursor_read(writer_slice(&text), CLUSTER, &scratch, &found),
                     ERR_BAD_REQUEST);
    writer_deinit(&text);
    writer_deinit(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_as_it_went),
        cmocka_unit_test(whatever_is_changed_in_it_is_noticed),
        cmocka_unit_test(a_place_of_no_size_or_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
