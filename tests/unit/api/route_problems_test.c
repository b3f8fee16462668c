#include "api_testing.h"

static void a_page_comes_as_text_or_as_html(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /problems/quota", "Accept: */*\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "text/plain; charset=utf-8");
    assert_field(f, "Vary", "Accept");
    assert_memory_equal(f->body.data, "# 507 Storage quota reached\n", 28);
    size_t size = f->body.size;
    request(f, "HEAD /problems/quota", "", NULL);
    char length[32];
    (void)snprintf(length, sizeof(length), "%zu", size);
    assert_field(f, "Content-Length", length);
    request(f, "GET /problems/quota", "Accept: text/markdown\r\n", NULL);
    assert_field(f, "Content-Type", "text/markdown; charset=utf-8");
    assert_int_equal(f->body.size, size);
    request(f, "GET /problems/quota", "Accept: image/png\r\n", NULL);
    assert_field(f, "Content-Type", "text/plain; charset=utf-8");
    request(f, "GET /problems/quota", "Accept: text/html, */*;q=0.8\r\n", NULL);
    assert_field(f, "Content-Type", "text/html; charset=utf-8");
    assert_field(f, "X-Content-Type-Options", "nosniff");
    assert_memory_equal(f->body.data, "<!DOCTYPE html>\n", 16);
}

static void the_list_is_there_with_and_without_a_slash(void **state)
{
    struct fixture *f = *state;
    const char *const starts[] = {"GET /problems", "GET /problems/"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], "", NULL);
        assert_int_equal(f->status, 200);
        assert_memory_equal(f->body.data, "# What can go wrong\n", 20);
        request(f, starts[i], "Accept: text/html\r\n", NULL);
        assert_memory_equal(f->body.data, "<!DOCTYPE html>\n", 16);
    }
}

static void another_name_is_not_found_and_may_have_been_meant(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /problems/qouta", "", NULL);
    assert_problem(f, 404, "not-found", "did you mean \"quota\"?");
    assert_member(f, "did_you_mean", "quota");
    request(f, "GET /problems/quota/", "", NULL);
    assert_problem(f, 404, "not-found", "/problems/ lists them all");
    request(f, "POST /problems/quota", "", "x");
    assert_problem(f, 405, "method-not-allowed", "");
}

/* Where `type` points there is something. */
static void the_type_of_an_error_is_a_page(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/none", "", NULL);
    struct json_object *document = json_body(f);
    char start[64];
    (void)snprintf(start, sizeof(start), "GET %s", json_text(document, "type"));
    (void)json_object_put(document);
    request(f, start, "", NULL);
    assert_int_equal(f->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_page_comes_as_text_or_as_html),
        TEST(the_list_is_there_with_and_without_a_slash),
        TEST(another_name_is_not_found_and_may_have_been_meant),
        TEST(the_type_of_an_error_is_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
