#include "api_testing.h"

static void the_page_has_every_name_that_tools_rely_on(void **state)
{
    struct fixture *f = *state;
    const struct store_region region = {.id = 1,
                                        .revision = UINT64_C(1) << 53,
                                        .keys = 3,
                                        .idempotency_keys = 7,
                                        .key_bytes = 30,
                                        .value_bytes = 300,
                                        .state_hash = {.low = 2, .high = 1}};
    f->node.status.state = &region;
    f->node.status.idempotency_count = 1000;
    f->node.status.idempotency_age_ms = 60000;
    request(f, "GET /stats", "", NULL);
    assert_int_equal(f->status, 200);
    struct json_object *page = json_body(f);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"node_id", 1},        {"leader_id", 1},      {"term", 7},
                   {"commit_index", 42},  {"applied_index", 42}, {"last_index", 43},
                   {"snapshot_index", 9}, {"keys", 3},           {"revision", UINT64_C(1) << 53},
                   {"key_bytes", 30},     {"value_bytes", 300},  {"uptime_seconds", 0}};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        assert_true(json_u64(page, numbers[i].name) == numbers[i].value);
    }
    assert_string_equal(json_text(page, "version"), "0.1.0");
    assert_string_equal(json_text(page, "cluster_id"), "0000000000000abc");
    assert_string_equal(json_text(page, "role"), "leader");
    assert_string_equal(json_text(page, "state_hash"), "00000000000000010000000000000002");
    struct json_object *store = json_object_object_get(page, "store");
    assert_string_equal(json_text(store, "path"), "data/store/data.mdb");
    assert_non_null(json_text(store, "engine"));
    assert_int_equal(json_u64(store, "size_bytes"), 0);
    assert_int_equal(json_u64(store, "used_bytes"), 0);
    assert_int_equal(json_u64(json_object_object_get(page, "wal"), "segments"), 0);
    struct json_object *idempotency = json_object_object_get(page, "idempotency");
    assert_int_equal(json_u64(idempotency, "keys"), 7);
    assert_int_equal(json_u64(idempotency, "keys_max"), 1000);
    assert_int_equal(json_u64(idempotency, "age_ms_max"), 60000);
    struct json_object *history = json_object_object_get(page, "history");
    assert_int_equal(json_u64(history, "bytes"), 0);
    assert_int_equal(json_u64(history, "changes"), 0);
    assert_int_equal(json_u64(history, "revisions"), 1);
    assert_int_equal(json_u64(history, "oldest_revision"), 0);
    assert_int_equal(json_u64(json_object_object_get(page, "http"), "connections_accepted"), 1);
    assert_int_equal(json_object_array_length(json_object_object_get(page, "peers")), 0);
    (void)json_object_put(page);
}

static void a_node_without_state_has_zeros(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /stats", "", NULL);
    assert_member(f, "keys", "0");
    assert_member(f, "state_hash", "00000000000000000000000000000000");
}

static void every_peer_is_listed(void **state)
{
    struct fixture *f = *state;
    f->node.status.peer_count = 2;
    f->node.status.peers[0] = (struct node_peer_status){
        .id = 2, .peer_address = "h:1", .progress = "replicate", .match_index = 40};
    f->node.status.peers[1] = (struct node_peer_status){.id = 3, .progress = ""};
    request(f, "GET /stats", "", NULL);
    struct json_object *page = json_body(f);
    struct json_object *peers = json_object_object_get(page, "peers");
    assert_int_equal(json_object_array_length(peers), 2);
    struct json_object *first = json_object_array_get_idx(peers, 0);
    assert_int_equal(json_u64(first, "id"), 2);
    assert_int_equal(json_u64(first, "match_index"), 40);
    assert_string_equal(json_text(first, "peer_address"), "h:1");
    assert_string_equal(json_text(first, "progress"), "replicate");
    (void)json_object_put(page);
}

static void the_metrics_count_requests_by_route_and_never_by_key(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/secret-key", "", "1");
    request(f, "GET /kv/secret-key", "", NULL);
    request(f, "GET /secret-key", "", NULL);
    request(f, "GET /metrics", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    const char *text = (const char *)f->body.data;
    const char *const lines[] = {
        "\npontoon_http_requests_total{method=\"PUT\",route=\"kv\",code=\"201\"} 1\n",
        "\npontoon_http_requests_total{method=\"GET\",route=\"kv\",code=\"200\"} 1\n",
        "\npontoon_http_requests_total{method=\"GET\",route=\"none\",code=\"404\"} 1\n",
        "\npontoon_http_request_duration_seconds_count{route=\"kv\"} 2\n",
        "\npontoon_http_in_flight 1\n",
        "\npontoon_http_connections_accepted_total 4\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        if (strstr(text, lines[i]) == NULL) {
            fail_msg("missing: %s", lines[i]);
        }
    }
    assert_null(strstr(text, "secret"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(the_page_has_every_name_that_tools_rely_on),
        TEST(a_node_without_state_has_zeros),
        TEST(every_peer_is_listed),
        TEST(the_metrics_count_requests_by_route_and_never_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
