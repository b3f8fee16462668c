#include "node/node_int.h"
#include "sim_testing.h"

/* One side of a connection, as a node would have it. */
struct side {
    struct env *env;
    struct env_stream *stream; /* NULL: closed, or not there yet */
    char received[4096];
    size_t size;
    unsigned calls; /* of received */
    unsigned connected;
    err outcome;
    unsigned ended;
    bool closes; /* as soon as something comes */
};

/* Two hosts; each accepts what comes. */
struct pair {
    struct sim *sim;
    struct side dialled;
    struct side accepted;
    unsigned accepted_count;
    bool closes_older; /* at most one accepted connection at a time */
};

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    struct side *side = ctx;
    assert_ptr_equal(side->stream, stream);
    side->connected++;
    side->outcome = e;
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct side *side = ctx;
    assert_ptr_equal(side->stream, stream);
    assert_ptr_equal(env_sim_running(), side->env);
    assert_true(side->size + bytes.size < sizeof(side->received));
    memcpy(side->received + side->size, bytes.data, bytes.size);
    side->size += bytes.size;
    side->received[side->size] = '\0';
    side->calls++;
    if (side->closes) {
        side->stream = NULL;
        env_stream_close(stream);
    }
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct side *side = ctx;
    assert_ptr_equal(side->stream, stream);
    side->ended++;
}

static const struct env_stream_handler handler = {on_connected, on_received, on_ended, NULL};

static void on_accepted(void *ctx, struct env_stream *stream)
{
    struct pair *pair = ctx;
    if (pair->closes_older && pair->accepted.stream != NULL &&
        pair->accepted.env == env_sim_running()) {
        env_stream_close(pair->accepted.stream);
    }
    pair->accepted = (struct side){.env = env_sim_running(), .stream = stream};
    pair->accepted_count++;
    env_stream_set_handler(stream, &handler, &pair->accepted);
}

static void listen_here(void *ctx)
{
    struct pair *pair = ctx;
    struct env *env = env_sim_running();
    struct env_listener *listener;
    struct err_note note = {.text = ""};
    assert_int_equal(env_listen(env, env->host->address, on_accepted, pair, &listener, &note), OK);
}

static struct env *host_up(struct pair *pair, uint32_t number)
{
    static struct node node; /* there is one: nobody looks into it */
    struct env *env = testing_life(pair->sim, number);
    pair->sim->hosts[number]->node = &node;
    assert_int_equal(env_sim_call(env, listen_here, pair), ENV_RUNS);
    return env;
}

static void host_down(struct pair *pair, uint32_t number, bool is_power_cut)
{
    struct host *host = pair->sim->hosts[number];
    host->env->is_dead = true;
    network_life_ended(pair->sim->network, host->env, is_power_cut);
    host->env = NULL;
    host->node = NULL;
    host->state = HOST_DOWN;
}

static void dial(void *ctx)
{
    struct pair *pair = ctx;
    struct env *env = env_sim_running();
    pair->dialled = (struct side){.env = env};
    pair->dialled.stream = env_stream_dial(env, "host-2:4000", &handler, &pair->dialled);
}

/* Host 1 has dialled host 2, nothing has arrived yet. */
static void pair_dial(struct pair *pair)
{
    *pair = (struct pair){.sim = testing_sim(2)};
    (void)host_up(pair, 2);
    assert_int_equal(env_sim_call(host_up(pair, 1), dial, pair), ENV_RUNS);
}

static void pair_connect(struct pair *pair)
{
    pair_dial(pair);
    testing_run_for(pair->sim, SIM_MS);
    assert_int_equal(pair->dialled.connected, 1);
    assert_int_equal(pair->dialled.outcome, OK);
    assert_int_equal(pair->accepted_count, 1);
}

struct sending {
    struct side *side;
    const char *text;
};

static void send_text(void *ctx)
{
    struct sending *sending = ctx;
    struct buf *parts[2] = {
        buf_copy((struct slice){(const uint8_t *)sending->text, 1}),
        buf_copy(slice_from_text(sending->text + 1)),
    };
    env_stream_write(sending->side->stream, parts, 2);
    buf_unref(parts[0]);
    buf_unref(parts[1]);
}

