/* What a node says of itself for load balancers, orchestrators and clients' first look. */
#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/exchange.h"
#include "base/assert.h"
#include "base/limits.h"
#include "proto/txn.h"

#define ETCD_VERSION "3.4.0" /* what Patroni takes the path of the etcd API from */

static void respond_text(struct exchange *x, int status, struct slice text)
{
    api_exchange_field_text(x, "Content-Type", "text/plain; charset=utf-8");
    api_exchange_field_text(x, "Cache-Control", "no-store");
    if (status == 503) {
        api_exchange_field_text(x, "Retry-After", "1");
    }
    api_exchange_respond(x, status, NULL, text);
}

void api_version_answer(struct exchange *x)
{
    struct json_object *document = json_object_new_object();
    api_document_add_text(document, "version", x->api->options.version);
    api_document_add_text(document, "etcdserver", ETCD_VERSION);
    api_document_add_text(document, "etcdcluster", ETCD_VERSION);
    api_exchange_respond_json(x, 200, document, false);
}

/* What a client wants to know before it sends something; docs/limits.md has all of them. */
static struct json_object *new_limits(const struct api_options *options,
                                      const struct node_status *status)
{
    struct json_object *limits = json_object_new_object();
    api_document_add_u64(limits, "key_bytes_max", KEY_SIZE_MAX);
    api_document_add_u64(limits, "value_bytes_max", options->value_bytes_max);
    api_document_add_u64(limits, "txn_bytes_max", options->txn_bytes_max);
    api_document_add_u64(limits, "content_type_bytes_max", CONTENT_TYPE_SIZE_MAX);
    api_document_add_u64(limits, "idempotency_key_bytes_max", TXN_IDEMPOTENCY_KEY_SIZE_MAX);
    api_document_add_u64(limits, "lock_name_bytes_max", TXN_LOCK_NAME_SIZE_MAX);
    api_document_add_u64(limits, "ttl_ms_max", TXN_TTL_MS_MAX);
    api_document_add_u64(limits, "timeout_ms_max", PARAMS_TIMEOUT_MS_MAX);
    api_document_add_u64(limits, "timeout_ms", options->request_timeout_ms);
    api_document_add_u64(limits, "quota_bytes", status->quota_bytes);
    return limits;
}

void api_root_answer(struct exchange *x)
{
    static const char *const links[][2] = {
        {"key", "/kv/{key}"},
        {"keys", "/kv"},
        {"export", "/export"},
        {"stats", "/stats"},
        {"leader", "/leader"},
        {"follower", "/follower"},
        {"live", "/livez"},
        {"ready", "/readyz"},
        {"health", "/health"},
        {"version", "/version"},
        {"metrics", "/metrics"},
        {"members", "/admin/members"},
        {"snapshot", "/admin/snapshot"},
        {"problems", "/problems"},
        {"openapi", "/openapi.json"},
    };
    const struct api_options *options = &x->api->options;
    struct node_status status;
    node_status(x->api->node, &status);
    struct json_object *document = json_object_new_object();
    api_document_add_text(document, "name", "pontoon");
    api_document_add_text(document, "version", options->version);
    api_document_add_id(document, "cluster_id", status.cluster_id);
    api_document_add_u64(document, "node_id", status.id);
    api_document_add(document, "limits", new_limits(options, &status));
    struct json_object *link_object = json_object_new_object();
    for (size_t i = 0; i < ARRAY_COUNT(links); i++) {
        api_document_add_text(link_object, links[i][0], links[i][1]);
    }
    api_document_add(document, "links", link_object);
    api_exchange_field_text(x, "Link", "</openapi.json>; rel=\"service-desc\"");
    api_exchange_respond_json(x, 200, document, true);
}

/* ---- who leads ---- */

static void respond_leader(struct exchange *x, const struct node_status *status, bool is_asked_role)
{
    struct json_object *document = json_object_new_object();
    api_document_add_u64(document, "id", status->leader);
    if (status->leader != 0 && status->leader_client_address[0] != '\0') {
        char url[sizeof("http://") + ADDRESS_SIZE_MAX];
        (void)snprintf(url, sizeof(url), "http://%s", status->leader_client_address);
        api_document_add_text(document, "client_address", url);
    } else {
        api_document_add_null(document, "client_address");
    }
    api_exchange_respond_json(x, is_asked_role ? 200 : 503, document, false);
}

