#include "main_testing.h"

static void the_stronger_source_wins_setting_by_setting(void **state)
{
    (void)state;
    struct outcome_of_options out;
    load(&out, &(struct given){
                   .flags = {"--data", "from-flag"},
                   .environment = {"PONTOON_DATA=from-env", "PONTOON_LISTEN=localhost:1", "HOME=/"},
                   .file = "data = from-file\nlisten = localhost:2\nmax-value-bytes = 64KiB\n"});
    assert_int_equal(out.e, OK);
    assert_string_equal(out.options.data, "from-flag");
    assert_string_equal(out.options.listen, "localhost:1");
    assert_int_equal(out.options.max_value_bytes, 65536);
    assert_int_equal(out.options.request_timeout_ms, 5000);
    outcome_deinit(&out);
}

static void flags_take_their_value_in_two_forms(void **state)
{
    (void)state;
    struct outcome_of_options out;
    load(&out,
         &(struct given){.flags = {"--data=a=b", "--id", "1", "--access-log", "--cluster-name="}});
    assert_int_equal(out.e, OK);
    assert_string_equal(out.options.data, "a=b");
    assert_true(out.options.access_log);
    assert_string_equal(out.options.cluster_name, "");
    outcome_deinit(&out);
    load(&out, &(struct given){.flags = {"--access-log=false"}});
    assert_int_equal(out.e, OK);
    assert_false(out.options.access_log);
    outcome_deinit(&out);
}

static void an_unknown_flag_is_refused_with_the_one_that_was_meant(void **state)
{
    (void)state;
    assert_refused(&(struct given){.flags = {"--dta", "x"}},
                   "unknown flag --dta: did you mean --data?");
    assert_refused(&(struct given){.flags = {"--max-valeu-bytes=1"}},
                   "did you mean --max-value-bytes?");
    assert_refused(&(struct given){.flags = {"--max_value_bytes=1"}},
                   "did you mean --max-value-bytes?");
    assert_refused(&(struct given){.flags = {"--peer=127.0.0.1:1"}},
                   "unknown flag --peer: did you mean --peer-listen?");
    assert_refused(&(struct given){.flags = {"--frobnicate"}}, "unknown flag --frobnicate");
    assert_refused(&(struct given){.flags = {"data"}}, "unexpected argument \"data\"");
    assert_refused(&(struct given){.flags = {"-d", "x"}}, "unexpected argument \"-d\"");
    assert_refused(&(struct given){.flags = {"--data"}}, "--data needs a value: --data DIR");
    assert_refused(&(struct given){.flags = {"--id=1", "--id=2"}}, "--id is given twice");
}

static void a_misspelled_variable_is_refused_and_others_are_left_alone(void **state)
{
    (void)state;
    assert_refused(&(struct given){.environment = {"PONTOON_LISTN=localhost:1"}},
                   "unknown variable PONTOON_LISTN: did you mean PONTOON_LISTEN?");
    struct outcome_of_options out;
    load(&out, &(struct given){.environment = {"PONTOON_PORT=tcp://10.0.0.1:3000",
                                               "PONTOON_SERVICE_HOST=10.0.0.1",
                                               "PONTOON_PEER=10.0.0.1", /* the beginning of ours */
                                               "PONTOON_PORT_3000_TCP_ADDR=10.0.0.1"}});
    assert_int_equal(out.e, OK);
    outcome_deinit(&out);
}

static void the_file_may_be_named_by_flag_or_variable(void **state)
{
    (void)state;
    char *flags[] = {(char[]){"--config=x"}};
    char *environment[] = {(char[]){"PONTOON_CONFIG=y"}, NULL};
    struct options options;
    struct err_note note;
    main_options_init(&options);
    assert_null(main_options_file(&options));
    assert_int_equal(main_options_take_environment(&options, environment, &note), OK);
    assert_string_equal(main_options_file(&options), "y");
    assert_int_equal(main_options_take_flags(&options, 1, flags, &note), OK);
    assert_string_equal(main_options_file(&options), "x");
    main_options_deinit(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stronger_source_wins_setting_by_setting),
        cmocka_unit_test(flags_take_their_value_in_two_forms),
        cmocka_unit_test(an_unknown_flag_is_refused_with_the_one_that_was_meant),
        cmocka_unit_test(a_misspelled_variable_is_refused_and_others_are_left_alone),
        cmocka_unit_test(the_file_may_be_named_by_flag_or_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
