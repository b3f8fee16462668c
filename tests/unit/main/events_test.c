#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "main/events.h"

struct seen {
    char text[256];
    int left; /* how many are wanted */
};

static bool see(void *ctx, const struct event *event)
{
    struct seen *seen = ctx;
    size_t size = strlen(seen->text);
    snprintf(seen->text + size, sizeof(seen->text) - size, "%s/%s/%.*s|", event->name, event->id,
             (int)event->data.size, (const char *)event->data.data);
    return --seen->left != 0;
}

static const char stream[] = "retry: 1500\r\n\r\n"
                             ": a comment\n"
                             "event: put\r\nid: 43\r\ndata: {\"a\":1}\r\n\r\n"
                             "data:no space\rdata:  two\r\r"
                             "event: progress\nid: 57\ndata: {}\n\n"
                             "event: nothing\n\n"
                             "data\n\n"
                             "id: 60\ndata: cut";

static void pieces_of_any_size_give_the_same_events(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        struct seen seen = {.left = -1};
        struct events events = {.event = see, .ctx = &seen, .size_max = 100};
        main_events_begin(&events);
        for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
            size_t left = sizeof(stream) - 1 - at;
            struct slice bytes = {(const uint8_t *)stream + at, left < piece ? left : piece};
            assert_true(main_events_take(&events, bytes));
        }
        assert_string_equal(seen.text,
                            "put/43/{\"a\":1}|message//no space\n two|progress/57/{}|message//|");
        assert_int_equal(events.retry_ms, 1500);
        main_events_deinit(&events);
    }
}

static void what_was_cut_does_not_reach_into_the_next_stream(void **state)
{
    (void)state;
    struct seen seen = {.left = -1};
    struct events events = {.event = see, .ctx = &seen, .size_max = 100};
    main_events_begin(&events);
    assert_true(main_events_take(&events, SLICE_LITERAL("id: 1\nevent: put\ndata: a\nda")));
    main_events_begin(&events);
    assert_true(main_events_take(&events, SLICE_LITERAL("data: b\n\n")));
    assert_string_equal(seen.text, "message//b|");
    main_events_deinit(&events);
}

static void who_wants_no_more_gets_no_more(void **state)
{
    (void)state;
    struct seen seen = {.left = 1};
    struct events events = {.event = see, .ctx = &seen, .size_max = 100};
    main_events_begin(&events);
    assert_false(main_events_take(&events, SLICE_LITERAL("data: a\n\ndata: b\n\n")));
    assert_string_equal(seen.text, "message//a|");
    assert_false(events.is_too_large);
    main_events_deinit(&events);
}

static void an_event_has_a_bound(void **state)
{
    (void)state;
    static const char *const streams[] = {"data: 12345678", "data: 1\ndata: 2345"};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        struct seen seen = {.left = -1};
        struct events events = {.event = see, .ctx = &seen, .size_max = 10};
        main_events_begin(&events);
        assert_false(main_events_take(&events, slice_from_text(streams[i])));
        assert_true(events.is_too_large);
        main_events_deinit(&events);
    }
    struct seen seen = {.left = -1};
    struct events events = {.event = see, .ctx = &seen, .size_max = 10};
    main_events_begin(&events);
    for (int i = 0; i < 20; i++) { /* each is small enough */
        assert_true(main_events_take(&events, SLICE_LITERAL("data: 1234\n\n")));
    }
    main_events_deinit(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_same_events),
        cmocka_unit_test(what_was_cut_does_not_reach_into_the_next_stream),
        cmocka_unit_test(who_wants_no_more_gets_no_more),
        cmocka_unit_test(an_event_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
