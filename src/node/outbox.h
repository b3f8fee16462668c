/*
 * The raft messages of one turn, gathered by peer and region: one frame each when the turn ends.
 */
#ifndef NODE_OUTBOX_H
#define NODE_OUTBOX_H

#include "net/net.h"
#include "proto/message.h"

struct outbox_batch {
    node_id peer;
    region_id region;
    struct writer messages; /* encoded, one after the other */
};

/* All zero is an empty one. */
struct outbox {
    struct outbox_batch *batches; /* kept with their memory from turn to turn */
    uint32_t count;
    uint32_t capacity;
};

/* Adds `message` (encoded at once, nothing of it is kept). */
void outbox_add(struct outbox *outbox, region_id region, const struct message *message);
/*
 * Sends everything; `net` may be NULL, for a node that is alone. Calls `failed` for each batch that
 * a peer's connection did not take.
 */
void outbox_flush(struct outbox *outbox, struct net *net,
                  void (*failed)(void *ctx, node_id peer, region_id region), void *ctx);
void outbox_deinit(struct outbox *outbox);

#endif
