#include "api_testing.h"

static void a_member_is_added_with_what_the_body_says(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /admin/members", "", "{\"addr\":\"10.0.0.4:4000\"}\n");
    assert_int_equal(f->status, 201);
    assert_field(f, "Location", "/admin/members/4");
    struct json_object *document = json_body(f);
    assert_int_equal(json_u64(document, "id"), 4);
    assert_string_equal(json_text(document, "cluster_id"), "0000000000000abc");
    assert_non_null(json_object_object_get(document, "members"));
    (void)json_object_put(document);
    assert_int_equal(f->node.spec.op, ADMIN_ADD);
    assert_int_equal(f->node.spec.id, 0);
    assert_false(f->node.spec.is_learner);
    assert_false(f->node.spec.wants_vote); /* as --join, which does not know */
    request(f, "POST /admin/members", "", "{\"addr\":\"10.0.0.4:4000\",\"learner\":false}");
    assert_true(f->node.spec.wants_vote);
    assert_string_equal(f->node.spec.address, "10.0.0.4:4000");
    request(f, "POST /admin/members?force&timeout=2s", "",
            "{\"addr\":\"http://10.0.0.5:4000/\",\"id\":7,\"learner\":true}");
    assert_int_equal(f->status, 201);
    assert_int_equal(f->node.spec.id, 7);
    assert_true(f->node.spec.is_learner);
    assert_false(f->node.spec.wants_vote);
    assert_true(f->node.spec.is_forced);
    assert_string_equal(f->node.spec.address, "10.0.0.5:4000");
}

static void the_other_changes_have_their_paths(void **state)
{
    struct fixture *f = *state;
    request(f, "DELETE /admin/members/3?force=true", "", NULL);
    assert_int_equal(f->status, 204);
    assert_int_equal(f->node.spec.op, ADMIN_REMOVE);
    assert_int_equal(f->node.spec.id, 3);
    assert_true(f->node.spec.is_forced);
    request(f, "PATCH /admin/members/3", "", "{\"addr\":\"h:1\"}");
    assert_int_equal(f->status, 204);
    assert_int_equal(f->node.spec.op, ADMIN_MOVE);
    assert_string_equal(f->node.spec.address, "h:1");
    request(f, "POST /admin/members/5/promote", "", "");
    assert_int_equal(f->status, 204);
    assert_int_equal(f->node.spec.op, ADMIN_PROMOTE);
    assert_int_equal(f->node.spec.id, 5);
    request(f, "POST /admin/members/replace", "", "{\"old\":2,\"addr\":\"h:2\"}");
    assert_int_equal(f->status, 201);
    assert_int_equal(f->node.spec.op, ADMIN_REPLACE);
    assert_int_equal(f->node.spec.old, 2);
    request(f, "POST /admin/leader?to=2", "", "");
    assert_int_equal(f->status, 200);
    assert_body(f, "{\n  \"leader_id\": 2\n}\n");
    assert_int_equal(f->node.spec.op, ADMIN_TRANSFER);
    assert_int_equal(f->node.admin_count, 5);
}

