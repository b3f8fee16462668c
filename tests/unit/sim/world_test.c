#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "sim/world.h"

#define EVENTS 300u

static void nothing(struct world_event *event)
{
    (void)event;
}

static void events_run_in_the_order_of_time_and_then_of_scheduling(void **state)
{
    (void)state;
    struct world *world = world_new(1);
    static const uint64_t instants[] = {30, 10, 20, 10, 30, 10};
    static const size_t expected[] = {1, 3, 5, 2, 0, 4};
    struct world_event events[6] = {0};
    for (size_t i = 0; i < 6; i++) {
        events[i].run = nothing;
        world_schedule(world, &events[i], instants[i]);
    }
    assert_ptr_equal(world_peek(world), &events[1]);
    assert_int_equal(world_now_ns(world), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_ptr_equal(world_pop(world), &events[expected[i]]);
        assert_int_equal(world_now_ns(world), instants[expected[i]]);
        assert_false(world_is_scheduled(&events[expected[i]]));
    }
    assert_null(world_peek(world));
    assert_null(world_pop(world));
    assert_int_equal(world_event_count(world), 6);
    world_free(world);
}

static void what_is_scheduled_in_the_past_runs_now(void **state)
{
    (void)state;
    struct world *world = world_new(1);
    struct world_event first = {.run = nothing};
    struct world_event late = {.run = nothing};
    world_schedule(world, &first, 100);
    assert_ptr_equal(world_pop(world), &first);
    world_schedule(world, &late, 7);
    assert_ptr_equal(world_pop(world), &late);
    assert_int_equal(world_now_ns(world), 100);
    world_free(world);
}

static void a_cancelled_event_does_not_run_and_cancelling_twice_is_harmless(void **state)
{
    (void)state;
    struct world *world = world_new(1);
    struct world_event events[3] = {{.run = nothing}, {.run = nothing}, {.run = nothing}};
    for (size_t i = 0; i < 3; i++) {
        world_schedule(world, &events[i], 10 + i);
    }
    world_cancel(world, &events[1]);
    world_cancel(world, &events[1]);
    assert_false(world_is_scheduled(&events[1]));
    assert_ptr_equal(world_pop(world), &events[0]);
    assert_ptr_equal(world_pop(world), &events[2]);
    assert_null(world_pop(world));
    world_free(world);
}

static void scheduling_again_moves_an_event_behind_those_of_its_new_instant(void **state)
{
    (void)state;
    struct world *world = world_new(1);
    struct world_event moved = {.run = nothing};
    struct world_event other = {.run = nothing};
    world_schedule(world, &moved, 5);
    world_schedule(world, &other, 50);
    world_schedule(world, &moved, 50);
    assert_ptr_equal(world_pop(world), &other);
    assert_ptr_equal(world_pop(world), &moved);
    assert_null(world_pop(world));
    world_free(world);
}

/* ---- against a model: a list that is searched ---- */

struct model {
    uint64_t at_ns[EVENTS]; /* SIM_NEVER: not queued */
    uint64_t order[EVENTS];
    uint64_t next_order;
};

static size_t model_next(const struct model *model)
{
    size_t best = EVENTS;
    for (size_t i = 0; i < EVENTS; i++) {
        if (model->at_ns[i] == SIM_NEVER) {
            continue;
        }
        if (best == EVENTS || model->at_ns[i] < model->at_ns[best] ||
            (model->at_ns[i] == model->at_ns[best] && model->order[i] < model->order[best])) {
            best = i;
        }
    }
    return best;
}

static void one_operation(struct world *world, struct world_event *events, struct model *model,
                          struct prng *prng)
{
    size_t which = (size_t)prng_below(prng, EVENTS);
    uint64_t draw = prng_below(prng, 10);
    if (draw < 5) {
        uint64_t at_ns = world_now_ns(world) + prng_below(prng, 40);
        world_schedule(world, &events[which], at_ns);
        model->at_ns[which] = at_ns;
        model->order[which] = model->next_order++;
    } else if (draw < 7) {
        world_cancel(world, &events[which]);
        model->at_ns[which] = SIM_NEVER;
    } else {
        size_t next = model_next(model);
        struct world_event *event = world_pop(world);
        if (next == EVENTS) {
            assert_null(event);
        } else {
            assert_ptr_equal(event, &events[next]);
            assert_int_equal(world_now_ns(world), model->at_ns[next]);
            model->at_ns[next] = SIM_NEVER;
        }
    }
}

