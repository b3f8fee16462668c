#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/admin_body.h"

static void ids_are_numbers_from_1_on(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_c;
        uint64_t id; /* 0: refused */
    } table[] = {
        {"1", false, 1},   {"9007199254740991", false, NODE_ID_MAX},
        {"", false, 0},    {"9007199254740992", false, 0},
        {"0", false, 0},   {"18446744073709551615", false, 0},
        {"", false, 0},    {"18446744073709551616", false, 0},
        {"0", false, 0},   {"-1", false, 0},
        {"+1", false, 0},  {"1 ", false, 0},
        {"0x4", false, 0}, {"010", false, 10},
        {"0x4", true, 4},  {"0X1f", true, 31},
        {"010", true, 8},  {"08", true, 0},
        {"0x", true, 0},   {"0xg", true, 0},
        {"4", true, 4},    {"0x10000000000000000", true, 0},
        {"0x5", true, 5},  {"0x20000000000000", true, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct problem problem = {.e = OK};
        uint64_t id = 0;
        err e = api_admin_parse_id(slice_from_text(table[i].text), table[i].is_c, &id, &problem);
        assert_int_equal(e, table[i].id == 0 ? ERR_BAD_REQUEST : OK);
        assert_int_equal(id, table[i].id);
    }
}

static void an_address_may_be_a_url(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"host:1", "host:1"},           {"http://host:1", "host:1"}, {"http://host:1/\n", "host:1"},
        {" [::1]:4000 ", "[::1]:4000"}, {"http://", NULL},           {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct problem problem = {.e = OK};
        struct admin_spec spec = {.address = ""};
        err e = api_admin_parse_address(slice_from_text(table[i][0]), &spec, &problem);
        assert_int_equal(e, table[i][1] == NULL ? ERR_BAD_REQUEST : OK);
        assert_string_equal(spec.address, table[i][1] == NULL ? "" : table[i][1]);
    }
    struct problem problem = {.e = OK};
    struct admin_spec spec = {.address = ""};
    struct slice nul = {(const uint8_t *)"a\0b:1", 6};
    assert_int_equal(api_admin_parse_address(nul, &spec, &problem), ERR_BAD_REQUEST);
}

static void a_body_has_the_members_that_it_may_have(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    struct admin_spec spec = {.op = ADMIN_ADD};
    unsigned all = ADMIN_FIELD_ADDR | ADMIN_FIELD_ID | ADMIN_FIELD_OLD | ADMIN_FIELD_LEARNER;
    struct slice body = SLICE_LITERAL("{\"addr\":\"h:1\",\"id\":5,\"old\":6,\"learner\":true}\n");
    assert_int_equal(api_admin_parse_body(body, all, all, &spec, &problem), OK);
    assert_string_equal(spec.address, "h:1");
    assert_int_equal(spec.id, 5);
    assert_int_equal(spec.old, 6);
    assert_true(spec.is_learner);
    assert_int_equal(
        api_admin_parse_body(body, all & ~(unsigned)ADMIN_FIELD_OLD, 0, &spec, &problem),
        ERR_BAD_REQUEST);
    assert_int_equal(
        api_admin_parse_body(SLICE_LITERAL("{}"), all, ADMIN_FIELD_ID, &spec, &problem),
        ERR_BAD_REQUEST);
    assert_int_equal(api_admin_parse_body(SLICE_LITERAL("{\"id\":1.5}"), all, 0, &spec, &problem),
                     ERR_BAD_REQUEST);
    assert_int_equal(api_admin_parse_body(SLICE_LITERAL("{\"id\":1"), all, 0, &spec, &problem),
                     ERR_BAD_REQUEST);
}

/* A reader of JSON that has doubles only would take the next one for another. */
static void no_id_is_larger_than_every_reader_can_hold(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool is_taken;
    } table[] = {
        {"{\"id\":9007199254740991}", true},
        {"{\"id\":9007199254740992}", false},
        {"{\"id\":18446744073709551615}", false},
        {"{\"id\":99999999999999999999}", false},
        {"{\"id\":-1}", false},
        {"{\"old\":9007199254740992}", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct problem problem = {.e = OK};
        struct admin_spec spec = {.op = ADMIN_ADD};
        err e = api_admin_parse_body(slice_from_text(table[i].body),
                                     ADMIN_FIELD_ID | ADMIN_FIELD_OLD, 0, &spec, &problem);
        assert_int_equal(e, table[i].is_taken ? OK : ERR_BAD_REQUEST);
        if (!table[i].is_taken) {
            assert_non_null(strstr(problem.detail, "from 1 to 9007199254740991"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_numbers_from_1_on),
        cmocka_unit_test(an_address_may_be_a_url),
        cmocka_unit_test(a_body_has_the_members_that_it_may_have),
        cmocka_unit_test(no_id_is_larger_than_every_reader_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
