#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sim/past.h"

static void put(struct past *past, uint64_t revision, const char *key, const char *value)
{
    struct buf *bytes = buf_copy(slice_from_text(value));
    past_put(past, revision, slice_from_text(key), bytes);
    buf_unref(bytes);
}

static void removed(struct past *past, uint64_t revision, const char *key)
{
    past_remove(past, revision, slice_from_text(key), STORE_CHANGE_DELETE);
}

/*
 * 1  a=1
 * 2  a=2, b=2, c=2  (noted in another order)
 * 4  b goes
 * 5  a=5
 */
static struct past *a_past(void)
{
    struct past *past = past_new();
    put(past, 1, "a", "1");
    put(past, 2, "c", "2");
    put(past, 2, "b", "2");
    put(past, 2, "a", "2");
    removed(past, 4, "b");
    put(past, 5, "a", "5");
    return past;
}

static struct past_watch watch_of(const struct past *past, const char *prefix, uint64_t revision)
{
    struct past_watch watch = {.past = past, .pattern = {slice_from_text(prefix), true}};
    past_watch_from(&watch, revision);
    return watch;
}

/* A PUT; `before` NULL: nothing was there. */
static struct past_event event_of(uint64_t revision, const char *key, const char *value,
                                  const char *before, bool is_last)
{
    return (struct past_event){
        .revision = revision,
        .kind = STORE_CHANGE_PUT,
        .key = slice_from_text(key),
        .value = slice_from_text(value),
        .has_replaced = before != NULL,
        .replaced = before != NULL ? slice_from_text(before) : SLICE_EMPTY,
        .is_last = is_last,
    };
}

static void assert_complains(const char *complaint, const char *of)
{
    assert_non_null(complaint);
    if (strstr(complaint, of) == NULL) {
        fail_msg("\"%s\" is not in: %s", of, complaint);
    }
}

static void who_is_told_all_in_order_is_told_rightly(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_watch watch = watch_of(past, "", 0);
    struct past_event events[] = {
        event_of(1, "a", "1", NULL, true),  event_of(2, "a", "2", "1", false),
        event_of(2, "b", "2", NULL, false), event_of(2, "c", "2", NULL, true),
        event_of(4, "b", "", "2", true),    event_of(5, "a", "5", "2", true),
    };
    events[4].kind = STORE_CHANGE_DELETE;
    const uint64_t whole[] = {1, 1, 1, 2, 4, 5};
    for (size_t i = 0; i < ARRAY_COUNT(events); i++) {
        assert_false(past_watch_is_level(&watch));
        assert_null(past_watch_told(&watch, &events[i]));
        assert_int_equal(watch.id, whole[i]);
    }
    assert_true(past_watch_is_level(&watch));
    assert_null(past_watch_level(&watch, 9));
    assert_int_equal(watch.id, 9);
    past_free(past);
}