static void send(struct side *side, const char *text)
{
    struct sending sending = {side, text};
    assert_int_equal(env_sim_call(side->env, send_text, &sending), ENV_RUNS);
}

static void close_stream(void *ctx)
{
    struct side *side = ctx;
    env_stream_close(side->stream);
    side->stream = NULL;
}

static void close_side(struct side *side)
{
    assert_int_equal(env_sim_call(side->env, close_stream, side), ENV_RUNS);
}

/* ---- what goes well ---- */

static void what_is_sent_arrives_in_order_once_and_whole(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    pair.sim->plan.jitter_ns = 10 * LATENCY_NS;
    char expected[64] = "";
    for (char letter = 'a'; letter <= 'z'; letter++) {
        const char text[3] = {letter, '.', '\0'};
        send(&pair.dialled, text);
        memcpy(expected + strlen(expected), text, sizeof(text));
        testing_run_for(pair.sim, 20000);
    }
    send(&pair.accepted, "back");
    assert_true(env_stream_queued(pair.dialled.stream) > 0);
    testing_run_for(pair.sim, 10 * SIM_MS);
    assert_string_equal(pair.accepted.received, expected);
    assert_int_equal(pair.accepted.calls, 26);
    assert_string_equal(pair.dialled.received, "back");
    assert_int_equal(env_stream_queued(pair.dialled.stream), 0);
    assert_string_equal(env_stream_peer(pair.dialled.stream), "host-2:4000");
}

static void nothing_arrives_sooner_than_the_latency_and_the_clog(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    send(&pair.dialled, "soon");
    testing_run_for(pair.sim, LATENCY_NS - TURN_NS);
    assert_int_equal(pair.accepted.calls, 0);
    testing_run_for(pair.sim, 2 * TURN_NS);
    assert_int_equal(pair.accepted.calls, 1);
    network_clog(pair.sim->network, 1, 2, 5 * SIM_MS);
    send(&pair.dialled, "late");
    send(&pair.accepted, "other way");
    testing_run_for(pair.sim, 4 * SIM_MS);
    assert_int_equal(pair.accepted.calls, 1);
    assert_int_equal(pair.dialled.calls, 1);
    testing_run_for(pair.sim, 2 * SIM_MS);
    assert_string_equal(pair.accepted.received, "soonlate");
}

static void who_closes_hears_nothing_more_and_the_other_side_is_told_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    send(&pair.dialled, "last words");
    send(&pair.accepted, "too late");
    close_side(&pair.dialled);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(pair.accepted.received, "last words");
    assert_int_equal(pair.accepted.ended, 1);
    assert_int_equal(pair.dialled.calls, 0);
    assert_int_equal(pair.dialled.ended, 0);
    close_side(&pair.accepted);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
}

/* ---- who is not there ---- */

static void a_host_without_a_listener_refuses(void **state)
{
    (void)state;
    struct pair pair;
    pair_dial(&pair);
    host_down(&pair, 2, false);
    testing_run_for(pair.sim, SIM_MS);
    assert_int_equal(pair.dialled.connected, 1);
    assert_int_equal(pair.dialled.outcome, ERR_REFUSED);
    close_side(&pair.dialled);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
    assert_int_equal(pair.accepted_count, 0);
}

static void a_host_that_is_gone_does_not_answer_until_patience_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_dial(&pair);
    host_down(&pair, 2, true);
    pair.sim->hosts[2]->state = HOST_GONE;
    testing_run_for(pair.sim, 9 * SIM_SECOND);
    assert_int_equal(pair.dialled.connected, 0);
    testing_run_for(pair.sim, 2 * SIM_SECOND);
    assert_int_equal(pair.dialled.connected, 1);
    assert_int_equal(pair.dialled.outcome, ERR_CLOSED);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
    assert_int_equal(pair.dialled.connected, 1);
}

/* ---- cuts ---- */

