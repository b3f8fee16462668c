/*
 * /elections/NAME: who leads, of those who campaign (docs/api.md, section 6). A lock of its own
 * kind that one holds; the leader's body is what others read.
 */
#include <string.h>

#include "api/kv_int.h"
#include "api/lock_int.h"
#include "base/assert.h"

static const char watch_suffix[] = "/watch";

err api_elections_prepare(struct exchange *x, struct problem *problem)
{
    struct slice path = http_path(x->request);
    size_t size = sizeof(watch_suffix) - 1;
    size_t begin = x->route->path.size;
    bool is_watch = !api_method_is_unsafe(x->method) && path.size > begin + size &&
                    memcmp(path.data + path.size - size, watch_suffix, size) == 0;
    return api_lock_prepare(x, TXN_LOCK_ELECTION, is_watch ? size : 0, problem);
}

static err find_leader(struct lock_call *lock, struct store_party *out_leader)
{
    struct node_state state;
    err e = node_state_look(lock->x->api->node, &state);
    return e == OK ? store_holder_next(state.store, lock->name, 0, out_leader) : e;
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct lock_call *lock = CONTAINER_OF(read, struct lock_call, read);
    struct exchange *x = lock->x;
    struct store_party leader;
    ASSERT(record == NULL);
    if (e == OK) {
        e = find_leader(lock, &leader);
    }
    if (e == OK || e == ERR_NOT_FOUND) {
        x->given = read->consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
    }
    if (e == ERR_NOT_FOUND) {
        api_exchange_refuse(x, e, "nobody leads");
    } else if (e != OK) {
        api_system_refuse(x, e);
    } else {
        api_lock_add_fence(lock, leader.number);
        api_kv_add_common_fields(x);
        api_exchange_field(x, "Content-Type", api_lock_type_to_send(x, leader.party.content_type));
        api_exchange_respond(x, 200, NULL, leader.party.owner);
    }
}

void api_elections_answer(struct exchange *x)
{
    struct lock_call *lock = x->op.lock;
    switch ((int)x->method) {
    case HTTP_METHOD_POST:
        api_lock_acquire(lock);
        break;
    case HTTP_METHOD_PUT:
        api_lock_renew(lock);
        break;
    case HTTP_METHOD_DELETE:
        api_lock_delete(lock);
        break;
    default:
        if (lock->is_watch) {
            api_election_watch(lock);
        } else {
            api_lock_read(lock, read_done);
        }
        break;
    }
}
