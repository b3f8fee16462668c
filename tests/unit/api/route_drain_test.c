#include "api_testing.h"

static void assert_state(struct fixture *f, bool is_draining)
{
    assert_int_equal(f->status, 200);
    struct json_object *document = json_body(f);
    assert_int_equal(json_u64(document, "node_id"), 1);
    assert_int_equal(json_u64(document, "leader_id"), 1);
    struct json_object *draining = json_object_object_get(document, "is_draining");
    assert_int_equal(json_object_get_boolean(draining), is_draining);
    (void)json_object_put(document);
    assert_int_equal(f->node.status.is_draining, is_draining);
}

static void it_begins_and_is_undone(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /admin/drain", "", "");
    assert_state(f, true);
    request(f, "POST /admin/drain", "", "");
    assert_state(f, true);
    request(f, "DELETE /admin/drain", "", NULL);
    assert_state(f, false);
}

/* The node's words, whatever was asked. */
static void who_is_refused_meanwhile_is_told_how_it_ends(void **state)
{
    struct fixture *f = *state;
    static const char *const starts[] = {"PUT /kv/a", "GET /kv/a", "DELETE /admin/members/3",
                                         "GET /admin/snapshot"};
    request(f, "POST /admin/drain", "", "");
    f->node.e = ERR_DRAINING;
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], "", starts[i][0] == 'P' ? "1" : NULL);
        assert_problem(f, 503, "draining", "draining: undo it");
    }
}

static void a_refusal_says_why(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_CONFLICT;
    request(f, "POST /admin/drain", "", "");
    assert_int_equal(f->status, 409);
    assert_member(f, "detail", "DELETE /admin/drain undid it meanwhile");
    f->node.e = ERR_DRAINING;
    request(f, "POST /admin/drain", "", "");
    assert_int_equal(f->status, 503);
    request(f, "DELETE /admin/drain", "", NULL);
    assert_int_equal(f->status, 503);
    assert_member(f, "type", "/problems/draining");
    request(f, "GET /admin/drain", "", NULL);
    assert_int_equal(f->status, 405);
    assert_field(f, "Allow", "POST, DELETE, OPTIONS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_begins_and_is_undone, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(who_is_refused_meanwhile_is_told_how_it_ends, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(a_refusal_says_why, fixture_open, fixture_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
