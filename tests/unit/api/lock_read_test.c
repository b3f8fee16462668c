#include "state_testing.h"

static void a_lock_shows_its_holders_and_how_many_wait(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /locks/a", "", NULL);
    assert_problem(f, 404, "not-found", "nobody holds this lock");
    request(f, "POST /locks/a?ttl=10s&limit=2&id=1", "", "x");
    assert_problem(f, 400, "bad-request", "unknown parameter");
    request(f, "POST /locks/a?ttl=10s&limit=2", "Content-Type: text/x\r\n", "\xff");
    request(f, "POST /locks/a?ttl=0&limit=2", "", "two");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&limit=2&wait=60s", "", "three");
    until_writes(f, 3);
    f->node.elapsed_ms += 4000;
    request(f, "GET /locks/a", "", NULL);
    assert_int_equal(f->status, 200);
    struct json_object *document = json_body(f);
    assert_string_equal(json_text(document, "name"), "a");
    assert_int_equal(json_u64(document, "limit"), 2);
    assert_int_equal(json_u64(document, "held"), 2);
    assert_int_equal(json_u64(document, "waiting"), 1);
    assert_int_equal(json_u64(document, "token"), 1);
    struct json_object *holders = json_object_object_get(document, "holders");
    assert_int_equal(json_object_array_length(holders), 2);
    struct json_object *first = json_object_array_get_idx(holders, 0);
    assert_string_equal(json_text(first, "owner_base64"), "/w==");
    assert_string_equal(json_text(first, "content_type"), "text/x");
    assert_string_equal(json_text(first, "remaining"), "6.0");
    struct json_object *second = json_object_array_get_idx(holders, 1);
    assert_string_equal(json_text(second, "owner"), "two");
    assert_null(json_object_object_get(second, "lease"));
    (void)json_object_put(document);
    peer_close(&peer);
}

static void a_holder_is_text_or_base64_in_a_refusal(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a", "", "\xff");
    request(f, "POST /locks/a", "", "x");
    assert_problem(f, 423, "locked", "for 15.0 s");
    assert_member(f, "holder_base64", "/w==");
}

static void names_are_any_bytes_and_stand_in_the_fence_encoded(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a%2Fb%20%3A%FF", "", "x");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "a/b%20%3A%FF:1");
    request(f, "PUT /locks/a%2fb%20:%ff", "KV-Fence: a/b%20%3A%FF:1\r\n", "");
    assert_int_equal(f->status, 200);
    request(f, "GET /locks/a/b%20:%ff", "", NULL);
    assert_member(f, "name_base64", "YS9iIDr/");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(a_lock_shows_its_holders_and_how_many_wait),
        TEST(a_holder_is_text_or_base64_in_a_refusal),
        TEST(names_are_any_bytes_and_stand_in_the_fence_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
