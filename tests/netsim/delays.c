#include "delays.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static bool is_before(const struct delays_packet *a, const struct delays_packet *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

bool delays_add(struct delays *delays, uint64_t due_ns, unsigned port, const uint8_t *data,
                size_t size)
{
    ASSERT(size <= PACKET_SIZE_MAX);
    if (delays->count == DELAYS_COUNT_MAX) {
        return false;
    }
    struct delays_packet *packet = mem_alloc(sizeof(*packet));
    packet->due_ns = due_ns;
    packet->sequence = ++delays->sequence;
    packet->port = port;
    packet->size = size;
    memcpy(packet->data, data, size);
    size_t place = delays->count++;
    while (place > 0 && is_before(packet, delays->packets[(place - 1) / 2])) {
        delays->packets[place] = delays->packets[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    delays->packets[place] = packet;
    return true;
}

uint64_t delays_next_ns(const struct delays *delays)
{
    return delays->count > 0 ? delays->packets[0]->due_ns : UINT64_MAX;
}

struct delays_packet *delays_take(struct delays *delays, uint64_t now_ns)
{
    if (delays_next_ns(delays) > now_ns || delays->count == 0) {
        return NULL;
    }
    struct delays_packet *taken = delays->packets[0];
    struct delays_packet *last = delays->packets[--delays->count];
    size_t place = 0;
    for (size_t child = 1; child < delays->count; child = 2 * place + 1) {
        if (child + 1 < delays->count &&
            is_before(delays->packets[child + 1], delays->packets[child])) {
            child++;
        }
        if (!is_before(delays->packets[child], last)) {
            break;
        }
        delays->packets[place] = delays->packets[child];
        place = child;
    }
    delays->packets[place] = last;
    return taken;
}

void delays_deinit(struct delays *delays)
{
    while (delays->count > 0) {
        mem_free(delays->packets[--delays->count]);
    }
}
