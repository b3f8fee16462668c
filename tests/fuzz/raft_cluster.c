#include "raft_cluster.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/entries_int.h"

/* ---- storage ---- */

static uint64_t disk_first(void *ctx)
{
    return ((struct node *)ctx)->compacted.index + 1;
}

static uint64_t disk_last(void *ctx)
{
    const struct node *node = ctx;
    return node->compacted.index + node->log.count;
}

static err disk_term(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct node *node = ctx;
    if (index < node->compacted.index) {
        return ERR_COMPACTED;
    }
    uint64_t offset = index - node->compacted.index;
    if (offset > node->log.count) {
        return ERR_UNAVAILABLE;
    }
    *out_term = offset == 0 ? node->compacted.term : node->log.items[offset - 1].pos.term;
    return OK;
}

static err disk_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                        struct raft_entries *out_entries)
{
    const struct node *node = ctx;
    ASSERT(low < high);
    ASSERT(high <= disk_last(ctx) + 1);
    if (low <= node->compacted.index) {
        return ERR_COMPACTED;
    }
    uint64_t used = 0;
    for (uint64_t index = low; index < high; index++) {
        const struct entry *entry = &node->log.items[index - node->compacted.index - 1];
        uint64_t weight = raft_entry_weight(entry);
        if (index > low && (used >= size_max || weight > size_max - used)) {
            break;
        }
        raft_entries_push(out_entries, entry);
        used += weight;
    }
    return OK;
}

static err disk_snapshot(void *ctx, struct snapshot *out_snapshot)
{
    const struct node *node = ctx;
    if (node->has_no_snapshot || node->machine.pos.index == 0) {
        return ERR_UNAVAILABLE;
    }
    uint8_t bytes[8];
    store_u64(bytes, node->machine.hash);
    *out_snapshot = (struct snapshot){
        .pos = node->machine.pos,
        .conf = node->machine.conf,
        .data = buf_copy((struct slice){bytes, sizeof(bytes)}),
    };
    return OK;
}

struct raft_storage cluster_storage(struct node *node)
{
    return (struct raft_storage){node,      disk_first,   disk_last,
                                 disk_term, disk_entries, disk_snapshot};
}

static void disk_append(struct node *node, const struct raft_entries *entries)
{
    if (entries->count == 0) {
        return;
    }
    uint64_t first = entries->items[0].pos.index;
    ASSERT(first > node->compacted.index && first <= disk_last(node) + 1);
    raft_entries_truncate(&node->log, (uint32_t)(first - node->compacted.index - 1));
    for (uint32_t i = 0; i < entries->count; i++) {
        raft_entries_push(&node->log, &entries->items[i]);
    }
}
void cluster_compact(struct node *node, uint32_t kept)
{
    node->checkpoint = node->machine;
    uint64_t index = node->machine.pos.index;
    if (index < kept || index - kept <= node->compacted.index) {
        return;
    }
    uint32_t count = (uint32_t)(index - kept - node->compacted.index);
    ASSERT(count <= node->log.count);
    node->compacted = node->log.items[count - 1].pos;
    raft_entries_drop_front(&node->log, count);
}
/* ---- the network ---- */

static void outbox_copy(struct raft_outbox *target, const struct message *message)
{
    struct raft_entries entries = {0};
    for (uint32_t i = 0; i < message->entry_count; i++) {
        raft_entries_push(&entries, &message->entries[i]);
    }
    raft_outbox_push(target, message, &entries);
}

static void outbox_remove(struct raft_outbox *outbox, uint32_t position)
{
    ASSERT(position < outbox->count);
    struct raft_outbox one = {&outbox->messages[position], &outbox->cargo[position], 1, 1};
    raft_outbox_clear(&one);
    outbox->count--;
    uint32_t behind = outbox->count - position;
    memmove(&outbox->messages[position], &outbox->messages[position + 1],
            behind * sizeof(outbox->messages[0]));
    memmove(&outbox->cargo[position], &outbox->cargo[position + 1],
            behind * sizeof(outbox->cargo[0]));
}

void cluster_retire(struct cluster *cluster, uint32_t position)
{
    if (cluster->old.count == OLD_MAX) {
        outbox_remove(&cluster->old, 0);
    }
    outbox_copy(&cluster->old, &cluster->network.messages[position]);
    outbox_remove(&cluster->network, position);
}

static void send(struct cluster *cluster, struct node *node, const struct message *message)
{
    ASSERT(message->to != 0 && message->to != node->id);
    cluster_check_vote(node, message);
    if (cluster->network.count == NETWORK_MAX) {
        cluster_retire(cluster, 0);
    }
    outbox_copy(&cluster->network, message);
}

