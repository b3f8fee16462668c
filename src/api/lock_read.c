/* Who holds a lock and how many wait; and the answers that tell of a holder. */
#include <inttypes.h>
#include <string.h>

#include "api/kv_int.h"
#include "api/lease_int.h"
#include "api/lock_int.h"
#include "base/assert.h"

#define SHOWN_MAX 100u /* holders of a semaphore */

/* ---- answers ---- */

void api_lock_add_fence(struct lock_call *lock, uint64_t token)
{
    struct writer text = {0};
    api_fence_write(lock->name, token, &text);
    uint8_t *copy = http_alloc(lock->x->request, text.size);
    memcpy(copy, text.data, text.size);
    api_exchange_field(lock->x, "KV-Fence", (struct slice){copy, text.size});
    writer_deinit(&text);
}

static void write_time(struct writer *out, uint64_t lease, uint64_t ttl_ms)
{
    writer_format(out, ",\"lease\":");
    if (lease == 0) {
        writer_format(out, "null,\"ttl\":null");
        return;
    }
    api_lease_write_id(out, lease);
    writer_format(out, ",\"ttl\":");
    api_system_write_seconds(out, ttl_ms);
}

void api_lock_respond_held(struct lock_call *lock, uint64_t token, uint64_t lease, uint64_t ttl_ms)
{
    struct writer document = {0};
    api_lock_add_fence(lock, token);
    writer_format(&document, "{\"token\":%" PRIu64, token);
    write_time(&document, lease, ttl_ms);
    writer_u8(&document, '}');
    api_system_respond(lock->x, 200, &document);
}

struct slice api_lock_type_to_send(struct exchange *x, struct slice content_type)
{
    if (content_type.size == 0 || !api_kv_is_field_text(content_type)) {
        return SLICE_LITERAL("application/octet-stream");
    }
    uint8_t *copy = http_alloc(x->request, content_type.size);
    memcpy(copy, content_type.data, content_type.size);
    return (struct slice){copy, content_type.size};
}

/* Terraform reads the holder's own document, and nothing else. */
static void respond_holder(struct lock_call *lock, const struct lock_holder *holder)
{
    struct exchange *x = lock->x;
    bool has_type = holder->content_type.size > 0;
    api_exchange_field(x, "Content-Type",
                       has_type ? api_lock_type_to_send(x, holder->content_type)
                                : SLICE_LITERAL("application/json"));
    api_exchange_add_lines(x, SLICE_LITERAL("Retry-After: 1\r\n"
                                            "Cache-Control: no-store\r\n"
                                            "X-Content-Type-Options: nosniff\r\n"
                                            "Content-Security-Policy: sandbox\r\n"));
    api_exchange_add_lines(x, api_standing_lines(x->api, x->given, false));
    api_exchange_respond(x, err_http_status(ERR_LOCKED), NULL, holder->text);
}

void api_lock_respond_locked(struct lock_call *lock, const struct lock_holder *holder)
{
    struct problem problem = {.e = OK, .holder = holder->text};
    const char *what = lock->kind == TXN_LOCK_ELECTION ? "another one leads" : "another one has it";
    struct writer time = {0};
    err e;
    if (lock->is_terraform && holder->text.size > 0) {
        respond_holder(lock, holder);
        return;
    }
    if (holder->ttl_ms != 0) {
        writer_format(&time, ", for ");
        api_system_write_seconds(&time, holder->ttl_ms);
        writer_format(&time, " s unless it is renewed");
    }
    if (holder->token != 0) {
        e = api_problem_set(&problem, ERR_LOCKED, "%s, with the token %" PRIu64 "%.*s", what,
                            holder->token, SLICE_ARGS(writer_slice(&time)));
    } else {
        e = api_problem_set(&problem, ERR_LOCKED, "%s, or others wait for it before this one",
                            what);
    }
    ASSERT(e == ERR_LOCKED);
    writer_deinit(&time);
    api_exchange_respond_problem(lock->x, &problem);
}

/* ---- reading ---- */

void api_lock_read(struct lock_call *lock,
                   void (*done)(struct node_read *read, err e, struct store_record *record))
{
    struct exchange *x = lock->x;
    lock->read = (struct node_read){
        .key = lock->name,
        .is_scan = true,
        .consistency = lock->query.consistency,
        .revision_min = lock->query.min_revision,
        .deadline_ms = env_now_ms(x->api->options.env) + lock->query.timeout_ms,
        .received_ns = http_started_ns(x->request),
        .done = done,
    };
    node_read(x->api->node, &lock->read);
}

static void write_holder(struct writer *out, const struct node_state *state,
                         const struct store_party *holder)
{
    struct system_lease lease;
    const struct system_party *party = &holder->party;
    bool has_lease = party->lease != 0 && store_lease_get(state->store, party->lease, &lease) == OK;
    writer_format(out, "{\"token\":%" PRIu64, holder->number);
    write_time(out, party->lease, has_lease ? lease.ttl_ms : party->ttl_ms);
    if (has_lease) {
        uint64_t now_ms = state->elapsed_ms;
        writer_format(out, ",\"remaining\":");
        api_system_write_seconds(out, lease.due_ms > now_ms ? lease.due_ms - now_ms : 0);
    }
    if (party->content_type.size > 0) {
        writer_u8(out, ',');
        api_text_json_member(out, "content_type", party->content_type);
    }
    writer_u8(out, ',');
    api_text_json_member(out, "owner", party->owner);
    writer_u8(out, '}');
}

/* `"token"` and so on of the first holder stand in the document itself, too. */
static err write_lock(struct lock_call *lock, const struct node_state *state, struct writer *out)
{
    struct system_lock found;
    struct store_party holder;
    struct slice name = {lock->name.data + 1, lock->name.size - 1};
    err e = store_lock_get(state->store, lock->name, &found);
    if (e != OK) {
        return e;
    }
    writer_u8(out, '{');
    api_text_json_member(out, "name", name);
    writer_format(out, ",\"limit\":%u,\"held\":%u,\"waiting\":%u,\"holders\":[", found.limit,
                  found.holders, found.waiters);
    uint64_t first = 0;
    unsigned count = 0;
    e = store_holder_next(state->store, lock->name, 0, &holder);
    while (e == OK && count < SHOWN_MAX) {
        writer_format(out, count == 0 ? "" : ",");
        write_holder(out, state, &holder);
        first = first == 0 ? holder.number : first;
        count++;
        e = store_holder_next(state->store, lock->name, holder.number, &holder);
    }
    writer_u8(out, ']');
    if (first != 0) {
        writer_format(out, ",\"token\":%" PRIu64, first);
    }
    writer_u8(out, '}');
    return e == ERR_NOT_FOUND ? OK : e;
}

static void show_done(struct node_read *read, err e, struct store_record *record)
{
    struct lock_call *lock = CONTAINER_OF(read, struct lock_call, read);
    struct exchange *x = lock->x;
    struct writer document = {0};
    struct node_state state;
    ASSERT(record == NULL);
    if (e == OK) {
        e = node_state_look(x->api->node, &state);
    }
    if (e == OK) {
        e = write_lock(lock, &state, &document);
    }
    if (e == OK || e == ERR_NOT_FOUND) {
        x->given = read->consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
    }
    if (e == OK) {
        api_system_respond(x, 200, &document);
        return;
    }
    writer_deinit(&document);
    if (e == ERR_NOT_FOUND) {
        api_exchange_refuse(x, e, "nobody holds this lock, and nobody waits for it");
    } else {
        api_system_refuse(x, e);
    }
}

void api_lock_show(struct lock_call *lock)
{
    api_lock_read(lock, show_done);
}
