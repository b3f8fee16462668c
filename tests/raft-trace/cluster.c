#include "cluster.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "print.h"

static struct buf *text_buf(const char *text)
{
    return *text == '\0' ? NULL : buf_copy(slice_from_text(text));
}

void cluster_add(struct cluster *cluster, struct raft_config *config, uint64_t index,
                 const char *content)
{
    ASSERT(cluster->node_count < CLUSTER_NODES_MAX);
    struct node *node = &cluster->nodes[cluster->node_count];
    cluster->node_count++;
    *node = (struct node){.async_storage_writes = config->async_storage_writes};
    node->applied.conf = config->conf;
    node->applied.data = text_buf(content);
    storage_init(&node->storage, &node->applied);
    if (index > 0) {
        node->applied.pos = (struct raft_pos){.term = 1, .index = index};
        storage_restore(&node->storage, node->applied.pos);
    }
    config->id = cluster->node_count;
    config->seed = cluster->node_count;
    config->election_ticks = 3;
    config->heartbeat_ticks = 1;
    config->applied = index;
    config->storage = storage_interface(&node->storage);
    err e = raft_new(&node->raft, config);
    ASSERT(e == OK);
}

void cluster_deinit(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->node_count; i++) {
        struct node *node = &cluster->nodes[i];
        raft_free(node->raft);
        storage_deinit(&node->storage);
        buf_drop(&node->applied.data);
        wire_list_deinit(&node->append_work);
        wire_list_deinit(&node->apply_work);
    }
    wire_list_deinit(&cluster->network);
    cluster->node_count = 0;
}

struct node *cluster_node(struct cluster *cluster, node_id id)
{
    return id == 0 || id > cluster->node_count ? NULL : &cluster->nodes[id - 1];
}

/* ---- The storage threads' work ---- */

static void persist(struct node *node, const struct snapshot *snapshot, const struct entry *entries,
                    uint32_t count)
{
    if (snapshot != NULL) {
        storage_restore(&node->storage, snapshot->pos);
        buf_ref(snapshot->data);
        buf_unref(node->applied.data);
        node->applied = *snapshot;
    }
    storage_append(&node->storage, entries, count);
}

static void append_data(struct node *node, struct slice bytes)
{
    struct slice old = buf_slice(node->applied.data);
    if (bytes.size == 0) {
        return;
    }
    struct buf *joined = buf_new(old.size + bytes.size);
    if (old.size > 0) {
        memcpy(joined->data, old.data, old.size);
    }
    memcpy(joined->data + old.size, bytes.data, bytes.size);
    buf_unref(node->applied.data);
    node->applied.data = joined;
}

static void apply(struct node *node, const struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice data = buf_slice(entries[i].data);
        if (entries[i].type == ENTRY_CONF_CHANGE || entries[i].type == ENTRY_CONF_CHANGE_V2) {
            struct conf_change change;
            err e = conf_change_decode(data, &change);
            ASSERT(e == OK);
            e = raft_apply_conf_change(node->raft, &change, &node->applied.conf);
            ASSERT(e == OK);
            data = change.context;
        }
        append_data(node, data);
        node->applied.pos = entries[i].pos;
    }
}

/* ---- Ready ---- */

static struct wire append_work(const struct raft_ready *ready, node_id id)
{
    struct wire work = {.kind = WIRE_APPEND, .message = {.from = id, .to = WIRE_APPEND_THREAD}};
    if (ready->has_hard_state) {
        work.message.term = ready->hard_state.term;
        work.message.vote = ready->hard_state.vote;
        work.message.commit = ready->hard_state.commit;
    }
    wire_set_entries(&work, ready->entries, ready->entry_count);
    if (ready->snapshot != NULL) {
        wire_set_snapshot(&work, ready->snapshot);
    }
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        if (ready->messages_after_persist[i].type != MSG_VOTE) {
            wire_list_push(&work.responses, wire_copy(&ready->messages_after_persist[i]));
        }
    }
    if (ready->has_mark) {
        struct wire response = {
            .kind = WIRE_APPEND_RESP,
            .mark = ready->mark,
            .message = {.from = WIRE_APPEND_THREAD,
                        .to = id,
                        .term = ready->mark.term,
                        .log_term = ready->mark.last.term,
                        .index = ready->mark.last.index},
        };
        if (ready->snapshot != NULL) {
            wire_set_snapshot(&response, ready->snapshot);
        }
        wire_list_push(&work.responses, response);
    }
    return work;
}

