/*
 * The chunks of one snapshot that are sent and not acknowledged, kept so that they can be sent once
 * more: the source cannot be read twice.
 *
 * W1  They are acked..sent - 1, without a gap.
 * W2  At most SNAPSHOT_WINDOW_CHUNKS, and at most SNAPSHOT_WINDOW_BYTES unless it is one alone.
 */
#ifndef NODE_SNAPSHOT_WINDOW_H
#define NODE_SNAPSHOT_WINDOW_H

#include "base/codec.h"

#define SNAPSHOT_WINDOW_CHUNKS 16u
#define SNAPSHOT_WINDOW_BYTES (1u << 20)

/* All zero: nothing was sent. */
struct snapshot_window {
    uint32_t sent;                              /* chunks, from 0 on */
    uint32_t acked;                             /* of them */
    struct writer kept[SNAPSHOT_WINDOW_CHUNKS]; /* frame payloads; chunk i is at i modulo this */
    size_t kept_bytes;
};

/* Forgets all of them; leaves it as at first. */
void snapshot_window_deinit(struct snapshot_window *window);

/* Whether one more may be sent (W2). */
bool snapshot_window_has_room(const struct snapshot_window *window);
/* Takes the payload of chunk number `sent`; it has room, and leaves an empty writer. */
void snapshot_window_push(struct snapshot_window *window, struct writer *payload);
/* The payload of a chunk that is kept. Borrowed until it is acknowledged. */
struct slice snapshot_window_chunk(const struct snapshot_window *window, uint32_t number);
/* `received` chunks are with the receiver, more than `acked` and at most `sent`: forgets them. */
void snapshot_window_ack(struct snapshot_window *window, uint32_t received);
/* Gives each chunk that is kept to `give`, in their order, until that fails; its error. */
MUST_USE err snapshot_window_repeat(const struct snapshot_window *window,
                                    err (*give)(void *ctx, struct slice payload), void *ctx);

#endif
