/* /stats: one JSON page for people and tests. /metrics: the same for Prometheus. */
#include <stdio.h>

#include "api/document.h"
#include "api/exchange.h"
#include "api/watch_cache.h"
#include "base/assert.h"
#include "node/history.h"
#include "node/watches.h"
#include "store/store.h"
#include "wal/wal.h"

#define HASH_TEXT_SIZE (2 * TEXT_HEX64_SIZE + 1)

/* A median and a tail, in the histogram's own unit. */
static void add_histogram(struct json_object *object, const char *name,
                          const struct histogram *histogram)
{
    struct json_object *summary = json_object_new_object();
    api_document_add_u64(summary, "count", histogram->count);
    api_document_add_u64(summary, "p50_at_most", histogram_quantile(histogram, 0.5));
    api_document_add_u64(summary, "p99_at_most", histogram_quantile(histogram, 0.99));
    api_document_add(object, name, summary);
}

/* ---- the parts of the page ---- */

static void add_identity(struct json_object *page, const struct api *api,
                         const struct node_status *status)
{
    uint64_t now_ms = env_now_ms(api->options.env);
    api_document_add_text(page, "version", api->options.version);
    api_document_add_id(page, "cluster_id", status->cluster_id);
    api_document_add_u64(page, "node_id", status->id);
    api_document_add_text(page, "role", node_role_name(status->role));
    api_document_add_u64(page, "leader_id", status->leader);
    api_document_add_u64(page, "term", status->term);
    api_document_add_u64(page, "uptime_seconds", (now_ms - api->started_ms) / 1000);
}

static void add_state(struct json_object *page, const struct node_status *status)
{
    static const struct store_region empty;
    const struct store_region *state = status->state != NULL ? status->state : &empty;
    char hash[HASH_TEXT_SIZE] = "";
    api_text_hex64(hash, state->state_hash.high);
    api_text_hex64(hash + TEXT_HEX64_SIZE, state->state_hash.low);
    api_document_add_u64(page, "commit_index", status->commit_index);
    api_document_add_u64(page, "applied_index", status->applied_index);
    api_document_add_u64(page, "last_index", status->last_index);
    api_document_add_u64(page, "snapshot_index", status->snapshot_index);
    api_document_add_u64(page, "revision", state->revision);
    api_document_add_text(page, "state_hash", hash);
    api_document_add_u64(page, "keys", state->keys);
    api_document_add_u64(page, "key_bytes", state->key_bytes);
    api_document_add_u64(page, "value_bytes", state->value_bytes);
    api_document_add_u64(page, "used_bytes", store_region_used(state));
    api_document_add_u64(page, "quota_bytes", status->quota_bytes);
    api_document_add_bool(page, "is_disk_full", status->is_disk_full);
    api_document_add_bool(page, "is_quota_reached", status->is_quota_reached);
}

static struct json_object *raft_part(const struct node_status *status)
{
    struct json_object *raft = json_object_new_object();
    api_document_add_u64(raft, "region", status->region);
    api_document_add_bool(raft, "has_quorum", status->has_quorum);
    api_document_add_bool(raft, "is_draining", status->is_draining);
    api_document_add_text(raft, "divergence", status->divergence);
    api_document_add_u64(raft, "agreed_index", status->agreed_index);
    api_document_add_u64(raft, "applied_term", status->applied_term);
    api_document_add_u64(raft, "first_index", status->first_index);
    api_document_add_u64(raft, "pending_writes", status->pending_writes);
    api_document_add_u64(raft, "pending_reads", status->pending_reads);
    return raft;
}

static struct json_object *repair_part(const struct node_status *status)
{
    struct json_object *repair = json_object_new_object();
    api_document_add_bool(repair, "is_under_way", status->is_repairing);
    api_document_add_u64(repair, "stores", status->store_repairs);
    api_document_add_u64(repair, "logs", status->log_repairs);
    api_document_add_u64(repair, "log_mends", status->log_mends);
    return repair;
}

static struct json_object *scrub_part(const struct store_stats *stats)
{
    struct json_object *scrub = json_object_new_object();
    api_document_add_u64(scrub, "passes", stats->scrub_passes);
    api_document_add_u64(scrub, "last_pass_ms", stats->scrub_pass_ms);
    api_document_add_u64(scrub, "pass_records", stats->scrub_pass_records);
    api_document_add_u64(scrub, "pass_records_expected", stats->checkpoint_records);
    api_document_add_u64(scrub, "records", stats->scrub_records);
    api_document_add_u64(scrub, "bytes", stats->scrub_bytes);
    api_document_add_u64(scrub, "damaged_records", stats->scrub_damaged);
    api_document_add_u64(scrub, "faults", stats->scrub_faults);
    return scrub;
}

static struct json_object *store_part(const struct node *node)
{
    const struct store_stats *stats = node_store_stats(node);
    struct json_object *store = json_object_new_object();
    api_document_add_text(store, "engine", store_engine());
    api_document_add_text(store, "path", node_store_path(node));
    api_document_add_u64(store, "size_bytes", stats->size_bytes);
    api_document_add_u64(store, "used_bytes", stats->used_bytes);
    api_document_add_u64(store, "map_size_bytes", stats->map_size_bytes);
    api_document_add_u64(store, "tail_bytes", stats->tail_bytes);
    api_document_add_u64(store, "tail_records", stats->tail_records);
    api_document_add_bool(store, "is_checkpointing", stats->is_checkpointing);
    api_document_add_u64(store, "checkpoints", stats->checkpoints);
    api_document_add_u64(store, "checkpoint_failures", stats->checkpoint_failures);
    api_document_add_u64(store, "corrupt_records", stats->corrupt_records);
    api_document_add_u64(store, "mended_records", stats->mended_records);
    api_document_add_u64(store, "census_blocks", stats->census_blocks);
    api_document_add_u64(store, "census_bytes", stats->census_bytes);
    api_document_add(store, "scrub", scrub_part(stats));
    add_histogram(store, "checkpoint_us", &stats->checkpoint_us);
    return store;
}