static struct wire apply_work(const struct raft_ready *ready, node_id id)
{
    struct wire work = {.kind = WIRE_APPLY, .message = {.from = id, .to = WIRE_APPLY_THREAD}};
    struct wire response = {.kind = WIRE_APPLY_RESP,
                            .message = {.from = WIRE_APPLY_THREAD, .to = id}};
    wire_set_entries(&work, ready->committed, ready->committed_count);
    wire_set_entries(&response, ready->committed, ready->committed_count);
    wire_list_push(&work.responses, response);
    return work;
}

/*
 * The messages of a ready as the reference lists them. It sends vote requests at once, while our
 * core has them wait for the disk (src/raft/README.md): here they go in the reference's order.
 */
static void list_messages(const struct raft_ready *ready, node_id id, bool is_async,
                          struct wire_list *out)
{
    for (uint32_t i = 0; i < ready->message_count; i++) {
        wire_list_push(out, wire_copy(&ready->messages[i]));
    }
    const struct message *after = ready->messages_after_persist;
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        if (after[i].type == MSG_VOTE) {
            wire_list_push(out, wire_copy(&after[i]));
        }
    }
    if (!is_async) {
        for (uint32_t i = 0; i < ready->after_persist_count; i++) {
            if (after[i].type != MSG_VOTE && after[i].to != id) {
                wire_list_push(out, wire_copy(&after[i]));
            }
        }
        return;
    }
    if (ready->entry_count > 0 || ready->has_hard_state || ready->snapshot != NULL ||
        ready->after_persist_count > 0) {
        wire_list_push(out, append_work(ready, id));
    }
    if (ready->committed_count > 0) {
        wire_list_push(out, apply_work(ready, id));
    }
}

static void route(struct cluster *cluster, struct node *node, struct wire_list *messages)
{
    for (unsigned i = 0; i < messages->count; i++) {
        struct wire wire = messages->items[i];
        if (wire.kind == WIRE_APPEND) {
            wire_list_push(&node->append_work, wire);
        } else if (wire.kind == WIRE_APPLY) {
            wire_list_push(&node->apply_work, wire);
        } else {
            wire_list_push(&cluster->network, wire);
        }
    }
    messages->count = 0;
}

/* Without storage threads everything of a ready is done before the next: tells the core so. */
static void advance(struct node *node, node_id id, const struct raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        if (ready->messages_after_persist[i].to == id) {
            err e = raft_step(node->raft, &ready->messages_after_persist[i]);
            ASSERT(e == OK || e == ERR_NOT_FOUND); /* it may have left the configuration */
        }
    }
    if (ready->has_mark) {
        raft_persisted(node->raft, &ready->mark);
    }
    if (ready->committed_count > 0) {
        raft_applied(node->raft, ready->committed[ready->committed_count - 1].pos.index);
    }
}

void cluster_process_ready(struct cluster *cluster, node_id id, struct text *out)
{
    struct node *node = cluster_node(cluster, id);
    ASSERT(node != NULL); /* the scripts name nodes that are there */
    struct raft_ready ready;
    raft_ready(node->raft, &ready);
    struct wire_list messages = {0};
    list_messages(&ready, id, node->async_storage_writes, &messages);
    print_ready(out, &ready, &messages);
    if (!node->async_storage_writes) {
        persist(node, ready.snapshot, ready.entries, ready.entry_count);
        apply(node, ready.committed, ready.committed_count);
    }
    route(cluster, node, &messages);
    wire_list_deinit(&messages);
    if (!node->async_storage_writes) {
        advance(node, id, &ready);
    }
}

static void process_work(struct cluster *cluster, struct node *node, struct wire *work,
                         struct text *out)
{
    struct wire_list responses = work->responses;
    work->responses = (struct wire_list){0};
    text_add(out, "Processing:\n");
    print_wire(out, work);
    text_add(out, "\n");
    if (work->kind == WIRE_APPEND) {
        const struct snapshot *snapshot = work->snapshot.pos.index > 0 ? &work->snapshot : NULL;
        persist(node, snapshot, work->entries.items, work->entries.count);
    } else {
        apply(node, work->entries.items, work->entries.count);
    }
    text_add(out, "Responses:\n");
    for (unsigned i = 0; i < responses.count; i++) {
        print_wire(out, &responses.items[i]);
        text_add(out, "\n");
    }
    wire_list_move(&responses, &cluster->network);
    wire_list_deinit(&responses);
}

void cluster_process_append(struct cluster *cluster, node_id id, struct text *out)
{
    struct node *node = cluster_node(cluster, id);
    ASSERT(node != NULL); /* the scripts name nodes that are there */
    if (node->append_work.count == 0) {
        text_add(out, "no append work to perform\n");
        return;
    }
    struct wire work = wire_list_take(&node->append_work, 0);
    process_work(cluster, node, &work, out);
    wire_deinit(&work);
}

