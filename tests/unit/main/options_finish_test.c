#include "main_testing.h"

#define THREE "1=127.0.0.1:4001,2=127.0.0.1:4002,3=127.0.0.1:4003"

static void without_any_flag_there_is_one_node_on_loopback(void **state)
{
    (void)state;
    struct outcome_of_options out;
    load(&out, &(struct given){.file = NULL});
    assert_int_equal(out.e, OK);
    assert_int_equal(out.options.id, 1);
    assert_string_equal(out.options.data, "./pontoon-data");
    assert_string_equal(out.options.listen, "127.0.0.1:3000");
    assert_string_equal(out.options.advertise, "127.0.0.1:3000");
    assert_true(out.options.is_loopback);
    assert_int_equal(out.options.member_count, 1);
    assert_int_equal(out.options.members[0].id, 1);
    assert_null(out.options.peer_listen);
    assert_int_equal(out.options.max_value_bytes, 8 << 20);
    assert_int_equal(out.options.election_timeout_ms, 400);
    assert_int_equal(out.options.log_level, LOG_LEVEL_INFO);
    assert_int_equal(out.options.log_format, LOG_FORMAT_LOGFMT);
    outcome_deinit(&out);
}

static void a_cluster_has_this_node_among_its_members(void **state)
{
    (void)state;
    struct outcome_of_options out;
    load(&out, &(struct given){.flags = {"--id=2", "--cluster", THREE, "--listen=127.0.0.1:3002"}});
    assert_int_equal(out.e, OK);
    assert_int_equal(out.options.member_count, 3);
    assert_string_equal(out.options.advertise, "127.0.0.1:3002");
    outcome_deinit(&out);
    assert_refused(&(struct given){.flags = {"--id=4", "--cluster", THREE}},
                   "--cluster: this node's id 4 is not among the members");
    assert_refused(&(struct given){.flags = {"--cluster=1=a:1,1=b:1"}},
                   "--cluster: id 1 is given twice");
}

static void bad_values_are_refused_with_their_place_and_what_would_do(void **state)
{
    (void)state;
    assert_refused(&(struct given){.flags = {"--id=0"}}, "--id: 0 is out of range: 1 to ");
    assert_refused(&(struct given){.flags = {"--id=9007199254740992"}},
                   "--id: 9007199254740992 is out of range: 1 to 9007199254740991");
    assert_refused(&(struct given){.flags = {"--id=x"}}, "--id: \"x\" is not a number");
    assert_refused(&(struct given){.flags = {"--max-value-bytes=65MiB"}},
                   "--max-value-bytes: 65MiB is out of range: 1 to 64MiB");
    assert_refused(&(struct given){.environment = {"PONTOON_REQUEST_TIMEOUT=5"}},
                   "PONTOON_REQUEST_TIMEOUT: \"5\" is not a duration like 500ms, 5s or 2m");
    assert_refused(&(struct given){.flags = {"--tail-bytes=64MB"}}, "is not a size like");
    assert_refused(&(struct given){.flags = {"--listen=3000"}}, "--listen: \"3000\"");
    assert_refused(&(struct given){.flags = {"--log-level=trace"}},
                   "\"trace\" is not one of error, warn, info, debug");
    assert_refused(&(struct given){.flags = {"--access-log=yes"}}, "neither true nor false");
    assert_refused(&(struct given){.flags = {"--data="}}, "--data: it names no directory");
}

static void an_election_waits_for_three_heartbeats(void **state)
{
    (void)state;
    assert_refused(&(struct given){.flags = {"--election-timeout=149ms"}},
                   "less than 3 heartbeat intervals of 50ms");
    assert_refused(&(struct given){.flags = {"--heartbeat-interval=1s"}}, "take at least 3s");
    struct outcome_of_options out;
    load(&out, &(struct given){.flags = {"--election-timeout=150ms"}});
    assert_int_equal(out.e, OK);
    outcome_deinit(&out);
}

