/*
 * Lists that go on in a later turn, in the order of their coming: a few pieces a turn for all of
 * them together, or thousands of lists would hold up everything else.
 */
#include "api/list_int.h"
#include "base/assert.h"

#define PIECES_PER_TURN 4u

static struct key_list *first(struct api *api)
{
    return CONTAINER_OF(api->list_pieces.next, struct key_list, link);
}

static void due(struct env_timer *timer)
{
    struct api *api = CONTAINER_OF(timer, struct api, list_timer);
    for (unsigned i = 0; i < PIECES_PER_TURN && !list_is_empty(&api->list_pieces); i++) {
        struct key_list *list = first(api);
        list_remove(&list->link);
        list->piece(list);
    }
    if (!list_is_empty(&api->list_pieces)) {
        env_timer_start(&api->list_timer, 0, 0);
    }
}

void api_list_queue_init(struct api *api)
{
    list_init(&api->list_pieces);
    env_timer_init(api->options.env, &api->list_timer, due);
}

void api_list_queue_stop(struct api *api)
{
    while (!list_is_empty(&api->list_pieces)) {
        struct key_list *list = first(api);
        list_remove(&list->link);
        if (list->x != NULL) { /* a stream is closed by its connection */
            api_list_refuse(list, ERR_DRAINING, SLICE_EMPTY);
        }
    }
}

void api_list_queue_deinit(struct api *api)
{
    api_list_queue_stop(api);
    env_timer_deinit(&api->list_timer);
}

void api_list_later(struct key_list *list, void (*piece)(struct key_list *list))
{
    struct api *api = list->api;
    ASSERT(list_is_empty(&list->link));
    if (list_is_empty(&api->list_pieces)) {
        env_timer_start(&api->list_timer, 0, 0);
    }
    list->piece = piece;
    list_push_back(&api->list_pieces, &list->link);
}