void api_leader_answer(struct exchange *x)
{
    struct node_status status;
    node_status(x->api->node, &status);
    respond_leader(x, &status, node_is_leader(x->api->node));
}

void api_follower_answer(struct exchange *x)
{
    struct node_status status;
    node_status(x->api->node, &status);
    respond_leader(x, &status, status.role == NODE_FOLLOWER && status.leader != 0);
}

void api_health_answer(struct exchange *x)
{
    struct node_status status;
    node_status(x->api->node, &status);
    struct json_object *document = json_object_new_object();
    bool is_healthy = status.has_quorum && status.is_trusted;
    api_document_add_text(document, "health", is_healthy ? "true" : "false");
    if (status.is_repairing) {
        const char *why_not;
        (void)node_is_ready(x->api->node, &why_not);
        api_document_add_text(document, "reason", why_not);
    }
    api_exchange_respond_json(x, is_healthy ? 200 : 503, document, false);
}

/* ---- probes ---- */

void api_livez_answer(struct exchange *x)
{
    respond_text(x, 200, SLICE_LITERAL("ok\n"));
}

static const char *const check_names[CHECK_COUNT] = {"leader", "draining", "state", "applied"};

/* Whether each check passes. The last one is what is left of node_is_ready once the others pass. */
static void run_checks(const struct node *node, bool passes[CHECK_COUNT], const char **out_why_not)
{
    struct node_status status;
    node_status(node, &status);
    *out_why_not = "";
    bool is_ready = node_is_ready(node, out_why_not);
    passes[CHECK_LEADER] = is_ready || status.has_quorum;
    passes[CHECK_DRAINING] = is_ready || !status.is_draining;
    passes[CHECK_STATE] = is_ready || status.is_trusted;
    bool is_left_over = passes[CHECK_LEADER] && passes[CHECK_DRAINING] && passes[CHECK_STATE];
    passes[CHECK_APPLIED] =
        is_ready || (!is_left_over && status.applied_index == status.commit_index);
}

/* Marks the check called `name` as excluded; false: there is none. */
static bool exclude(struct probe_query *probe, struct slice name)
{
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (slice_equal(name, slice_from_text(check_names[i]))) {
            probe->excludes[i] = true;
            return true;
        }
    }
    return false;
}

err api_readyz_prepare(struct exchange *x, struct problem *problem)
{
    struct slice text = http_query(x->request);
    struct http_query query = http_query_of(text, http_alloc(x->request, text.size));
    struct http_parameter parameter;
    while (http_query_next(&query, &parameter)) {
        if (slice_equal(parameter.name, SLICE_LITERAL("verbose"))) {
            x->probe.is_verbose = true;
        } else if (slice_equal(parameter.name, SLICE_LITERAL("exclude")) &&
                   !exclude(&x->probe, parameter.value)) {
            problem->parameter = parameter.name;
            return api_problem_set(
                problem, ERR_BAD_REQUEST,
                "?exclude names one of the checks leader, draining, state and applied");
        }
    }
    return OK;
}

void api_readyz_answer(struct exchange *x)
{
    const char *why_not;
    bool passes[CHECK_COUNT];
    run_checks(x->api->node, passes, &why_not);
    struct writer text = {0};
    bool is_ready = true;
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (x->probe.excludes[i]) {
            writer_format(&text, "[+]%s excluded: ok\n", check_names[i]);
        } else if (passes[i]) {
            writer_format(&text, "[+]%s ok\n", check_names[i]);
        } else {
            is_ready = false;
            writer_format(&text, "[-]%s failed: %s\n", check_names[i], why_not);
        }
    }
    writer_format(&text, "readyz check %s\n", is_ready ? "passed" : "failed");
    if (is_ready && !x->probe.is_verbose) {
        respond_text(x, 200, SLICE_LITERAL("ok\n"));
    } else {
        respond_text(x, is_ready ? 200 : 503, writer_slice(&text));
    }
    writer_deinit(&text);
}
