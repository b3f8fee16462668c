#include "node/outbox.h"

#include "base/assert.h"
#include "base/mem.h"

/* A frame is closed past this size, so that a peer can begin with the first before the last is
 * sent. */
#define BATCH_SIZE_FULL (1u << 20)
/* A batch's memory above this is given back after the turn. */
#define BATCH_MEMORY_KEPT (256u << 10)

static struct outbox_batch *open_batch(struct outbox *outbox, node_id peer, region_id region)
{
    for (uint32_t i = outbox->count; i > 0; i--) {
        struct outbox_batch *batch = &outbox->batches[i - 1];
        if (batch->peer == peer && batch->region == region) {
            if (batch->messages.size < BATCH_SIZE_FULL) {
                return batch;
            }
            break;
        }
    }
    if (outbox->count == outbox->capacity) {
        uint32_t capacity = outbox->capacity == 0 ? 8 : outbox->capacity * 2;
        outbox->batches = mem_realloc(outbox->batches, capacity, sizeof(*outbox->batches));
        for (uint32_t i = outbox->capacity; i < capacity; i++) {
            outbox->batches[i] = (struct outbox_batch){0};
        }
        outbox->capacity = capacity;
    }
    struct outbox_batch *batch = &outbox->batches[outbox->count];
    outbox->count++;
    batch->peer = peer;
    batch->region = region;
    ASSERT(batch->messages.size == 0);
    return batch;
}

void outbox_add(struct outbox *outbox, region_id region, const struct message *message)
{
    ASSERT(message->to != 0);
    /* The one message that names its subject as its sender: the leader may be asked to stay. */
    ASSERT(message->to != message->from || message->type == MSG_TRANSFER_LEADER);
    message_encode(message, &open_batch(outbox, message->to, region)->messages);
}

void outbox_flush(struct outbox *outbox, struct net *net,
                  void (*failed)(void *ctx, node_id peer, region_id region), void *ctx)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        struct outbox_batch *batch = &outbox->batches[i];
        err e = ERR_UNAVAILABLE;
        if (net != NULL) {
            e = net_send(net, batch->peer, FRAME_RAFT, batch->region,
                         writer_slice(&batch->messages));
        }
        if (e != OK) {
            failed(ctx, batch->peer, batch->region);
        }
        if (batch->messages.capacity > BATCH_MEMORY_KEPT) {
            writer_deinit(&batch->messages);
            batch->messages = (struct writer){0};
        } else {
            writer_reset(&batch->messages);
        }
    }
    outbox->count = 0;
}

void outbox_deinit(struct outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->capacity; i++) {
        writer_deinit(&outbox->batches[i].messages);
    }
    mem_free(outbox->batches);
    *outbox = (struct outbox){0};
}