static void a_cut_holds_back_and_releases_in_order(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    network_cut(pair.sim->network, 1, 2, true);
    assert_true(network_is_cut(pair.sim->network, 1, 2));
    assert_false(network_is_cut(pair.sim->network, 2, 1));
    send(&pair.dialled, "one ");
    send(&pair.dialled, "two ");
    send(&pair.accepted, "free");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.accepted.calls, 0);
    assert_string_equal(pair.dialled.received, "free");
    assert_int_equal(env_stream_queued(pair.dialled.stream), 8);
    network_cut(pair.sim->network, 1, 2, false);
    send(&pair.dialled, "three");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(pair.accepted.received, "one two three");
    assert_int_equal(env_stream_queued(pair.dialled.stream), 0);
    testing_run_for(pair.sim, 30 * SIM_SECOND); /* patience is not lost any more */
    assert_int_equal(pair.dialled.ended + pair.accepted.ended, 0);
}

static void a_cut_that_drops_loses_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    pair.sim->plan.cut_drops = true;
    network_cut(pair.sim->network, 1, 2, true);
    send(&pair.dialled, "lost");
    assert_int_equal(env_stream_queued(pair.dialled.stream), 0);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
    network_heal(pair.sim->network);
    send(&pair.dialled, "kept");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(pair.accepted.received, "kept");
    assert_int_equal(pair.sim->counts[SIM_UNIT_LOST], 1);
    assert_int_equal(pair.dialled.ended, 0);
}

static void who_waits_behind_a_cut_for_too_long_loses_patience(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    network_cut(pair.sim->network, 1, 2, true);
    send(&pair.dialled, "held");
    testing_run_for(pair.sim, 9 * SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 0);
    testing_run_for(pair.sim, 2 * SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 1);
    assert_int_equal(pair.accepted.ended, 0); /* it has nothing to wait for */
    close_side(&pair.dialled);
    network_heal(pair.sim->network);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.accepted.ended, 1);
}

static void dialling_through_a_cut_fails_in_the_end(void **state)
{
    (void)state;
    struct pair pair = {.sim = testing_sim(2)};
    (void)host_up(&pair, 2);
    network_cut(pair.sim->network, 1, 2, true);
    assert_int_equal(env_sim_call(host_up(&pair, 1), dial, &pair), ENV_RUNS);
    testing_run_for(pair.sim, 11 * SIM_SECOND);
    assert_int_equal(pair.dialled.connected, 1);
    assert_int_equal(pair.dialled.outcome, ERR_CLOSED);
    close_side(&pair.dialled);
    network_heal(pair.sim->network);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.accepted_count, 0);
}

static void a_reset_tells_both_sides_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    network_reset(pair.sim->network, 2, 1);
    network_reset(pair.sim->network, 1, 2);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 1);
    assert_int_equal(pair.accepted.ended, 1);
    assert_int_equal(pair.dialled.connected, 1); /* nor in another way */
    send(&pair.dialled, "into the void");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.accepted.calls, 0);
}

/* ---- lives that end (N3) ---- */

static void a_process_that_dies_ends_its_connections(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    host_down(&pair, 2, false);
    testing_run_for(pair.sim, SIM_MS);
    assert_int_equal(pair.dialled.ended, 1);
    close_side(&pair.dialled);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
}

static void a_power_cut_tells_nobody_until_the_host_is_up_and_spoken_to(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    host_down(&pair, 2, true);
    testing_run_for(pair.sim, 5 * SIM_SECOND);
    send(&pair.dialled, "anybody there?");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 0);
    (void)host_up(&pair, 2);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 0);
    send(&pair.dialled, "and now?");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 1);
    assert_int_equal(pair.accepted_count, 1);
}

static void a_host_that_stays_dark_ends_the_patience_of_who_speaks_to_it(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    host_down(&pair, 2, true);
    testing_run_for(pair.sim, 30 * SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 0); /* who says nothing waits for nothing */
    send(&pair.dialled, "anybody there?");
    testing_run_for(pair.sim, 11 * SIM_SECOND);
    assert_int_equal(pair.dialled.ended, 1);
}

