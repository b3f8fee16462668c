#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "node/snapshot_window.h"

static void push(struct snapshot_window *window, size_t size)
{
    struct writer payload = {0};
    memset(writer_extend(&payload, size), (int)('a' + window->sent % 26), size);
    snapshot_window_push(window, &payload);
    assert_null(payload.data);
}

static void it_has_room_for_so_many_chunks_and_so_many_bytes(void **state)
{
    (void)state;
    struct snapshot_window window = {.sent = 0};
    for (uint32_t i = 0; i < SNAPSHOT_WINDOW_CHUNKS; i++) {
        assert_true(snapshot_window_has_room(&window));
        push(&window, 10);
    }
    assert_false(snapshot_window_has_room(&window));
    snapshot_window_ack(&window, 1);
    assert_true(snapshot_window_has_room(&window));
    push(&window, SNAPSHOT_WINDOW_BYTES); /* one alone may be larger than the rest together */
    snapshot_window_ack(&window, SNAPSHOT_WINDOW_CHUNKS);
    assert_false(snapshot_window_has_room(&window));
    snapshot_window_ack(&window, SNAPSHOT_WINDOW_CHUNKS + 1);
    assert_int_equal(window.kept_bytes, 0);
    assert_true(snapshot_window_has_room(&window));
    snapshot_window_deinit(&window);
}

static void what_is_not_acknowledged_is_there_under_its_number(void **state)
{
    (void)state;
    struct snapshot_window window = {.sent = 0};
    for (uint32_t i = 0; i < 100; i++) {
        push(&window, 5 + i);
        if (i >= 3) {
            snapshot_window_ack(&window, i - 2);
        }
        for (uint32_t number = window.acked; number < window.sent; number++) {
            struct slice chunk = snapshot_window_chunk(&window, number);
            assert_int_equal(chunk.size, 5 + number);
            assert_int_equal(chunk.data[0], 'a' + number % 26);
        }
    }
    snapshot_window_deinit(&window);
}

struct sent {
    char firsts[8];
    size_t count;
    size_t fail_at;
};

static err note_chunk(void *ctx, struct slice payload)
{
    struct sent *sent = ctx;
    if (sent->count == sent->fail_at) {
        return ERR_OVERLOADED;
    }
    sent->firsts[sent->count++] = (char)payload.data[0];
    return OK;
}

static void it_is_repeated_in_order_until_that_fails(void **state)
{
    (void)state;
    struct snapshot_window window = {.sent = 0};
    struct sent sent = {.fail_at = 8};
    assert_int_equal(snapshot_window_repeat(&window, note_chunk, &sent), OK);
    assert_int_equal(sent.count, 0);
    for (int i = 0; i < 6; i++) {
        push(&window, 10);
    }
    snapshot_window_ack(&window, 2);
    assert_int_equal(snapshot_window_repeat(&window, note_chunk, &sent), OK);
    assert_memory_equal(sent.firsts, "cdef", 4);
    sent = (struct sent){.fail_at = 2};
    assert_int_equal(snapshot_window_repeat(&window, note_chunk, &sent), ERR_OVERLOADED);
    assert_memory_equal(sent.firsts, "cd", 2);
    assert_int_equal(window.acked, 2);
    snapshot_window_deinit(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_room_for_so_many_chunks_and_so_many_bytes),
        cmocka_unit_test(what_is_not_acknowledged_is_there_under_its_number),
        cmocka_unit_test(it_is_repeated_in_order_until_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
