#include "api/fence.h"
#include "state_testing.h"

static void a_fence_is_a_name_and_a_token(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"a", "NAME:TOKEN"},     {":1", "NAME:TOKEN"},     {"a:", "NAME:TOKEN"},
        {"a:1x", "NAME:TOKEN"},  {"a:-1", "NAME:TOKEN"},   {"a:18446744073709551616", "NAME:TOKEN"},
        {"%4:1", "two hex dig"}, {"%zz:1", "two hex dig"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char fields[128];
        (void)snprintf(fields, sizeof(fields), "KV-Fence: %s\r\n", cases[i].text);
        request(f, "PUT /locks/a", fields, "");
        assert_problem(f, 400, "bad-request", cases[i].words);
        request(f, "POST /kv/a", fields, "x");
        assert_problem(f, 400, "bad-request", cases[i].words);
    }
    char fields[400] = "KV-Fence: ";
    memset(fields + strlen(fields), 'n', 257);
    (void)snprintf(fields + strlen(fields), 8, ":1\r\n");
    request(f, "POST /kv/a", fields, "x");
    assert_problem(f, 400, "bad-request", "at most 256 bytes");
    assert_int_equal(state_writes, 0);
}

static void what_is_written_is_what_is_read(void **state)
{
    (void)state;
    struct writer text = {0};
    api_fence_write(SLICE_LITERAL("la:b/\xff"), UINT64_MAX, &text);
    assert_true(slice_equal(writer_slice(&text), SLICE_LITERAL("a%3Ab/%FF:18446744073709551615")));
    writer_deinit(&text);
}

static void a_name_may_have_colons(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a:1:2", "", "x");
    assert_field(f, "KV-Fence", "a%3A1%3A2:1");
    request(f, "POST /kv/a", "KV-Fence: a:1:2:1\r\n", "x");
    assert_int_equal(f->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(a_fence_is_a_name_and_a_token),
        TEST(what_is_written_is_what_is_read),
        TEST(a_name_may_have_colons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