static void what_is_wrong_is_told_and_not_done(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *start;
        const char *body;
        int status;
        const char *detail;
    } table[] = {
        {"POST /admin/members", "", 400, "one JSON object"},
        {"POST /admin/members", "[]", 400, "one JSON object"},
        {"POST /admin/members", "{\"addr\":\"h:1\"} x", 400, "one JSON object"},
        {"POST /admin/members", "{}", 400, "\"addr\" is missing"},
        {"POST /admin/members", "{\"addr\":5}", 400, "\"addr\" is a text"},
        {"POST /admin/members", "{\"addr\":\"\"}", 400, "an address is HOST:PORT"},
        {"POST /admin/members", "{\"addr\":\"nowhere\"}", 400, "does not end in a port"},
        {"POST /admin/members", "{\"addr\":\"\303\266:1\"}", 400, "a host has letters"},
        {"POST /admin/members", "{\"addr\":\"h\\u0001:1\"}", 400, "a host has letters"},
        {"POST /admin/members", "{\"addr\":\"a b:1\"}", 400, "a host has letters"},
        {"POST /admin/members", "{\"addr\":\"h:1\\u0000x\"}", 400, "an address is HOST:PORT"},
        {"POST /admin/members", "{\"addr\":\"0.0.0.0:4000\"}", 400, "nobody can connect to"},
        {"PATCH /admin/members/3", "{\"addr\":\"[::]:4000\"}", 400, "nobody can connect to"},
        {"POST /7", "http://h:0", 400, "Failed on POST: an address is HOST:PORT"},
        {"POST /admin/members", "{\"adr\":\"h:1\"}", 400, "did you mean \"addr\""},
        {"POST /admin/members", "{\"old\":1,\"addr\":\"h:1\"}", 400, "unknown member \"old\""},
        {"POST /admin/members", "{\"addr\":\"h:1\",\"id\":0}", 400, "\"id\" is a number"},
        {"POST /admin/members", "{\"addr\":\"h:1\",\"learner\":1}", 400, "true or false"},
        {"POST /admin/members?forse", "{\"addr\":\"h:1\"}", 400, "did you mean \"force\"?"},
        {"POST /admin/members?foo", "{\"addr\":\"h:1\"}", 400, "there are ?timeout, ?force here"},
        {"POST /admin/members?to=1", "{\"addr\":\"h:1\"}", 400, "unknown parameter \"to\""},
        {"POST /4?force&force", "h:1", 400, "?force is given twice"},
        {"POST /admin/leader?too=1", "", 400, "did you mean \"to\"?"},
        {"POST /admin/leader?x", "", 400, "there are ?timeout, ?force, ?to here"},
        {"POST /admin/leader?to=1&to=2", "", 400, "?to is given twice"},
        {"POST /admin/leader?%zz", "", 400, "not percent-encoded"},
        {"GET /admin/members?foo", NULL, 400, "unknown parameter \"foo\""},
        {"POST /admin/drain?foo", "", 400, "unknown parameter \"foo\": there are none here"},
        {"DELETE /admin/drain?force", NULL, 400, "there are none here"},
        {"GET /admin/snapshot?foo", NULL, 400, "there are none here"},
        {"POST /admin/members?timeout=5", "{\"addr\":\"h:1\"}", 400, "timeout is a duration"},
        {"POST /admin/members/3", "{}", 404, "/admin/members/ID/promote"},
        {"DELETE /admin/members/3/promote", NULL, 404, "/admin/members/ID/promote"},
        {"DELETE /admin/members/x", NULL, 400, "a member's id is a number"},
        {"DELETE /admin/members/0", NULL, 400, "a member's id is a number"},
        {"DELETE /admin/members/18446744073709551616", NULL, 400, "a member's id is a number"},
        {"PATCH /admin/members/3", "{}", 400, "\"addr\" is missing"},
        {"POST /admin/members/replace", "{\"addr\":\"h:1\"}", 400, "\"old\" is missing"},
        {"POST /admin/leader?to=me", "", 400, "a member's id is a number"},
        {"GET /admin/leader", NULL, 405, "not allowed"},
        {"PUT /admin/members", "{}", 405, "not allowed"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        request(f, table[i].start, "", table[i].body);
        assert_int_equal(f->status, table[i].status);
        struct json_object *document = json_body(f);
        assert_non_null(strstr(json_text(document, "detail"), table[i].detail));
        (void)json_object_put(document);
    }
    assert_int_equal(f->node.admin_count, 0);
}

static void a_refusal_has_the_leaders_words(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_CONFLICT;
    f->node.admin_text = "it is the last voter";
    request(f, "DELETE /admin/members/1", "", NULL);
    assert_int_equal(f->status, 409);
    assert_member(f, "detail", "it is the last voter");
    f->node.e = ERR_OUTCOME_UNKNOWN;
    f->node.admin_text = NULL;
    request(f, "DELETE /admin/members/1", "", NULL);
    assert_int_equal(f->status, 504);
    assert_member(f, "outcome", "unknown");
}

