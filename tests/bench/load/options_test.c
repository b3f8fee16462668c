#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "options.h"

static bool read_with(const char *name, const char *value, struct options *out_options)
{
    char *arguments[] = {(char[]){"bench-load"}, (char[]){"--address"}, (char[]){"127.0.0.1:3000"},
                         (char[16]){0}, (char[16]){0}};
    for (size_t i = 0; name[i] != '\0'; i++) {
        arguments[3][i] = name[i];
    }
    for (size_t i = 0; value[i] != '\0'; i++) {
        arguments[4][i] = value[i];
    }
    struct writer problem = {0};
    bool is_read = options_read(5, arguments, out_options, &problem);
    assert_int_equal(is_read, problem.size == 0);
    writer_deinit(&problem);
    return is_read;
}

static void values_are_read(void **state)
{
    (void)state;
    struct options options;
    assert_true(read_with("--seconds", "0.25", &options));
    assert_int_equal(options.duration_ms, 250);
    assert_int_equal(options.address.sin_port, htons(3000));
    assert_int_equal(options.address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(options.connection_count, 64);
    assert_true(read_with("--warm-up", "0", &options));
    assert_int_equal(options.warm_up_ms, 0);
    assert_true(read_with("--connections", "256", &options));
    assert_int_equal(options.connection_count, 256);
    assert_true(read_with("--operation", "mixed", &options));
    assert_int_equal(options.operation, OPERATION_MIXED);
    assert_true(read_with("--api", "redis", &options));
    assert_ptr_equal(options.protocol, &protocol_redis);
}

static void what_is_no_value_is_refused(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"--seconds", ""},        {"--seconds", "1."},          {"--seconds", ".5"},
        {"--seconds", "1.2345"},  {"--seconds", "-1"},          {"--seconds", "0"},
        {"--connections", "1.5"}, {"--connections", "0"},       {"--connections", "x"},
        {"--keys", "100000000"},  {"--value-bytes", "11"},      {"--operation", "delete"},
        {"--api", "http"},        {"--address", "localhost:1"}, {"--address", "127.0.0.1"},
        {"--address", ":3000"},   {"--address", "127.0.0.1:0"}, {"--address", "1.1.1.1:65536"},
        {"--nothing", "1"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        struct options options;
        assert_false(read_with(refused[i][0], refused[i][1], &options));
    }
}

static void the_address_is_needed(void **state)
{
    (void)state;
    char *arguments[] = {(char[]){"bench-load"}};
    struct options options;
    struct writer problem = {0};
    assert_false(options_read(1, arguments, &options, &problem));
    assert_true(problem.size > 0);
    writer_deinit(&problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(the_address_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
