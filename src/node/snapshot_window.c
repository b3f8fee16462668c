#include "node/snapshot_window.h"

#include "base/assert.h"

static const struct writer *place_of(const struct snapshot_window *window, uint32_t number)
{
    return &window->kept[number % SNAPSHOT_WINDOW_CHUNKS];
}

void snapshot_window_deinit(struct snapshot_window *window)
{
    for (uint32_t i = 0; i < SNAPSHOT_WINDOW_CHUNKS; i++) {
        writer_deinit(&window->kept[i]);
    }
    *window = (struct snapshot_window){.sent = 0};
}

bool snapshot_window_has_room(const struct snapshot_window *window)
{
    return window->sent - window->acked < SNAPSHOT_WINDOW_CHUNKS &&
           window->kept_bytes < SNAPSHOT_WINDOW_BYTES;
}

void snapshot_window_push(struct snapshot_window *window, struct writer *payload)
{
    ASSERT(snapshot_window_has_room(window));
    struct writer *place = &window->kept[window->sent % SNAPSHOT_WINDOW_CHUNKS];
    ASSERT(place->data == NULL);
    *place = *payload;
    *payload = (struct writer){0};
    window->kept_bytes += place->size;
    window->sent++;
}

struct slice snapshot_window_chunk(const struct snapshot_window *window, uint32_t number)
{
    ASSERT(number >= window->acked);
    ASSERT(number < window->sent);
    return writer_slice(place_of(window, number));
}

void snapshot_window_ack(struct snapshot_window *window, uint32_t received)
{
    ASSERT(received > window->acked);
    ASSERT(received <= window->sent);
    while (window->acked < received) {
        struct writer *place = &window->kept[window->acked % SNAPSHOT_WINDOW_CHUNKS];
        window->kept_bytes -= place->size;
        writer_deinit(place);
        *place = (struct writer){0};
        window->acked++;
    }
}

err snapshot_window_repeat(const struct snapshot_window *window,
                           err (*give)(void *ctx, struct slice payload), void *ctx)
{
    err e = OK;
    for (uint32_t i = window->acked; i < window->sent && e == OK; i++) {
        e = give(ctx, snapshot_window_chunk(window, i));
    }
    return e;
}