static void the_calls_of_raftexample_work(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /4", "", "http://127.0.0.1:42379");
    assert_int_equal(f->status, 204);
    assert_int_equal(f->node.spec.op, ADMIN_ADD);
    assert_int_equal(f->node.spec.id, 4);
    assert_string_equal(f->node.spec.address, "127.0.0.1:42379");
    request(f, "DELETE /0x3", "", NULL);
    assert_int_equal(f->status, 204);
    assert_int_equal(f->node.spec.op, ADMIN_REMOVE);
    assert_int_equal(f->node.spec.id, 3);
    request(f, "POST /4x", "", "http://127.0.0.1:42379");
    assert_int_equal(f->status, 400);
    request(f, "POST /18446744073709551615", "", "http://127.0.0.1:42379");
    assert_problem(f, 400, "bad-request", "from 1 to 9007199254740991, not \"18446744");
    request(f, "POST /4", "", "");
    assert_int_equal(f->status, 400);
    struct json_object *document = json_body(f);
    assert_int_equal(strncmp(json_text(document, "detail"), "Failed on POST: ", 16), 0);
    (void)json_object_put(document);
    request(f, "GET /4", "", NULL);
    assert_int_equal(f->status, 405);
    request(f, "DELETE /4/5", "", NULL);
    assert_int_equal(f->status, 404);
    static const char *const no_ids[] = {"POST /abc", "POST /-4", "POST /kvv", "DELETE /abc"};
    for (size_t i = 0; i < ARRAY_COUNT(no_ids); i++) {
        bool is_post = no_ids[i][0] == 'P';
        request(f, no_ids[i], "", is_post ? "x" : NULL);
        assert_problem(f, 400, "bad-request",
                       is_post ? "Failed on POST: a member's id is a number from 1 to"
                               : "Failed on DELETE: a member's id is a number from 1 to");
    }
    request(f, "GET /abc", "", NULL);
    assert_int_equal(f->status, 404);
    request(f, "PUT /abc", "", "x");
    assert_int_equal(f->status, 404);
    request(f, "POST /stats", "", "x");
    assert_int_equal(f->status, 405);
    request(f, "POST /abc/", "", "x");
    assert_int_equal(f->status, 404);
    assert_int_equal(f->node.admin_count, 2);
}

/* Three members; the third is a learner that becomes a voter, and this node does not reach it. */
static void set_members(struct fixture *f, node_id leader)
{
    struct node_status *status = &f->node.status;
    status->role = leader == 1 ? NODE_LEADER : NODE_FOLLOWER;
    status->leader = leader;
    status->is_voter = true;
    status->peer_count = 2;
    status->peers[0] = (struct node_peer_status){
        .id = 2, .is_voter = true, .is_connected = true, .round_trip_us = 700, .version = "0.1.0"};
    status->peers[1] = (struct node_peer_status){.id = 3, .wants_vote = true};
    f->node.figures = (struct admin_figures){
        .last_index = 100,
        .count = 3,
        .rows = {{.id = 1,
                  .match = 98,
                  .round_trip_us = 500,
                  .progress = ADMIN_PROGRESS_REPLICATE,
                  .is_reachable = true},
                 {.id = 2, .match = 100, .is_reachable = true},
                 {.id = 3, .match = 40, .progress = ADMIN_PROGRESS_PROBE, .is_reachable = true}}};
}

static struct json_object *member_row(struct json_object *document, size_t i)
{
    struct json_object *members = json_object_object_get(document, "members");
    assert_int_equal(json_object_array_length(members), 3);
    return json_object_array_get_idx(members, i);
}

static bool is_true(struct json_object *row, const char *name)
{
    struct json_object *value = json_object_object_get(row, name);
    assert_true(json_object_is_type(value, json_type_boolean));
    return json_object_get_boolean(value) != 0;
}