static void an_address_that_nobody_can_reach_is_not_advertised(void **state)
{
    (void)state;
    assert_refused(&(struct given){.flags = {"--advertise=0.0.0.0:3000"}},
                   "--advertise: nobody can connect to 0.0.0.0:3000");
    assert_refused(&(struct given){.flags = {"--cluster", THREE, "--listen=0.0.0.0:3000"}},
                   "add --advertise HOST:PORT");
    assert_refused(&(struct given){.flags = {"--cluster", THREE, "--listen=[::]:3000"}},
                   "add --advertise HOST:PORT");
    struct outcome_of_options out;
    load(&out, &(struct given){.flags = {"--cluster", THREE, "--listen=0.0.0.0:3000",
                                         "--advertise=kv.internal:80"}});
    assert_int_equal(out.e, OK);
    assert_string_equal(out.options.advertise, "kv.internal:80");
    assert_false(out.options.is_loopback);
    outcome_deinit(&out);
    load(&out, &(struct given){.flags = {"--listen=0.0.0.0:3000"}});
    assert_int_equal(out.e, OK);
    assert_string_equal(out.options.advertise, "");
    outcome_deinit(&out);
}

static void peers_reach_a_node_a_thousand_ports_above_its_clients(void **state)
{
    (void)state;
    static const struct {
        const char *flags[3];
        const char *address;
    } table[] = {
        {{NULL}, "127.0.0.1:4000"},
        {{"--listen=10.0.0.1:3000"}, "10.0.0.1:4000"},
        {{"--listen=10.0.0.1:65000"}, "10.0.0.1:64000"},
        {{"--listen=[::1]:3000"}, "[::1]:4000"},
        {{"--listen=0.0.0.0:3000"}, ""},
        {{"--listen=0.0.0.0:3000", "--advertise=kv.internal:80"}, "kv.internal:1080"},
        {{"--peer-listen=10.0.0.1:7"}, "10.0.0.1:7"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct outcome_of_options out;
        struct given given = {.flags = {NULL}};
        for (size_t j = 0; j < 3 && table[i].flags[j] != NULL; j++) {
            given.flags[j] = table[i].flags[j];
        }
        load(&out, &given);
        assert_int_equal(out.e, OK);
        assert_string_equal(out.options.peer_default, table[i].address);
        outcome_deinit(&out);
    }
}

static void who_joins_is_no_first_member_and_can_be_reached(void **state)
{
    (void)state;
    assert_refused(&(struct given){.flags = {"--cluster", THREE, "--join=a:1"}},
                   "give one of them");
    assert_refused(&(struct given){.flags = {"--listen=0.0.0.0:3000", "--join=a:1"}},
                   "add --peer-listen HOST:PORT");
    assert_refused(&(struct given){.flags = {"--join=http://a"}}, "--join: endpoints: ");
    assert_refused(&(struct given){.flags = {"--join=https://a:1"}}, "nodes speak http");
    assert_refused(&(struct given){.flags = {"--join=,"}}, "names none");
    struct outcome_of_options out;
    load(&out, &(struct given){.flags = {"--join=http://a:1,b:2", "--id=4"}});
    assert_int_equal(out.e, OK);
    assert_true(main_options_is_given(&out.options, "id"));
    assert_false(main_options_is_given(&out.options, "data"));
    outcome_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_flag_there_is_one_node_on_loopback),
        cmocka_unit_test(a_cluster_has_this_node_among_its_members),
        cmocka_unit_test(bad_values_are_refused_with_their_place_and_what_would_do),
        cmocka_unit_test(an_election_waits_for_three_heartbeats),
        cmocka_unit_test(an_address_that_nobody_can_reach_is_not_advertised),
        cmocka_unit_test(peers_reach_a_node_a_thousand_ports_above_its_clients),
        cmocka_unit_test(who_joins_is_no_first_member_and_can_be_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
