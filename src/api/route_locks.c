/*
 * /locks/NAME: locks and semaphores, held with a token that only grows (docs/api.md, section 6).
 * The methods LOCK and UNLOCK are those of Terraform's http backend, with its conventions.
 */
#include <json-c/json_tokener.h>
#include <string.h>

#include "api/lock_int.h"
#include "base/assert.h"

#define TTL_MS_DEFAULT 15000u

/* ---- before the body ---- */

static unsigned parameters_of(const struct exchange *x, enum txn_lock_kind kind)
{
    switch ((int)x->method) {
    case HTTP_METHOD_POST:
        return SYSTEM_TTL | SYSTEM_WAIT | (kind == TXN_LOCK_PLAIN ? SYSTEM_HOLDERS : 0);
    case HTTP_METHOD_LOCK:
        return SYSTEM_TTL | SYSTEM_WAIT | SYSTEM_HOLDERS;
    case HTTP_METHOD_PUT:
        return SYSTEM_TTL;
    case HTTP_METHOD_DELETE:
        return SYSTEM_FORCE;
    case HTTP_METHOD_UNLOCK:
        return 0;
    default:
        return SYSTEM_READ;
    }
}

static err check_acquire(struct lock_call *lock, struct problem *problem)
{
    struct system_query *query = &lock->query;
    if (!query->has_ttl && !lock->is_terraform) {
        query->ttl_ms = TTL_MS_DEFAULT;
    }
    if (query->wait_ms > 0 && query->ttl_ms == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "who waits needs a ttl: should its client and this node go "
                               "meanwhile, nobody would give the lock back");
    }
    return OK;
}

static err take_fence(struct lock_call *lock, struct problem *problem)
{
    struct exchange *x = lock->x;
    struct slice text = http_header_find(x->request, SLICE_LITERAL("KV-Fence"));
    lock->has_fence = text.data != NULL;
    bool needs_one =
        x->method == HTTP_METHOD_PUT || (x->method == HTTP_METHOD_DELETE && !lock->query.is_forced);
    if (needs_one && !lock->has_fence) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "say by KV-Fence: NAME:TOKEN that it is yours, as the answer that "
            "gave it has it%s",
            x->method == HTTP_METHOD_DELETE ? "; ?force takes it from whoever has it" : "");
    }
    if (!lock->has_fence) {
        return OK;
    }
    err e = api_fence_parse(x, text, &lock->fence, problem);
    struct slice own = {lock->name.data + 1, lock->name.size - 1};
    if (e == OK &&
        !slice_equal((struct slice){lock->fence.name.data + 1, lock->fence.name.size - 1}, own)) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "KV-Fence is of another name than the path's");
    }
    return e;
}

err api_lock_prepare(struct exchange *x, enum txn_lock_kind kind, size_t suffix_size,
                     struct problem *problem)
{
    struct lock_call *lock = http_alloc(x->request, sizeof(*lock));
    struct slice path = http_path(x->request);
    size_t begin = x->route->path.size;
    struct slice raw = {path.data + begin, path.size - begin - suffix_size};
    *lock = (struct lock_call){.x = x, .kind = kind, .is_watch = suffix_size > 0};
    lock->is_terraform = x->method == HTTP_METHOD_LOCK || x->method == HTTP_METHOD_UNLOCK;
    x->op.lock = lock;
    err e = api_fence_decode_name(x, raw, kind, &lock->name, problem);
    if (e == OK) {
        e = api_system_query_parse(x, lock->is_watch ? 0 : parameters_of(x, kind), &lock->query,
                                   problem);
    }
    if (e == OK && api_method_is_unsafe(x->method)) {
        e = api_system_check_fields(x, true, problem);
    }
    if (e == OK && (x->method == HTTP_METHOD_POST || x->method == HTTP_METHOD_LOCK)) {
        return check_acquire(lock, problem);
    }
    return e == OK && api_method_is_unsafe(x->method) ? take_fence(lock, problem) : e;
}