err cluster_step(struct cluster *cluster, struct node *node, const struct message *message)
{
    struct hard_state before = raft_hard_state(node->raft);
    uint64_t last = raft_log_last_index(&node->raft->log);
    enum raft_role role = node->raft->role;
    uint32_t sent = node->raft->outbox.count + node->raft->outbox_after_persist.count;
    err e = raft_step(node->raft, message);
    if (e == ERR_MALFORMED) {
        struct hard_state after = raft_hard_state(node->raft);
        ASSERT(cluster->is_hostile);
        ASSERT(before.term == after.term && before.vote == after.vote);
        ASSERT(before.commit == after.commit && role == node->raft->role);
        ASSERT(last == raft_log_last_index(&node->raft->log));
        ASSERT(sent == node->raft->outbox.count + node->raft->outbox_after_persist.count);
    } else {
        ASSERT(e == OK || e == ERR_NOT_FOUND || e == ERR_NOT_LEADER || e == ERR_PROPOSAL_DROPPED ||
               e == ERR_OVERLOADED);
    }
    cluster_check(cluster, node);
    return e;
}

struct node *cluster_node(struct cluster *cluster, node_id id)
{
    return id >= 1 && id <= cluster->count ? &cluster->nodes[id] : NULL;
}

void cluster_deliver(struct cluster *cluster, const struct message *message)
{
    struct node *node = cluster_node(cluster, message->to);
    struct node *from = cluster_node(cluster, message->from);
    bool is_lost = node == NULL || node->is_cut || (from != NULL && from->is_cut);
    if (!is_lost && node->raft != NULL) {
        cluster_step(cluster, node, message);
    }
}
/* ---- a node at work ---- */

static void batch_deinit(struct batch *batch)
{
    raft_entries_deinit(&batch->entries);
    raft_outbox_deinit(&batch->after);
    buf_drop(&batch->snapshot.data);
}

static bool can_take_ready(const struct node *node)
{
    /* Without asynchronous writes one ready is done before the next one is taken. */
    bool is_free = node->config.async_storage_writes
                       ? node->batch_count < BATCHES_MAX
                       : node->batch_count == 0 && node->to_apply.count == 0;
    return node->raft != NULL && is_free && raft_has_ready(node->raft);
}

void cluster_take_ready(struct cluster *cluster, struct node *node)
{
    if (!can_take_ready(node)) {
        return;
    }
    struct raft_ready ready;
    raft_ready(node->raft, &ready);
    struct batch *batch = &node->batches[node->batch_count++];
    *batch = (struct batch){
        .must_sync = ready.must_sync,
        .has_hard_state = ready.has_hard_state,
        .hard_state = ready.hard_state,
        .has_snapshot = ready.snapshot != NULL,
        .has_mark = ready.has_mark,
        .mark = ready.mark,
    };
    if (ready.snapshot != NULL) {
        batch->snapshot = *ready.snapshot;
        buf_ref(batch->snapshot.data);
    }
    for (uint32_t i = 0; i < ready.entry_count; i++) {
        raft_entries_push(&batch->entries, &ready.entries[i]);
    }
    for (uint32_t i = 0; i < ready.committed_count; i++) {
        raft_entries_push(&node->to_apply, &ready.committed[i]);
    }
    for (uint32_t i = 0; i < ready.read_state_count; i++) {
        cluster_check_read(cluster, node, &ready.read_states[i]);
    }
    for (uint32_t i = 0; i < ready.after_persist_count; i++) {
        outbox_copy(&batch->after, &ready.messages_after_persist[i]);
    }
    for (uint32_t i = 0; i < ready.message_count; i++) {
        send(cluster, node, &ready.messages[i]);
    }
    cluster_check(cluster, node);
}

static void install(struct cluster *cluster, struct node *node, const struct snapshot *snapshot)
{
    ASSERT(snapshot->pos.index > node->machine.pos.index);
    struct slice data = buf_slice(snapshot->data);
    node->machine = (struct machine){
        .pos = snapshot->pos,
        .conf = snapshot->conf,
        .hash = data.size == 8 ? load_u64(data.data) : 0,
    };
    cluster_check_machine(cluster, &node->machine);
    node->checkpoint = node->machine;
    node->compacted = snapshot->pos;
    raft_entries_clear(&node->log);
    while (node->to_apply.count > 0 && node->to_apply.items[0].pos.index <= snapshot->pos.index) {
        raft_entries_drop_front(&node->to_apply, 1);
    }
}

static void write_batch(struct cluster *cluster, struct node *node, const struct batch *batch)
{
    if (batch->has_snapshot) {
        install(cluster, node, &batch->snapshot);
    }
    disk_append(node, &batch->entries);
    if (batch->has_hard_state) {
        node->written = batch->hard_state;
    }
    if (batch->must_sync || !cluster->has_lazy_disk) {
        node->synced = node->written;
    }
}