static void what_is_on_its_way_never_reaches_another_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    network_clog(pair.sim->network, 1, 2, 50 * SIM_MS);
    send(&pair.dialled, "of the first");
    close_side(&pair.dialled);
    network_clog(pair.sim->network, 1, 2, 0);
    struct side first = pair.accepted;
    env_stream_set_handler(first.stream, &handler, &first);
    assert_int_equal(env_sim_call(pair.sim->hosts[1]->env, dial, &pair), ENV_RUNS);
    testing_run_for(pair.sim, SIM_MS);
    assert_int_equal(pair.accepted_count, 2);
    send(&pair.dialled, "of the second");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(first.received, "of the first");
    assert_string_equal(pair.accepted.received, "of the second");
    assert_int_equal(first.ended, 1);
    /* Nor another life. */
    network_clog(pair.sim->network, 1, 2, 50 * SIM_MS);
    send(&pair.dialled, "of the old life");
    host_down(&pair, 2, true);
    (void)host_up(&pair, 2);
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(pair.accepted.received, "of the second");
}

/* ---- spoilt frames ---- */

static void lost_and_doubled_frames_are_counted_and_true(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    pair.sim->plan.loss = 1000000;
    send(&pair.dialled, "lost");
    testing_run_for(pair.sim, SIM_MS);
    pair.sim->plan.loss = 0;
    pair.sim->plan.doubling = 1000000;
    send(&pair.dialled, "twice");
    testing_run_for(pair.sim, SIM_MS);
    assert_string_equal(pair.accepted.received, "twicetwice");
    assert_int_equal(env_stream_queued(pair.dialled.stream), 0);
    assert_int_equal(pair.sim->counts[SIM_UNIT_LOST], 1);
    assert_int_equal(pair.sim->counts[SIM_UNIT_DOUBLED], 1);
}

static void a_corrupted_frame_has_its_size_and_other_bytes(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    pair.sim->plan.corruption = 1000000;
    send(&pair.dialled, "what was meant");
    testing_run_for(pair.sim, SIM_MS);
    assert_int_equal(pair.accepted.size, strlen("what was meant"));
    assert_true(memcmp(pair.accepted.received, "what was meant", pair.accepted.size) != 0);
    assert_int_equal(pair.sim->counts[SIM_UNIT_CORRUPTED], 1);
}

static void a_reordered_frame_may_come_before_an_earlier_one_and_in_parts(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    network_clog(pair.sim->network, 1, 2, 10 * SIM_MS);
    send(&pair.dialled, "first ");
    network_clog(pair.sim->network, 1, 2, 0);
    send(&pair.dialled, "second ");
    pair.sim->plan.reordering = 1000000;
    send(&pair.dialled, "third ");
    testing_run_for(pair.sim, SIM_SECOND);
    assert_string_equal(pair.accepted.received, "third first second ");
    assert_int_equal(pair.sim->counts[SIM_UNIT_REORDERED], 1);
    assert_int_equal(pair.accepted.calls, 3 + pair.sim->counts[SIM_UNIT_SPLIT]);
    assert_int_equal(pair.sim->counts[SIM_UNIT_SPLIT], 3);
}

static void who_closes_at_the_first_part_does_not_get_the_second(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    pair.accepted.closes = true;
    pair.sim->plan.reordering = 1000000;
    send(&pair.dialled, "in two parts");
    testing_run_for(pair.sim, 10 * SIM_MS);
    assert_int_equal(pair.sim->counts[SIM_UNIT_SPLIT], 1);
    assert_int_equal(pair.accepted.calls, 1);
    assert_int_equal(pair.dialled.ended, 1);
}

static void a_calm_network_spoils_nothing(void **state)
{
    (void)state;
    struct pair pair;
    pair_connect(&pair);
    struct plan *plan = &pair.sim->plan;
    plan->loss = plan->doubling = plan->corruption = plan->reordering = plan->delaying = 1000000;
    pair.sim->is_calm = true;
    send(&pair.dialled, "calm");
    testing_run_for(pair.sim, SIM_MS);
    assert_string_equal(pair.accepted.received, "calm");
    assert_int_equal(pair.accepted.calls, 1);
}

/* ---- anything, in any order: nobody hears of what is not his, or is over ---- */