static void thousands_of_operations_agree_with_a_list_that_is_searched(void **state)
{
    (void)state;
    static struct world_event events[EVENTS];
    static struct model model;
    struct world *world = world_new(1);
    struct prng prng;
    prng_init(&prng, 4711);
    for (size_t i = 0; i < EVENTS; i++) {
        events[i].run = nothing;
        model.at_ns[i] = SIM_NEVER;
    }
    for (int i = 0; i < 20000; i++) {
        one_operation(world, events, &model, &prng);
        size_t which = (size_t)prng_below(&prng, EVENTS);
        assert_int_equal(world_is_scheduled(&events[which]), model.at_ns[which] != SIM_NEVER);
    }
    while (model_next(&model) != EVENTS) {
        size_t next = model_next(&model);
        assert_ptr_equal(world_pop(world), &events[next]);
        model.at_ns[next] = SIM_NEVER;
    }
    assert_null(world_pop(world));
    world_free(world);
}

/* ---- chance ---- */

static uint64_t first_of(uint64_t seed, const char *name)
{
    struct world *world = world_new(seed);
    struct prng prng;
    world_chance(world, name, &prng);
    world_free(world);
    return prng_next(&prng);
}

static void a_stream_depends_on_its_name_and_the_seed_alone(void **state)
{
    (void)state;
    struct world *world = world_new(9);
    struct prng first;
    struct prng second;
    world_chance(world, "disk", &first);
    uint64_t drawn = prng_next(&first);
    (void)prng_next(&first);
    world_trace(world, "anything", 1, 2, 3);
    world_chance(world, "disk", &second); /* what the others have drawn does not move it */
    assert_true(prng_next(&second) == drawn);
    world_free(world);
    assert_true(first_of(9, "disk") == drawn);
    assert_true(first_of(10, "disk") != drawn);
    assert_true(first_of(9, "network") != drawn);
}

static void a_chance_of_none_never_hits_and_one_of_a_million_always_does(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 5);
    uint64_t hits = 0;
    for (int i = 0; i < 20000; i++) {
        assert_false(chance_hits(&prng, 0));
        assert_true(chance_hits(&prng, 1000000));
        hits += chance_hits(&prng, 250000) ? 1 : 0;
    }
    assert_in_range(hits, 4500, 5500);
}

static void between_reaches_both_ends_and_nothing_beyond(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 6);
    bool seen[4] = {false};
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = chance_between(&prng, 7, 10);
        assert_in_range(drawn, 7, 10);
        seen[drawn - 7] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
    assert_int_equal(chance_between(&prng, 8, 8), 8);
}

static void log_stays_within_its_bounds_and_draws_each_magnitude(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    static const uint64_t bounds[][2] = {
        {1, 1}, {1, 2}, {3, 5}, {10, 3000}, {1, UINT64_C(1) << 40}, {20000, 20000000}};
    for (size_t i = 0; i < ARRAY_COUNT(bounds); i++) {
        for (int n = 0; n < 2000; n++) {
            assert_in_range(chance_log(&prng, bounds[i][0], bounds[i][1]), bounds[i][0],
                            bounds[i][1]);
        }
    }
    uint64_t small = 0; /* below the square root: half of the magnitudes */
    for (int n = 0; n < 4000; n++) {
        small += chance_log(&prng, 1, 1000000) < 1000 ? 1 : 0;
    }
    assert_in_range(small, 1700, 2300);
}

static void log_draws_from_a_range_that_ends_where_numbers_do(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 8);
    for (int n = 0; n < 2000; n++) {
        assert_true(chance_log(&prng, 1000, UINT64_MAX) >= 1000);
    }
}

/* ---- the trace ---- */