static struct json_object *idempotency_part(const struct node_status *status)
{
    struct json_object *part = json_object_new_object();
    uint64_t keys = status->state != NULL ? status->state->idempotency_keys : 0;
    api_document_add_u64(part, "keys", keys);
    api_document_add_u64(part, "keys_max", status->idempotency_count);
    api_document_add_u64(part, "age_ms_max", status->idempotency_age_ms);
    return part;
}

static struct json_object *history_part(const struct node *node)
{
    const struct history *history = node_history(node);
    struct json_object *part = json_object_new_object();
    api_document_add_u64(part, "bytes", history_bytes(history));
    api_document_add_u64(part, "changes", history_end(history) - history_first(history));
    api_document_add_u64(part, "revisions", history_newest(history) - history_oldest(history) + 1);
    api_document_add_u64(part, "oldest_revision", history_oldest(history));
    return part;
}

static struct json_object *watch_part(const struct api *api)
{
    struct watches *watches = node_watches(api->node);
    struct json_object *part = json_object_new_object();
    api_document_add_u64(part, "watchers", watches_count(watches));
    api_document_add_u64(part, "events", watches_told(watches)->value);
    api_document_add_u64(part, "encoded_events", api_watch_cache_encoded(api->watch_cache));
    return part;
}

static struct json_object *wal_part(const struct node *node)
{
    const struct wal_stats *stats = node_wal_stats(node);
    struct json_object *wal = json_object_new_object();
    api_document_add_u64(wal, "segments", stats->segments);
    api_document_add_u64(wal, "spare_segments", stats->spare_segments);
    api_document_add_u64(wal, "size_bytes", stats->size_bytes);
    api_document_add_u64(wal, "live_bytes", stats->live_bytes);
    api_document_add_u64(wal, "cached_bytes", stats->cached_bytes);
    api_document_add_u64(wal, "appended_bytes", stats->appended_bytes);
    api_document_add_u64(wal, "syncs", stats->syncs);
    add_histogram(wal, "sync_us", &stats->sync_us);
    add_histogram(wal, "batch_entries", &stats->batch_entries);
    return wal;
}

static struct json_object *peer_part(const struct node_peer_status *peer)
{
    struct json_object *object = json_object_new_object();
    api_document_add_u64(object, "id", peer->id);
    api_document_add_text(object, "peer_address", peer->peer_address);
    api_document_add_text(object, "client_address", peer->client_address);
    api_document_add_bool(object, "is_voter", peer->is_voter);
    api_document_add_bool(object, "is_connected", peer->is_connected);
    api_document_add_bool(object, "is_active", peer->is_active);
    api_document_add_text(object, "progress", peer->progress);
    api_document_add_u64(object, "match_index", peer->match_index);
    api_document_add_u64(object, "next_index", peer->next_index);
    api_document_add_u64(object, "round_trip_us", peer->round_trip_us);
    api_document_add_u64(object, "queued_bytes", peer->queued_bytes);
    return object;
}

static struct json_object *peers_part(const struct node_status *status)
{
    struct json_object *peers = json_object_new_array();
    for (uint32_t i = 0; i < status->peer_count; i++) {
        (void)json_object_array_add(peers, peer_part(&status->peers[i]));
    }
    return peers;
}

static struct json_object *http_part(const struct http_stats *stats)
{
    struct json_object *http = json_object_new_object();
    if (stats != NULL) {
        api_document_add_i64(http, "connections", stats->connections.value);
        api_document_add_i64(http, "in_flight", stats->in_flight.value);
        api_document_add_u64(http, "connections_accepted", stats->connections_accepted.value);
        api_document_add_u64(http, "connections_refused", stats->connections_refused.value);
        api_document_add_u64(http, "requests", stats->requests.value);
        api_document_add_u64(http, "refusals", stats->refusals.value);
        api_document_add_u64(http, "timeouts", stats->timeouts.value);
        api_document_add_u64(http, "received_bytes", stats->received_bytes.value);
        api_document_add_u64(http, "sent_bytes", stats->sent_bytes.value);
    }
    return http;
}

void api_stats_answer(struct exchange *x)
{
    const struct node *node = x->api->node;
    struct node_status status;
    node_status(node, &status);
    ASSERT(status.peer_count <= MEMBERS_MAX);
    struct json_object *page = json_object_new_object();
    add_identity(page, x->api, &status);
    add_state(page, &status);
    api_document_add(page, "raft", raft_part(&status));
    api_document_add(page, "repair", repair_part(&status));
    api_document_add(page, "store", store_part(node));
    api_document_add(page, "idempotency", idempotency_part(&status));
    api_document_add(page, "history", history_part(node));
    api_document_add(page, "watch", watch_part(x->api));
    api_document_add(page, "wal", wal_part(node));
    api_document_add(page, "http", http_part(x->api->http_stats));
    api_document_add(page, "peers", peers_part(&status));
    api_exchange_respond_json(x, 200, page, true);
}

void api_metrics_answer(struct exchange *x)
{
    struct writer text = {0};
    metrics_render(x->api->options.metrics, &text);
    api_exchange_field_text(x, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    api_exchange_field_text(x, "Cache-Control", "no-store");
    api_exchange_respond(x, 200, NULL, writer_slice(&text));
    writer_deinit(&text);
}