err api_locks_prepare(struct exchange *x, struct problem *problem)
{
    return api_lock_prepare(x, TXN_LOCK_PLAIN, 0, problem);
}

/* ---- Terraform's UNLOCK ---- */

/* The text of the member "ID", which Terraform's lock info has; the caller frees. NULL: none. */
static struct json_object *id_of(struct slice text)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *document = NULL;
    struct json_object *id = NULL;
    if (text.size > 0 && text.size < INT32_MAX) {
        document = json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.size);
    }
    if (json_object_is_type(document, json_type_object) != 0 &&
        json_object_object_get_ex(document, "ID", &id) != 0) {
        id = json_object_get(id);
    }
    (void)json_object_put(document);
    json_tokener_free(tokener);
    return id;
}

/* It is the same document, or has the same ID. */
static bool is_same_owner(struct slice one, struct slice other)
{
    if (slice_equal(one, other)) {
        return true;
    }
    struct json_object *one_id = id_of(one);
    struct json_object *other_id = id_of(other);
    bool is_same = one_id != NULL && other_id != NULL && json_object_equal(one_id, other_id) != 0;
    (void)json_object_put(one_id);
    (void)json_object_put(other_id);
    return is_same;
}

static err find_holder(struct lock_call *lock, struct store_party *out_holder, bool *out_is_own)
{
    struct node_state state;
    struct slice body = api_system_body(lock->x->request);
    struct store_party first;
    err e = node_state_look(lock->x->api->node, &state);
    if (e == OK) {
        e = store_holder_next(state.store, lock->name, 0, &first);
    }
    if (e != OK) {
        return e;
    }
    *out_holder = first;
    *out_is_own = is_same_owner(first.party.owner, body);
    while (!*out_is_own) {
        e = store_holder_next(state.store, lock->name, out_holder->number, out_holder);
        if (e != OK) {
            *out_holder = first;
            return e == ERR_NOT_FOUND ? OK : e;
        }
        *out_is_own = is_same_owner(out_holder->party.owner, body);
    }
    return OK;
}

static void unlock_read_done(struct node_read *read, err e, struct store_record *record)
{
    struct lock_call *lock = CONTAINER_OF(read, struct lock_call, read);
    struct store_party holder;
    bool is_own = false;
    ASSERT(record == NULL);
    if (e == OK) {
        e = find_holder(lock, &holder, &is_own);
    }
    if (e == ERR_NOT_FOUND) { /* it is given back already */
        struct writer document = {0};
        writer_format(&document, "{\"released\":false}");
        api_system_respond(lock->x, 200, &document);
    } else if (e != OK) {
        api_system_refuse(lock->x, e);
    } else if (is_own) {
        api_lock_release(lock, holder.number);
    } else {
        const struct lock_holder other = {
            .token = holder.number,
            .content_type = holder.party.content_type,
            .text = holder.party.owner,
        };
        api_lock_respond_locked(lock, &other);
    }
}

/* An empty body: "terraform force-unlock". */
static void unlock(struct lock_call *lock)
{
    if (lock->has_fence) {
        api_lock_release(lock, lock->fence.token);
    } else if (api_system_body(lock->x->request).size == 0) {
        api_lock_release_by_force(lock);
    } else {
        lock->query.consistency = READ_LINEARIZABLE;
        api_lock_read(lock, unlock_read_done);
    }
}

/* ---- dispatch ---- */

void api_locks_answer(struct exchange *x)
{
    struct lock_call *lock = x->op.lock;
    switch ((int)x->method) {
    case HTTP_METHOD_POST:
    case HTTP_METHOD_LOCK:
        api_lock_acquire(lock);
        break;
    case HTTP_METHOD_PUT:
        api_lock_renew(lock);
        break;
    case HTTP_METHOD_DELETE:
        api_lock_delete(lock);
        break;
    case HTTP_METHOD_UNLOCK:
        unlock(lock);
        break;
    default:
        api_lock_show(lock);
        break;
    }
}
