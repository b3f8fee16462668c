/*
 * /leases: a time that keys, and who holds locks, have in common (docs/api.md, section 5). Making,
 * keeping and ending one is a command in the log: so whoever answers a renewal leads.
 */
#include <inttypes.h>
#include <string.h>

#include "api/lease_int.h"
#include "base/assert.h"

#define HOLD_TTL_MS_MIN 1000u /* it is renewed every third of that */

/* ---- before the body ---- */

/* "ID", or "ID/keepalive". */
static err parse_path(struct lease_call *lease, struct problem *problem)
{
    static const char keepalive[] = "/keepalive";
    struct slice path = http_path(lease->x->request);
    size_t begin = sizeof("/leases") - 1;
    if (path.size <= begin + 1) {
        return OK;
    }
    struct slice id = {path.data + begin + 1, path.size - begin - 1};
    size_t end_size = sizeof(keepalive) - 1;
    if (id.size > end_size && memcmp(id.data + id.size - end_size, keepalive, end_size) == 0) {
        lease->is_keepalive = true;
        id.size -= end_size;
    }
    return api_lease_parse(id, &lease->id, problem);
}

static unsigned parameters_of(const struct lease_call *lease)
{
    if (!api_method_is_unsafe(lease->x->method)) {
        return SYSTEM_READ | SYSTEM_ROWS | SYSTEM_AFTER | (lease->id != 0 ? SYSTEM_KEYS : 0);
    }
    bool makes_one = lease->x->method == HTTP_METHOD_POST && lease->id == 0;
    return makes_one ? SYSTEM_TTL | SYSTEM_ID | SYSTEM_HOLD : 0;
}

static err check_path(const struct lease_call *lease, struct problem *problem)
{
    bool is_post = lease->x->method == HTTP_METHOD_POST;
    if (lease->is_keepalive != (is_post && lease->id != 0)) {
        return api_problem_set(problem, is_post ? ERR_NOT_FOUND : ERR_METHOD_NOT_ALLOWED,
                               "POST /leases makes a lease, POST /leases/ID/keepalive renews it, "
                               "GET and DELETE are of /leases/ID");
    }
    return OK;
}

static err check_ttl(const struct lease_call *lease, struct problem *problem)
{
    const struct system_query *query = &lease->query;
    if (!query->has_ttl || query->ttl_ms == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a lease has a ttl, such as POST /leases?ttl=10s");
    }
    if (query->holds && query->ttl_ms < HOLD_TTL_MS_MIN) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the ttl of a lease that is held by a connection is at least %ums",
                               HOLD_TTL_MS_MIN);
    }
    if (query->holds && http_header(lease->x->request, "idempotency-key").data != NULL) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "hold and Idempotency-Key exclude each other: a stream cannot be "
                               "answered again");
    }
    return OK;
}

err api_leases_prepare(struct exchange *x, struct problem *problem)
{
    struct lease_call *lease = http_alloc(x->request, sizeof(*lease));
    *lease = (struct lease_call){.x = x};
    x->op.lease = lease;
    err e = parse_path(lease, problem);
    if (e == OK) {
        e = check_path(lease, problem);
    }
    if (e == OK) {
        e = api_system_query_parse(x, parameters_of(lease), &lease->query, problem);
    }
    if (e == OK && api_method_is_unsafe(x->method)) {
        e = api_system_check_fields(x, false, problem);
    }
    if (e == OK && x->method == HTTP_METHOD_POST && lease->id == 0) {
        e = check_ttl(lease, problem);
    }
    return e;
}

/* ---- what there is to write ---- */

uint64_t api_lease_new_id(struct api *api)
{
    uint64_t id = 0;
    while (id == 0) {
        id = env_random(api->options.env);
    }
    return id;
}

void api_lease_write_id(struct writer *out, uint64_t id)
{
    char text[LEASE_TEXT_SIZE];
    api_text_hex64(text, id);
    writer_format(out, "\"%.*s\"", (int)LEASE_TEXT_SIZE, text);
}

static void respond_lease(struct exchange *x, int status, const struct txn_result *op)
{
    struct writer document = {0};
    bool is_new = op->type == TXN_LEASE_GRANT;
    writer_format(&document, "{\"id\":");
    api_lease_write_id(&document, op->lease);
    writer_format(&document, ",\"ttl\":");
    api_system_write_seconds(&document, op->ttl_ms);
    writer_u8(&document, '}');
    if (is_new) {
        static const char path[] = "/leases/";
        char *location = api_exchange_text(x, sizeof(path) - 1 + LEASE_TEXT_SIZE);
        memcpy(location, path, sizeof(path) - 1);
        api_text_hex64(location + sizeof(path) - 1, op->lease);
        api_exchange_field(
            x, "Location",
            (struct slice){(const uint8_t *)location, sizeof(path) - 1 + LEASE_TEXT_SIZE});
    }
    api_system_respond(x, status, &document);
}

static void respond_end(struct exchange *x, const struct command_result *result,
                        const struct txn_result *op)
{
    struct writer document = {0};
    writer_format(&document, "{\"deleted\":%" PRIu64 ",\"revision\":%" PRIu64 "}", op->number,
                  result->revision);
    api_system_respond(x, 200, &document);
}

static void call_done(struct system_call *call, const struct command_result *result,
                      const struct txn_result *op)
{
    struct lease_call *lease = CONTAINER_OF(call, struct lease_call, call);
    struct exchange *x = lease->x;
    api_system_take_result(x, result);
    if (result->e != OK) {
        api_lease_hold_free(lease->hold);
    }
    if (result->e == ERR_CONFLICT) {
        api_exchange_refuse(x, ERR_CONFLICT,
                            "there is a lease with this id: take another, or leave ?id out");
    } else if (result->e != OK) {
        api_system_refuse(x, result->e);
    } else if (op->type == TXN_LEASE_REVOKE) {
        respond_end(x, result, op);
    } else if (lease->query.holds) {
        api_lease_hold(lease->hold, x, op->lease, op->ttl_ms);
    } else {
        respond_lease(x, op->type == TXN_LEASE_GRANT ? 201 : 200, op);
    }
}

void api_leases_answer(struct exchange *x)
{
    struct lease_call *lease = x->op.lease;
    if (!api_method_is_unsafe(x->method)) {
        api_lease_read(lease);
        return;
    }
    if (lease->query.holds) {
        lease->hold = api_lease_hold_new(x->api);
        if (lease->hold == NULL) {
            api_exchange_refuse(x, ERR_OVERLOADED,
                                "as many streams and waiting requests are open as may be");
            return;
        }
    }
    struct txn_op op = {.type = TXN_LEASE_REVOKE, .lease = lease->id};
    if (lease->is_keepalive) {
        op.type = TXN_LEASE_KEEP;
    } else if (lease->id == 0) {
        op.type = TXN_LEASE_GRANT;
        op.lease = lease->query.id != 0 ? lease->query.id : api_lease_new_id(x->api);
        op.ttl_ms = lease->query.ttl_ms;
    }
    lease->call = (struct system_call){
        .api = x->api,
        .deadline_ms = env_now_ms(x->api->options.env) + lease->query.timeout_ms,
        .is_repeatable = lease->is_keepalive,
        .done = call_done,
    };
    api_system_take_key(x, SLICE_EMPTY, &lease->call);
    api_system_call(&lease->call, &op);
}