static void the_list_has_the_leaders_figures_on_every_node(void **state)
{
    struct fixture *f = *state;
    set_members(f, 2);
    request(f, "GET /admin/members", "", NULL);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->node.spec.op, ADMIN_LIST);
    assert_true(f->node.deadline_ms - env_now_ms(f->env) <= 1000);
    struct json_object *document = json_body(f);
    assert_int_equal(json_u64(document, "figures_from"), 2);
    static const struct {
        uint64_t match;
        uint64_t lag;
        uint64_t round_trip_us;
        const char *progress;
    } expected[] = {{98, 2, 500, "replicate"}, {100, 0, 0, NULL}, {40, 60, 0, "probe"}};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        struct json_object *row = member_row(document, i);
        assert_int_equal(json_u64(row, "match_index"), expected[i].match);
        assert_int_equal(json_u64(row, "lag_entries"), expected[i].lag);
        assert_int_equal(json_u64(row, "round_trip_us"), expected[i].round_trip_us);
        assert_true(is_true(row, "is_reachable")); /* the leader reaches the third */
        const char *progress = json_text(row, "progress");
        assert_int_equal(progress == NULL, expected[i].progress == NULL);
        if (progress != NULL) {
            assert_string_equal(progress, expected[i].progress);
        }
    }
    (void)json_object_put(document);
    request(f, "GET /admin/members?timeout=9s", "", NULL);
    assert_true(f->node.deadline_ms - env_now_ms(f->env) > 8000);
}

static void without_the_leader_the_list_has_what_this_node_knows(void **state)
{
    struct fixture *f = *state;
    set_members(f, 0);
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /admin/members", "", NULL);
    assert_int_equal(f->status, 200);
    struct json_object *document = json_body(f);
    assert_null(json_text(document, "figures_from"));
    for (size_t i = 0; i < 3; i++) {
        struct json_object *row = member_row(document, i);
        assert_null(json_text(row, "match_index"));
        assert_null(json_text(row, "lag_entries"));
        assert_null(json_text(row, "progress"));
        assert_int_equal(is_true(row, "is_reachable"), i != 2);
        assert_int_equal(json_u64(row, "round_trip_us"), i == 1 ? 700 : 0);
    }
    (void)json_object_put(document);
    f->node.e = ERR_DRAINING; /* it is being closed */
    request(f, "GET /admin/members", "", NULL);
    assert_problem(f, 503, "draining", "shutting down");
}

static void all_rows_of_the_list_have_the_same_members(void **state)
{
    struct fixture *f = *state;
    set_members(f, 2);
    f->node.status.is_voter = false;
    f->node.status.wants_vote = true;
    f->node.figures.count = 2; /* of the third the leader has not heard yet */
    request(f, "GET /admin/members", "", NULL);
    struct json_object *document = json_body(f);
    struct json_object *first = member_row(document, 0);
    assert_true(is_true(first, "becomes_voter"));
    assert_string_equal(json_text(first, "role"), "learner");
    assert_string_equal(json_text(member_row(document, 1), "role"), "leader");
    assert_string_equal(json_text(member_row(document, 1), "version"), "0.1.0");
    assert_false(is_true(member_row(document, 1), "becomes_voter"));
    assert_null(json_text(member_row(document, 2), "match_index"));
    static const char *const names[] = {
        "id",           "role",        "becomes_voter",  "is_self",
        "peer_address", "version",     "client_address", "is_reachable",
        "match_index",  "lag_entries", "round_trip_us",  "progress"};
    for (size_t i = 0; i < 3; i++) {
        struct json_object *row = member_row(document, i);
        assert_int_equal(json_object_object_length(row), ARRAY_COUNT(names));
        for (size_t k = 0; k < ARRAY_COUNT(names); k++) {
            assert_true(json_object_object_get_ex(row, names[k], NULL));
        }
    }
    (void)json_object_put(document);
}

static void a_head_of_the_list_has_the_fields_and_no_body(void **state)
{
    struct fixture *f = *state;
    set_members(f, 2);
    request(f, "HEAD /admin/members", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/json");
    assert_int_equal(f->body.size, 0);
    assert_string_not_equal(field_of(f, "Content-Length"), "0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_member_is_added_with_what_the_body_says),
        TEST(the_other_changes_have_their_paths),
        TEST(what_is_wrong_is_told_and_not_done),
        TEST(a_refusal_has_the_leaders_words),
        TEST(the_calls_of_raftexample_work),
        TEST(the_list_has_the_leaders_figures_on_every_node),
        TEST(without_the_leader_the_list_has_what_this_node_knows),
        TEST(all_rows_of_the_list_have_the_same_members),
        TEST(a_head_of_the_list_has_the_fields_and_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
