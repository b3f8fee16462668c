#include <uv.h>

#include "env/address.h"
#include "env_testing.h"

static void hosts_and_ports_are_taken_apart(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *host;
        const char *port;
        uint16_t port_number;
    } cases[] = {
        {"127.0.0.1:3000", "127.0.0.1", "3000", 3000},
        {"localhost:0", "localhost", "0", 0},
        {"[::1]:65535", "::1", "65535", 65535},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", "1", 1},
        {"node-1.example:00080", "node-1.example", "80", 80},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct env_address address;
        assert_int_equal(env_address_parse(cases[i].text, &address, NULL), OK);
        assert_string_equal(address.host, cases[i].host);
        assert_string_equal(address.port, cases[i].port);
        assert_int_equal(address.port_number, cases[i].port_number);
    }
}

static void what_is_no_address_is_refused_with_a_reason(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "does not end in a port"},          {"3000", "does not end in a port"},
        {"host", "does not end in a port"},      {"host:", "does not end in a port"},
        {"host:http", "does not end in a port"}, {"host:65536", "does not end in a port"},
        {"host:-1", "does not end in a port"},   {"host:123456", "does not end in a port"},
        {":3000", "has no usable host"},         {"[]:3000", "has no usable host"},
        {"::1:3000", "stands in brackets"},      {"[::1:3000", "stands in brackets"},
        {"a b:3000", "a host has letters"},      {"\303\266:3000", "a host has letters"},
        {"a\tb:3000", "a host has letters"},     {"http//h:3000", "a host has letters"},
        {"[host]:3000", "no IPv6 address"},      {"[::1%a b]:3000", "no IPv6 address"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct env_address address;
        struct err_note note = {{0}};
        assert_int_equal(env_address_parse(cases[i].text, &address, &note), ERR_ADDRESS);
        assert_non_null(strstr(note.text, cases[i].reason));
    }
}

static void a_host_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    char text[ADDRESS_SIZE_MAX + 4];
    struct env_address address;
    memset(text, 'h', sizeof(text));
    memcpy(text + ADDRESS_SIZE_MAX, ":1", 3);
    assert_int_equal(env_address_parse(text, &address, NULL), OK);
    assert_int_equal(strlen(address.host), ADDRESS_SIZE_MAX);
    memcpy(text + ADDRESS_SIZE_MAX, "h:1", 4);
    assert_int_equal(env_address_parse(text, &address, NULL), ERR_ADDRESS);
}

static void others_connect_to_an_address_of_one_interface(void **state)
{
    (void)state;
    static const char *const reached[] = {"h:1", "0.0.0.1:1", "[::1]:1", "[fe80::1%eth0]:1"};
    static const char *const not_reached[] = {"0.0.0.0:1", "[::]:1", "[0:0::0]:1", "[::%eth0]:1",
                                              "h:0"};
    struct env_address address;
    for (size_t i = 0; i < ARRAY_COUNT(reached); i++) {
        assert_int_equal(env_address_parse_remote(reached[i], &address, NULL), OK);
    }
    for (size_t i = 0; i < ARRAY_COUNT(not_reached); i++) {
        struct err_note note = {{0}};
        assert_int_equal(env_address_parse(not_reached[i], &address, NULL), OK);
        assert_int_equal(env_address_parse_remote(not_reached[i], &address, &note), ERR_ADDRESS);
        assert_non_null(strstr(note.text, "nobody can connect to"));
    }
    assert_int_equal(env_address_parse_remote("nowhere", &address, NULL), ERR_ADDRESS);
}

static void numeric_addresses_are_written_as_they_are_read(void **state)
{
    (void)state;
    char text[ENV_ADDRESS_TEXT_SIZE];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    assert_int_equal(uv_ip4_addr("10.1.2.3", 80, &v4), 0);
    env_address_format((const struct sockaddr *)&v4, text);
    assert_string_equal(text, "10.1.2.3:80");
    assert_int_equal(uv_ip6_addr("fe80::1", 65535, &v6), 0);
    env_address_format((const struct sockaddr *)&v6, text);
    assert_string_equal(text, "[fe80::1]:65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_ports_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused_with_a_reason),
        cmocka_unit_test(a_host_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(others_connect_to_an_address_of_one_interface),
        cmocka_unit_test(numeric_addresses_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