void cluster_process_apply(struct cluster *cluster, node_id id, struct text *out)
{
    struct node *node = cluster_node(cluster, id);
    ASSERT(node != NULL); /* the scripts name nodes that are there */
    if (node->apply_work.count == 0) {
        text_add(out, "no apply work to perform\n");
        return;
    }
    struct wire work = wire_list_take(&node->apply_work, 0);
    process_work(cluster, node, &work, out);
    wire_deinit(&work);
}

/* ---- The network ---- */

static void step(struct node *node, const struct wire *wire, struct text *out)
{
    if (wire->kind == WIRE_APPEND_RESP) {
        raft_persisted(node->raft, &wire->mark);
        return;
    }
    if (wire->kind == WIRE_APPLY_RESP) {
        raft_applied(node->raft, wire->entries.items[wire->entries.count - 1].pos.index);
        return;
    }
    struct message message = wire_message(wire);
    err e = raft_step(node->raft, &message);
    if (e == ERR_NOT_FOUND) {
        text_add(out, "raft: cannot step as peer not found\n");
    } else if (e != OK) {
        bool is_proposal = wire->message.type == MSG_PROP && e != ERR_MALFORMED;
        text_add(out, "%s\n", is_proposal ? "raft proposal dropped" : err_name(e));
    }
}

static bool is_for(const struct wire *wire, node_id id, const char *type, bool drop)
{
    return wire->message.to == id && !(drop && wire_is_local(wire)) &&
           (type == NULL || strcmp(type, wire_type_name(wire)) == 0);
}

unsigned cluster_deliver(struct cluster *cluster, node_id id, const char *type, bool drop,
                         struct text *out)
{
    struct wire_list mail = {0};
    for (unsigned i = 0; i < cluster->network.count;) {
        if (is_for(&cluster->network.items[i], id, type, drop)) {
            wire_list_push(&mail, wire_list_take(&cluster->network, i));
        } else {
            i++;
        }
    }
    unsigned count = mail.count;
    for (unsigned i = 0; i < count; i++) {
        text_add(out, "%s", drop ? "dropped: " : "");
        print_wire(out, &mail.items[i]);
        text_add(out, "\n");
        if (!drop && cluster_node(cluster, id) != NULL) {
            step(cluster_node(cluster, id), &mail.items[i], out);
        }
    }
    wire_list_deinit(&mail);
    return count;
}

static bool has_mail(const struct cluster *cluster, node_id id)
{
    for (unsigned i = 0; i < cluster->network.count; i++) {
        if (cluster->network.items[i].message.to == id) {
            return true;
        }
    }
    return false;
}

enum stage {
    STAGE_READY,
    STAGE_MESSAGES,
    STAGE_APPEND,
    STAGE_APPLY,
    STAGE_COUNT,
};

static bool has_work(struct cluster *cluster, node_id id, enum stage stage)
{
    const struct node *node = cluster_node(cluster, id);
    ASSERT(node != NULL); /* the scripts name nodes that are there */
    switch (stage) {
    case STAGE_READY:
        return raft_has_ready(node->raft);
    case STAGE_MESSAGES:
        return has_mail(cluster, id);
    case STAGE_APPEND:
        return node->append_work.count > 0;
    case STAGE_APPLY:
        return node->apply_work.count > 0;
    case STAGE_COUNT:
        break;
    }
    UNREACHABLE();
}

static void run_stage(struct cluster *cluster, node_id id, enum stage stage, struct text *out)
{
    static const char *const headings[] = {
        [STAGE_READY] = "handling Ready",
        [STAGE_MESSAGES] = "receiving messages",
        [STAGE_APPEND] = "processing append thread",
        [STAGE_APPLY] = "processing apply thread",
    };
    text_add(out, "> %llu %s\n", (unsigned long long)id, headings[stage]);
    out->indent += 2;
    if (stage == STAGE_READY) {
        cluster_process_ready(cluster, id, out);
    } else if (stage == STAGE_MESSAGES) {
        (void)cluster_deliver(cluster, id, NULL, false, out);
    } else {
        while (has_work(cluster, id, stage)) {
            if (stage == STAGE_APPEND) {
                cluster_process_append(cluster, id, out);
            } else {
                cluster_process_apply(cluster, id, out);
            }
        }
    }
    out->indent -= 2;
}

void cluster_stabilize(struct cluster *cluster, const node_id *ids, unsigned count,
                       struct text *out)
{
    bool done = false;
    while (!done) {
        done = true;
        for (enum stage stage = STAGE_READY; stage < STAGE_COUNT; stage++) {
            for (unsigned i = 0; i < count; i++) {
                if (has_work(cluster, ids[i], stage)) {
                    run_stage(cluster, ids[i], stage, out);
                    done = false;
                }
            }
        }
    }
}
