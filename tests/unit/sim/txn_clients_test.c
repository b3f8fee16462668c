#include "sim/txn_clients.h"
#include "sim/txn_model.h"
#include "sim_testing.h"

#define ASKED 300u

static struct sim *new_sim(uint32_t share)
{
    struct sim *sim = testing_sim(1);
    sim->plan.txn_share = share;
    sim->plan.ttl_ms_max = 1000;
    return sim;
}

static void they_have_keys_of_their_own(void **state)
{
    (void)state;
    assert_true(txn_clients_has(SLICE_LITERAL("t-pair-1")));
    assert_false(txn_clients_has(SLICE_LITERAL("key-1")));
    assert_false(txn_clients_has(SLICE_LITERAL("t")));
    assert_false(txn_clients_has(SLICE_EMPTY));
}

static void how_often_they_ask_the_plan_says(void **state)
{
    (void)state;
    static const uint32_t shares[] = {0, 500000, 1000000};
    for (size_t i = 0; i < ARRAY_COUNT(shares); i++) {
        struct txn_clients *clients = txn_clients_new(new_sim(shares[i]));
        uint32_t count = 0;
        for (uint32_t turn = 0; turn < 1000; turn++) {
            count += txn_clients_next(clients) ? 1 : 0;
        }
        assert_in_range(count, shares[i] / 1000 * 9 / 10, shares[i] / 1000 * 11 / 10);
    }
}

/* The host is up and nobody listens yet: what may be repeated is, until it has been enough. */
static void what_reaches_nobody_is_let_go_of(void **state)
{
    (void)state;
    struct sim *sim = new_sim(1000000);
    struct txn_clients *clients = txn_clients_new(sim);
    (void)testing_life(sim, 1);
    for (uint32_t i = 0; i < ASKED; i++) {
        txn_clients_ask(clients, sim->hosts[1]);
    }
    assert_in_range(txn_clients_pending(clients), 1, ASKED);
    testing_run_for(sim, 100 * SIM_SECOND);
    assert_int_equal(txn_clients_pending(clients), 0);
    assert_int_equal(txn_model_timed(checker_txn_model(sim->checker)), 0);
}

static void a_life_ends_with_what_it_was_asked(void **state)
{
    (void)state;
    struct sim *sim = new_sim(1000000);
    struct txn_clients *clients = txn_clients_new(sim);
    (void)testing_life(sim, 1);
    for (uint32_t i = 0; i < ASKED; i++) {
        txn_clients_ask(clients, sim->hosts[1]);
    }
    txn_clients_stop(clients); /* else some are asked again */
    txn_clients_life_ended(clients, sim->hosts[1]);
    assert_int_equal(txn_clients_pending(clients), 0);
    testing_run_for(sim, 100 * SIM_SECOND);
    assert_int_equal(txn_clients_pending(clients), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_have_keys_of_their_own),
        cmocka_unit_test(how_often_they_ask_the_plan_says),
        cmocka_unit_test(what_reaches_nobody_is_let_go_of),
        cmocka_unit_test(a_life_ends_with_what_it_was_asked),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
