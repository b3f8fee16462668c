#include "api/linger.h"

#include "api/api_int.h"
#include "base/assert.h"

/* Whoever stops others while it is visited takes them out of either list. */
static void visit_all(struct api *api, enum linger_reason reason)
{
    struct list visited;
    list_init(&visited);
    list_splice_back(&visited, &api->lingers.all);
    while (!list_is_empty(&visited)) {
        struct lingerer *linger = CONTAINER_OF(visited.next, struct lingerer, link);
        list_remove(&linger->link);
        list_push_back(&api->lingers.all, &linger->link);
        linger->visit(linger, reason);
    }
}

static void tick(struct env_timer *timer)
{
    struct api *api = CONTAINER_OF(timer, struct api, lingers.timer);
    struct node_status status;
    node_status(api->node, &status);
    visit_all(api, status.is_draining ? LINGER_DRAIN : LINGER_TICK);
}

void api_lingers_init(struct api *api)
{
    list_init(&api->lingers.all);
    env_timer_init(api->options.env, &api->lingers.timer, tick);
}

void api_lingers_deinit(struct api *api)
{
    ASSERT(api->lingers.count == 0);
    env_timer_deinit(&api->lingers.timer);
}

void api_lingers_end(struct api *api)
{
    api->is_ending = true;
    visit_all(api, LINGER_END);
}

err api_linger_start(struct api *api, struct lingerer *linger)
{
    struct lingers *lingers = &api->lingers;
    ASSERT(linger->visit != NULL && linger->link.next == NULL);
    if (lingers->count == LINGERS_MAX) {
        return ERR_OVERLOADED;
    }
    if (lingers->count == 0) {
        env_timer_start(&lingers->timer, LINGER_TICK_MS, LINGER_TICK_MS);
    }
    list_push_back(&lingers->all, &linger->link);
    lingers->count++;
    return OK;
}

void api_linger_stop(struct api *api, struct lingerer *linger)
{
    if (linger->link.next == NULL) {
        return;
    }
    ASSERT(api->lingers.count > 0);
    list_remove(&linger->link);
    linger->link = (struct list){NULL, NULL};
    api->lingers.count--;
    if (api->lingers.count == 0) {
        env_timer_stop(&api->lingers.timer);
    }
}
