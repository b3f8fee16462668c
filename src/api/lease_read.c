/* What leases there are, what is left of one, and which keys are on it. */
#include <inttypes.h>
#include <string.h>

#include "api/lease_int.h"
#include "base/assert.h"
#include "node/notices.h"
#include "proto/text.h"
#include "store/system_read.h"

static void write_lease(struct writer *out, uint64_t id, const struct system_lease *found,
                        uint64_t elapsed_ms)
{
    /* It is there as long as it is not removed, be its time over. */
    uint64_t left_ms = found->due_ms > elapsed_ms ? found->due_ms - elapsed_ms : 0;
    writer_format(out, "{\"id\":");
    api_lease_write_id(out, id);
    writer_format(out, ",\"ttl\":");
    api_system_write_seconds(out, found->ttl_ms);
    writer_format(out, ",\"remaining\":");
    api_system_write_seconds(out, left_ms);
}

static uint64_t limit_of(const struct lease_call *lease)
{
    return lease->query.limit != 0 ? lease->query.limit : SYSTEM_ROWS_DEFAULT;
}

/* ---- one ---- */

/* The keys on it, and where they go on if there are more than are wanted. */
static err write_keys(struct lease_call *lease, struct store *store, struct writer *out)
{
    struct system_key key = {.size = lease->query.after.size};
    uint64_t limit = limit_of(lease);
    memcpy(key.bytes, lease->query.after.data != NULL ? lease->query.after.data : key.bytes,
           key.size);
    struct system_key last = key;
    uint64_t count = 0;
    err e;
    writer_format(out, ",\"keys\":[");
    while ((e = store_leased_next(store, lease->id, &key)) == OK && count < limit) {
        writer_format(out, count == 0 ? "{" : ",{");
        api_text_json_member(out, "key", system_key_slice(&key));
        writer_u8(out, '}');
        last = key;
        count++;
    }
    writer_u8(out, ']');
    if (e == OK) {
        struct writer next = {0};
        writer_format(&next, "/leases/%016" PRIx64 "?keys&limit=%" PRIu64 "&after=", lease->id,
                      limit);
        text_escape(system_key_slice(&last), &next);
        writer_format(out, ",\"next\":");
        api_text_json(out, writer_slice(&next));
        writer_deinit(&next);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

static err write_one(struct lease_call *lease, const struct node_state *state, struct writer *out)
{
    struct system_lease found;
    err e = store_lease_get(state->store, lease->id, &found);
    if (e != OK) {
        return e == ERR_NOT_FOUND ? ERR_LEASE_NOT_FOUND : e;
    }
    write_lease(out, lease->id, &found, state->elapsed_ms);
    if (lease->query.wants_keys) {
        e = write_keys(lease, state->store, out);
    }
    writer_u8(out, '}');
    return e;
}

/* ---- all ---- */

static err write_all(struct lease_call *lease, const struct node_state *state, struct writer *out)
{
    struct system_lease found;
    uint64_t limit = limit_of(lease);
    uint64_t id = lease->query.id; /* of `after` */
    uint64_t last = id;
    uint64_t count = 0;
    err e;
    writer_format(out, "{\"leases\":[");
    while ((e = store_lease_next(state->store, &id, &found)) == OK && count < limit) {
        writer_format(out, count == 0 ? "" : ",");
        write_lease(out, id, &found, state->elapsed_ms);
        writer_u8(out, '}');
        last = id;
        count++;
    }
    writer_u8(out, ']');
    if (e == OK) {
        writer_format(out, ",\"next\":\"/leases?limit=%" PRIu64 "&after=%016" PRIx64 "\"", limit,
                      last);
    }
    writer_u8(out, '}');
    return e == ERR_NOT_FOUND ? OK : e;
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct lease_call *lease = CONTAINER_OF(read, struct lease_call, read);
    struct exchange *x = lease->x;
    struct writer document = {0};
    struct node_state state;
    ASSERT(record == NULL);
    if (e == OK) {
        e = node_state_look(x->api->node, &state);
    }
    if (e == OK) {
        e = lease->id != 0 ? write_one(lease, &state, &document)
                           : write_all(lease, &state, &document);
    }
    if (e == OK) {
        x->given = read->consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
        api_system_respond(x, 200, &document);
        return;
    }
    writer_deinit(&document);
    api_system_refuse(x, e);
}

void api_lease_read(struct lease_call *lease)
{
    struct exchange *x = lease->x;
    const struct api_options *options = &x->api->options;
    struct problem problem = {.e = OK};
    if (lease->id == 0 && lease->query.after.size > 0 &&
        api_lease_parse(lease->query.after, &lease->query.id, &problem) != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    lease->read = (struct node_read){
        .is_scan = true,
        .consistency = lease->query.consistency,
        .revision_min = lease->query.min_revision,
        .deadline_ms = env_now_ms(options->env) + lease->query.timeout_ms,
        .received_ns = http_started_ns(x->request),
        .done = read_done,
    };
    node_read(x->api->node, &lease->read);
}