static uint64_t hash_of(uint64_t seed, uint64_t at_ns, struct trace_line line)
{
    struct world *world = world_new(seed);
    struct world_event event = {.run = nothing};
    world_schedule(world, &event, at_ns);
    (void)world_pop(world);
    world_trace(world, line.what, line.host, line.a, line.b);
    uint64_t hash = world_trace_hash(world);
    world_free(world);
    return hash;
}

static void the_trace_hash_changes_with_every_field(void **state)
{
    (void)state;
    struct trace_line line = {.what = "vote", .host = 1, .a = 5, .b = 6};
    uint64_t hash = hash_of(1, 9, line);
    assert_true(hash_of(1, 9, line) == hash);
    assert_true(hash_of(2, 9, line) != hash);
    assert_true(hash_of(1, 8, line) != hash);
    assert_true(hash_of(1, 9, (struct trace_line){0, "votf", 1, 5, 6}) != hash);
    assert_true(hash_of(1, 9, (struct trace_line){0, "vote", 2, 5, 6}) != hash);
    assert_true(hash_of(1, 9, (struct trace_line){0, "vote", 1, 4, 6}) != hash);
    assert_true(hash_of(1, 9, (struct trace_line){0, "vote", 1, 5, 7}) != hash);
    assert_true(hash_of(1, 9, (struct trace_line){0, "vote", 1, 6, 5}) != hash);
    /* A name and a number that make the same sum are not the same. */
    assert_true(hash_of(1, 9, (struct trace_line){0, "votf", 0, 5, 6}) != hash);
}

static void the_trace_hash_depends_on_the_order(void **state)
{
    (void)state;
    struct world *one = world_new(1);
    struct world *other = world_new(1);
    world_trace(one, "a", 1, 0, 0);
    world_trace(one, "b", 1, 0, 0);
    world_trace(other, "b", 1, 0, 0);
    world_trace(other, "a", 1, 0, 0);
    assert_true(world_trace_hash(one) != world_trace_hash(other));
    world_free(one);
    world_free(other);
}

struct seen {
    uint64_t numbers[16];
    size_t count;
};

static void see(void *ctx, const struct trace_line *line)
{
    struct seen *seen = ctx;
    assert_true(seen->count < ARRAY_COUNT(seen->numbers));
    seen->numbers[seen->count++] = line->a;
}

static void the_last_lines_of_a_host_come_oldest_first(void **state)
{
    (void)state;
    struct world *world = world_new(1);
    for (uint64_t i = 1; i <= TRACE_LINES + 10; i++) {
        world_trace(world, "line", i % 2 == 0 ? 2 : 1, i, 0);
    }
    struct seen seen = {.count = 0};
    world_trace_last(world, 2, 3, see, &seen);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.numbers[0], TRACE_LINES + 6);
    assert_int_equal(seen.numbers[2], TRACE_LINES + 10);
    seen.count = 0;
    world_trace_last(world, UINT32_MAX, 2, see, &seen);
    assert_int_equal(seen.numbers[0], TRACE_LINES + 9);
    seen.count = 0;
    world_trace_last(world, 3, 5, see, &seen);
    assert_int_equal(seen.count, 0);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_run_in_the_order_of_time_and_then_of_scheduling),
        cmocka_unit_test(what_is_scheduled_in_the_past_runs_now),
        cmocka_unit_test(a_cancelled_event_does_not_run_and_cancelling_twice_is_harmless),
        cmocka_unit_test(scheduling_again_moves_an_event_behind_those_of_its_new_instant),
        cmocka_unit_test(thousands_of_operations_agree_with_a_list_that_is_searched),
        cmocka_unit_test(a_stream_depends_on_its_name_and_the_seed_alone),
        cmocka_unit_test(a_chance_of_none_never_hits_and_one_of_a_million_always_does),
        cmocka_unit_test(between_reaches_both_ends_and_nothing_beyond),
        cmocka_unit_test(log_stays_within_its_bounds_and_draws_each_magnitude),
        cmocka_unit_test(log_draws_from_a_range_that_ends_where_numbers_do),
        cmocka_unit_test(the_trace_hash_changes_with_every_field),
        cmocka_unit_test(the_trace_hash_depends_on_the_order),
        cmocka_unit_test(the_last_lines_of_a_host_come_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