static void one_event(struct pair *pair, struct prng *prng)
{
    struct network *network = pair->sim->network;
    struct side *side = prng_below(prng, 2) == 0 ? &pair->dialled : &pair->accepted;
    bool is_alive = side->env != NULL && !side->env->is_dead;
    uint32_t from = 1 + (uint32_t)prng_below(prng, 2);
    switch (prng_below(prng, 10)) {
    case 0:
        network_cut(network, from, 3 - from, prng_below(prng, 2) == 0);
        break;
    case 1:
        network_reset(network, 1, 2);
        break;
    case 2:
        if (is_alive && side->stream != NULL) {
            close_side(side);
        }
        break;
    case 3:
        host_down(pair, from, prng_below(prng, 2) == 0);
        (void)host_up(pair, from);
        break;
    case 4:
        if (pair->dialled.stream == NULL || pair->dialled.env->is_dead) {
            assert_int_equal(env_sim_call(pair->sim->hosts[1]->env, dial, pair), ENV_RUNS);
        }
        break;
    default:
        if (is_alive && side->stream != NULL) {
            side->size = 0;
            send(side, "some text");
        }
        break;
    }
}

static void whatever_happens_nobody_hears_of_what_is_over(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct pair pair;
        struct prng prng;
        prng_init(&prng, seed);
        pair_dial(&pair);
        pair.closes_older = true;
        pair.sim->plan.cut_drops = seed % 2 == 0;
        pair.sim->plan.jitter_ns = LATENCY_NS;
        pair.sim->plan.doubling = pair.sim->plan.reordering = 100000;
        pair.sim->plan.loss = pair.sim->plan.corruption = 100000;
        for (int i = 0; i < 200; i++) {
            one_event(&pair, &prng);
            testing_run_for(pair.sim, prng_below(&prng, 20) == 0
                                          ? 12 * SIM_SECOND
                                          : prng_below(&prng, 4 * LATENCY_NS));
            pair.dialled.size = pair.accepted.size = 0;
        }
        network_heal(pair.sim->network);
        testing_run_for(pair.sim, 60 * SIM_SECOND);
        for (unsigned i = 0; i < 2; i++) {
            const struct side *side = i == 0 ? &pair.dialled : &pair.accepted;
            if (side->stream != NULL && !side->env->is_dead) {
                assert_int_equal(env_stream_queued(side->stream), 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives_in_order_once_and_whole),
        cmocka_unit_test(nothing_arrives_sooner_than_the_latency_and_the_clog),
        cmocka_unit_test(who_closes_hears_nothing_more_and_the_other_side_is_told_once),
        cmocka_unit_test(a_host_without_a_listener_refuses),
        cmocka_unit_test(a_host_that_is_gone_does_not_answer_until_patience_ends),
        cmocka_unit_test(a_cut_holds_back_and_releases_in_order),
        cmocka_unit_test(a_cut_that_drops_loses_and_the_connection_goes_on),
        cmocka_unit_test(who_waits_behind_a_cut_for_too_long_loses_patience),
        cmocka_unit_test(dialling_through_a_cut_fails_in_the_end),
        cmocka_unit_test(a_reset_tells_both_sides_once),
        cmocka_unit_test(a_process_that_dies_ends_its_connections),
        cmocka_unit_test(a_power_cut_tells_nobody_until_the_host_is_up_and_spoken_to),
        cmocka_unit_test(a_host_that_stays_dark_ends_the_patience_of_who_speaks_to_it),
        cmocka_unit_test(what_is_on_its_way_never_reaches_another_connection),
        cmocka_unit_test(lost_and_doubled_frames_are_counted_and_true),
        cmocka_unit_test(a_corrupted_frame_has_its_size_and_other_bytes),
        cmocka_unit_test(a_reordered_frame_may_come_before_an_earlier_one_and_in_parts),
        cmocka_unit_test(who_closes_at_the_first_part_does_not_get_the_second),
        cmocka_unit_test(a_calm_network_spoils_nothing),
        cmocka_unit_test(whatever_happens_nobody_hears_of_what_is_over),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
