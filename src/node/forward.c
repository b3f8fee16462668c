/*
 * Writes that travel: a node that does not lead hands them to the one that does, over the peer
 * connection, and passes the answer on. Payloads: proto/frame.h.
 *
 * F1  A forwarded write has a number that no earlier life of this node can have used (writes.h).
 * F2  The leader gets a little less time than the client gave: its definite answer should arrive
 *     before the forwarder has to say "unknown".
 * F3  The answer comes over the leader's own connection to the forwarder. Without it nothing is
 *     sent; at its end, as at the end of the other one, what was sent has an unknown outcome.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"

#define FORWARD_HEADER_SIZE 12u
#define MARGIN_MS_MAX 500u

/* A write that came from a peer, proposed here on its behalf. */
struct forwarded {
    struct node_write write;
    struct node *node;
    region_id region;
    node_id from;
    uint64_t id;
};

bool forward_send(struct node *node, region_id region, struct node_write *write, node_id leader)
{
    uint64_t now_ms = env_now_ms(node->env);
    uint64_t left_ms = write->deadline_ms > now_ms ? write->deadline_ms - now_ms : 1;
    uint64_t margin_ms = left_ms / 8 < MARGIN_MS_MAX ? left_ms / 8 : MARGIN_MS_MAX; /* F2 */
    left_ms -= margin_ms;
    writer_reset(&node->scratch);
    writer_u64(&node->scratch, write->forward_id);
    writer_u32(&node->scratch, left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms);
    writer_bytes(&node->scratch, buf_slice(write->command));
    return net_send(node->net, leader, FRAME_WRITE, region, writer_slice(&node->scratch)) == OK;
}

static void answer(struct node *node, node_id to, region_id region, uint64_t id,
                   const struct command_result *result)
{
    writer_reset(&node->scratch);
    writer_u64(&node->scratch, id);
    command_result_encode(result, &node->scratch);
    err e = OK;
    if (node->net != NULL) {
        e = net_send(node->net, to, FRAME_WRITE_RESULT, region, writer_slice(&node->scratch));
    }
    if (e != OK) {
        /* The forwarder says "unknown" once it sees that (F3), which is true of what it knows. */
        LOG_DEBUG(node->log, "the answer to a forwarded write was not sent", LOG_U64("to", to),
                  LOG_ERR(e));
    }
}

static void forwarded_done(struct node_write *write, const struct command_result *result)
{
    struct forwarded *forwarded = CONTAINER_OF(write, struct forwarded, write);
    answer(forwarded->node, forwarded->from, forwarded->region, forwarded->id, result);
    ASSERT(forwarded->node->forwarded_count > 0);
    forwarded->node->forwarded_count--;
    mem_free(forwarded);
}

void forward_receive(struct node *node, node_id from, region_id region, struct slice payload)
{
    struct reader reader = reader_of(payload);
    uint64_t id = reader_u64(&reader);
    uint32_t left_ms = reader_u32(&reader);
    struct slice bytes = reader_bytes(&reader, reader.size);
    struct command command;
    err e = reader_ok(&reader) ? command_decode(bytes, &command) : ERR_MALFORMED;
    if (e == ERR_VERSION) {
        /* A newer node's write, while the cluster is being upgraded: another leader may know it. */
        struct command_result refusal = {.e = ERR_PROPOSAL_DROPPED};
        answer(node, from, region, id, &refusal);
        return;
    }
    if (e != OK) {
        LOG_WARN(node->log, "malformed forwarded write", LOG_U64("from", from));
        struct command_result refusal = {.e = ERR_BAD_REQUEST};
        answer(node, from, region, id, &refusal);
        return;
    }
    struct replica *replica = node_replica(node, region);
    if (replica == NULL || replica->role != RAFT_LEADER || !divergence_is_trusted(replica)) {
        struct command_result refusal = {.e = ERR_NOT_LEADER};
        answer(node, from, region, id, &refusal);
        return;
    }
    struct forwarded *forwarded = mem_calloc(1, sizeof(*forwarded));
    node->forwarded_count++;
    forwarded->node = node;
    forwarded->region = region;
    forwarded->from = from;
    forwarded->id = id;
    forwarded->write.command = buf_copy(bytes);
    forwarded->write.deadline_ms = env_now_ms(node->env) + left_ms;
    forwarded->write.received_ns = env_now_ns(node->env); /* for the histograms */
    forwarded->write.done = forwarded_done;
    node_write(node, command.key, &forwarded->write);
}

void forward_receive_result(struct node *node, node_id from, region_id region, struct slice payload)
{
    struct reader reader = reader_of(payload);
    uint64_t id = reader_u64(&reader);
    struct command_result result;
    if (command_result_decode(&reader, &result) != OK || reader_finish(&reader) != OK) {
        LOG_WARN(node->log, "malformed answer to a forwarded write", LOG_U64("from", from));
        return;
    }
    struct replica *replica = node_replica(node, region);
    if (replica != NULL) {
        writes_forward_answer(&replica->writes, from, id, &result);
    }
}