static void each_way_to_tell_it_wrongly_is_found(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_event expired = event_of(2, "a", "2", "1", false);
    expired.kind = STORE_CHANGE_EXPIRE;
    const struct {
        struct past_event event; /* after revision 1 */
        const char *complaint;
    } cases[] = {
        {event_of(1, "a", "1", NULL, true), "once more"},
        {event_of(4, "b", "2", "2", true), "nothing of what came before"},
        {event_of(2, "b", "2", NULL, false), "another change first"},
        {event_of(2, "a", "3", "1", false), "another value"},
        {event_of(2, "a", "2", NULL, false), "that was replaced"},
        {event_of(2, "a", "2", "2", false), "that was replaced"},
        {event_of(2, "a", "2", "1", true), "half of a revision"},
        {expired, "another kind"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct past_watch watch = watch_of(past, "", 1);
        assert_complains(past_watch_told(&watch, &cases[i].event), cases[i].complaint);
    }
    struct past_watch watch = watch_of(past, "", 5);
    struct past_event later = event_of(6, "a", "6", "5", true);
    assert_complains(past_watch_told(&watch, &later), "did not happen");
    watch = watch_of(past, "c", 1);
    later = event_of(2, "c", "2", NULL, false);
    assert_complains(past_watch_told(&watch, &later), "more of a revision follows");
    past_free(past);
}

static void a_replaced_value_that_is_damaged_may_be_anything(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_watch watch = watch_of(past, "a", 1);
    struct past_event event = event_of(2, "a", "2", NULL, true);
    event.is_damaged = true;
    assert_null(past_watch_told(&watch, &event));
    past_free(past);
}

static void level_is_only_who_has_been_told_all_up_to_there(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_watch watch = watch_of(past, "b", 2);
    assert_null(past_watch_level(&watch, 3));
    assert_int_equal(watch.id, 3);
    assert_complains(past_watch_level(&watch, 4), "and it is not");
    watch = watch_of(past, "d", 0);
    assert_null(past_watch_level(&watch, 7));
    assert_true(past_watch_is_level(&watch));
    past_free(past);
}

/* It had half of revision 2, and comes back: that half it is told once more. */
static void who_was_cut_off_within_a_revision_gets_it_again(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_watch watch = watch_of(past, "", 1);
    struct past_event first = event_of(2, "a", "2", "1", false);
    struct past_event second = event_of(2, "b", "2", NULL, false);
    assert_null(past_watch_told(&watch, &first));
    past_watch_from(&watch, watch.id);
    assert_complains(past_watch_told(&watch, &second), "another change first");
    assert_null(past_watch_told(&watch, &first));
    past_free(past);
}

/* At revision 6 b comes, goes and comes, a goes and comes, c goes, and d comes and goes. */
static void of_several_changes_in_one_revision_the_whole_is_told(void **state)
{
    (void)state;
    struct past *past = a_past();
    put(past, 6, "d", "5");
    put(past, 6, "b", "5");
    removed(past, 6, "a");
    removed(past, 6, "b");
    removed(past, 6, "c");
    removed(past, 6, "d");
    put(past, 6, "b", "6");
    put(past, 6, "a", "6");
    put(past, 7, "d", "7");
    struct past_watch watch = watch_of(past, "", 5);
    struct past_event events[] = {
        event_of(6, "a", "6", "5", false),
        event_of(6, "b", "6", NULL, false),
        event_of(6, "c", "", "2", true),
        event_of(7, "d", "7", NULL, true),
    };
    events[2].kind = STORE_CHANGE_DELETE;
    for (size_t i = 0; i < ARRAY_COUNT(events); i++) {
        assert_null(past_watch_told(&watch, &events[i]));
    }
    assert_true(past_watch_is_level(&watch));
    past_free(past);
}

static void list(struct past_list *list, const char *key, const char *value, uint64_t revision)
{
    assert_null(past_list_told(list, slice_from_text(key), slice_from_text(value), revision));
}

static void a_list_has_what_was_there_at_its_revision(void **state)
{
    (void)state;
    struct past *past = a_past();
    struct past_list forward = {.past = past};
    past_list_from(&forward, 3);
    list(&forward, "a", "2", 2);
    list(&forward, "b", "2", 2);
    list(&forward, "c", "2", 2);
    assert_null(past_list_ended(&forward));
    past_list_from(&forward, 5);
    list(&forward, "a", "5", 5);
    list(&forward, "c", "2", 2);
    assert_null(past_list_ended(&forward));
    struct past_list back = {.past = past, .is_reverse = true};
    back.range.end = SLICE_LITERAL("c");
    past_list_from(&back, 3);
    list(&back, "b", "2", 2);
    list(&back, "a", "2", 2);
    assert_null(past_list_ended(&back));
    buf_unref(forward.last);
    buf_unref(back.last);
    past_free(past);
}

static void each_way_to_list_it_wrongly_is_found(void **state)
{
    (void)state;
    struct past *past = a_past();
    const struct {
        uint64_t revision;
        const char *key;
        const char *value;
        uint64_t mod_revision;
        const char *complaint;
    } cases[] = {
        {4, "b", "2", 2, "was not there"},       {3, "a", "5", 5, "at another revision"},
        {3, "a", "2", 1, "at another revision"}, {3, "c", "2", 2, "leaves out"},
        {0, "a", "1", 1, "was not there"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct past_list told = {.past = past};
        past_list_from(&told, cases[i].revision);
        if (i == 0) {
            list(&told, "a", "2", 2);
        }
        assert_complains(past_list_told(&told, slice_from_text(cases[i].key),
                                        slice_from_text(cases[i].value), cases[i].mod_revision),
                         cases[i].complaint);
        buf_unref(told.last);
    }
    struct past_list told = {.past = past};
    past_list_from(&told, 3);
    assert_complains(past_list_ended(&told), "ends before");
    list(&told, "a", "2", 2);
    assert_complains(past_list_told(&told, SLICE_LITERAL("a"), SLICE_LITERAL("2"), 2), "twice");
    buf_unref(told.last);
    past_free(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told_all_in_order_is_told_rightly),
        cmocka_unit_test(each_way_to_tell_it_wrongly_is_found),
        cmocka_unit_test(a_replaced_value_that_is_damaged_may_be_anything),
        cmocka_unit_test(level_is_only_who_has_been_told_all_up_to_there),
        cmocka_unit_test(who_was_cut_off_within_a_revision_gets_it_again),
        cmocka_unit_test(of_several_changes_in_one_revision_the_whole_is_told),
        cmocka_unit_test(a_list_has_what_was_there_at_its_revision),
        cmocka_unit_test(each_way_to_list_it_wrongly_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
