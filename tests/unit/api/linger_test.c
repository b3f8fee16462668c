#include "api/api_int.h"
#include "api_testing.h"

struct visitor {
    struct lingerer linger;
    struct api *api;
    struct visitor *stops; /* NULL: nobody */
    unsigned ticks;
    unsigned drains;
    unsigned ends;
};

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct visitor *visitor = CONTAINER_OF(linger, struct visitor, linger);
    visitor->ticks += reason == LINGER_TICK;
    visitor->drains += reason == LINGER_DRAIN;
    visitor->ends += reason == LINGER_END;
    if (visitor->stops != NULL) {
        api_linger_stop(visitor->api, &visitor->stops->linger);
    }
}

static void start(struct fixture *f, struct visitor *visitor)
{
    *visitor = (struct visitor){.api = f->api, .linger.visit = visit};
    assert_int_equal(api_linger_start(f->api, &visitor->linger), OK);
}

static void run_until(struct fixture *f, const unsigned *count)
{
    uint64_t end_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (*count == 0) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < end_ms);
    }
}

static void each_is_visited_until_it_stops(void **state)
{
    struct fixture *f = *state;
    struct visitor first;
    struct visitor second;
    start(f, &first);
    start(f, &second);
    run_until(f, &second.ticks);
    assert_int_equal(first.ticks, 1);
    api_linger_stop(f->api, &first.linger);
    api_linger_stop(f->api, &first.linger);
    second.ticks = 0;
    run_until(f, &second.ticks);
    assert_int_equal(first.ticks, 1);
    f->node.status.is_draining = true;
    run_until(f, &second.drains);
    api_end(f->api);
    assert_int_equal(second.ends, 1);
    api_linger_stop(f->api, &second.linger);
}

static void one_may_stop_itself_and_others_while_it_is_visited(void **state)
{
    struct fixture *f = *state;
    struct visitor visitors[3];
    for (size_t i = 0; i < ARRAY_COUNT(visitors); i++) {
        start(f, &visitors[i]);
    }
    visitors[0].stops = &visitors[1];
    visitors[2].stops = &visitors[2];
    run_until(f, &visitors[2].ticks);
    assert_int_equal(visitors[0].ticks, 1);
    assert_int_equal(visitors[1].ticks, 0);
    api_linger_stop(f->api, &visitors[0].linger);
}

static void there_are_only_so_many(void **state)
{
    struct fixture *f = *state;
    struct visitor *visitors = mem_calloc(LINGERS_MAX + 1, sizeof(*visitors));
    for (size_t i = 0; i < LINGERS_MAX; i++) {
        start(f, &visitors[i]);
    }
    visitors[LINGERS_MAX].linger.visit = visit;
    assert_int_equal(api_linger_start(f->api, &visitors[LINGERS_MAX].linger), ERR_OVERLOADED);
    for (size_t i = 0; i <= LINGERS_MAX; i++) {
        api_linger_stop(f->api, &visitors[i].linger);
    }
    mem_free(visitors);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(each_is_visited_until_it_stops),
        TEST(one_may_stop_itself_and_others_while_it_is_visited),
        TEST(there_are_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