void cluster_persist(struct cluster *cluster, struct node *node, uint32_t count)
{
    count = count < node->batch_count ? count : node->batch_count;
    struct batch done[BATCHES_MAX];
    memcpy(done, node->batches, count * sizeof(done[0]));
    node->batch_count -= count;
    memmove(node->batches, node->batches + count, node->batch_count * sizeof(done[0]));
    const struct raft_mark *mark = NULL;
    for (uint32_t i = 0; i < count; i++) {
        write_batch(cluster, node, &done[i]);
        mark = done[i].has_mark ? &done[i].mark : mark;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t m = 0; m < done[i].after.count; m++) {
            const struct message *message = &done[i].after.messages[m];
            if (message->to == node->id) {
                err e = cluster_step(cluster, node, message);
                ASSERT(e != ERR_MALFORMED); /* it is its own */
            } else {
                send(cluster, node, message);
            }
        }
    }
    if (mark != NULL) {
        raft_persisted(node->raft, mark);
        cluster_check(cluster, node);
    }
    for (uint32_t i = 0; i < count; i++) {
        batch_deinit(&done[i]);
    }
}

static void apply_conf_change(const struct cluster *cluster, struct node *node,
                              const struct entry *entry, struct machine *machine)
{
    struct conf_change change;
    if (conf_change_decode(buf_slice(entry->data), &change) != OK) {
        ASSERT(cluster->is_hostile);
        return;
    }
    err e = raft_apply_conf_change(node->raft, &change, &machine->conf);
    ASSERT(e == OK || (cluster->is_hostile && e == ERR_CONFLICT));
    struct writer writer = {0};
    conf_state_encode(&machine->conf, &writer);
    machine->hash = mix(machine->hash, writer.data, writer.size);
    writer_deinit(&writer);
}

/* The state after the entry takes the place of the one before at once: the core may ask for a
 * snapshot in between, from raft_apply_conf_change. */
static void apply_entry(struct cluster *cluster, struct node *node, const struct entry *entry)
{
    struct machine machine = node->machine;
    ASSERT(entry->pos.index == machine.pos.index + 1);
    machine.pos = entry->pos;
    uint64_t word = entry_word(entry);
    machine.hash = mix(machine.hash, (const uint8_t *)&word, sizeof(word));
    if (is_conf_change(entry)) {
        apply_conf_change(cluster, node, entry, &machine);
    }
    node->machine = machine;
    cluster_check_machine(cluster, &machine);
}

void cluster_apply(struct cluster *cluster, struct node *node, uint32_t count)
{
    bool waits_for_disk = !node->config.async_storage_writes && node->batch_count > 0;
    if (node->raft == NULL || waits_for_disk || node->to_apply.count == 0) {
        return;
    }
    count = count < node->to_apply.count ? count : node->to_apply.count;
    for (uint32_t i = 0; i < count; i++) {
        apply_entry(cluster, node, &node->to_apply.items[i]);
    }
    raft_entries_drop_front(&node->to_apply, count);
    raft_applied(node->raft, node->machine.pos.index);
    cluster_check(cluster, node);
}

bool cluster_work(struct cluster *cluster, struct node *node)
{
    bool worked = false;
    for (uint32_t i = 0; i < SETTLE_ROUNDS && node->raft != NULL; i++) {
        if (!can_take_ready(node) && node->batch_count == 0 && node->to_apply.count == 0) {
            break;
        }
        cluster_take_ready(cluster, node);
        cluster_persist(cluster, node, BATCHES_MAX);
        cluster_apply(cluster, node, UINT32_MAX);
        worked = true;
    }
    return worked;
}

void cluster_settle(struct cluster *cluster, uint32_t rounds)
{
    bool worked = true;
    for (uint32_t i = 0; i < rounds && (worked || cluster->network.count > 0); i++) {
        for (uint32_t left = cluster->network.count; left > 0 && cluster->network.count > 0;
             left--) {
            cluster_deliver(cluster, &cluster->network.messages[0]);
            cluster_retire(cluster, 0);
        }
        worked = false;
        for (node_id id = 1; id <= cluster->count; id++) {
            worked = cluster_work(cluster, &cluster->nodes[id]) || worked;
        }
    }
}

void cluster_crash(struct node *node)
{
    raft_free(node->raft);
    node->raft = NULL;
    for (uint32_t i = 0; i < node->batch_count; i++) {
        batch_deinit(&node->batches[i]);
    }
    node->batch_count = 0;
    raft_entries_clear(&node->to_apply);
}

void cluster_restart(struct cluster *cluster, struct node *node)
{
    ASSERT(node->raft == NULL);
    node->written = node->synced;
    node->machine = node->checkpoint;
    node->config.hard_state = node->synced;
    node->config.applied = node->machine.pos.index;
    node->config.conf = node->machine.conf;
    node->config.seed++;
    err e = raft_new(&node->raft, &node->config);
    ASSERT(e == OK);
    node->term = node->synced.term;
    node->vote = node->synced.vote;
    node->committed = 0;
    cluster_check(cluster, node);
}
