/*
 * Cores with a log in memory and a network between them, for the tests of this folder. Every ready
 * goes through a queue, so that a test decides when it is durable; a node that crashes loses what
 * is not. Whatever a node applies is compared with what any node applied at that index.
 */
#ifndef RAFT_FIXTURE_H
#define RAFT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/raft_int.h"

#define GROUP_MAX 8u
#define BATCHES_MAX 256u
#define HISTORY_MAX 4096u

/* ---- A log in memory ---- */

struct memlog {
    struct raft_pos compacted;
    struct raft_entries entries;
    struct snapshot snapshot; /* of the state machine */
};

static inline uint64_t memlog_first(void *ctx)
{
    return ((struct memlog *)ctx)->compacted.index + 1;
}

static inline uint64_t memlog_last(void *ctx)
{
    struct memlog *log = ctx;
    return log->compacted.index + log->entries.count;
}

static inline err memlog_term(void *ctx, uint64_t index, uint64_t *out_term)
{
    struct memlog *log = ctx;
    if (index < log->compacted.index) {
        return ERR_COMPACTED;
    }
    if (index > memlog_last(ctx)) {
        return ERR_UNAVAILABLE;
    }
    *out_term = index == log->compacted.index
                    ? log->compacted.term
                    : log->entries.items[index - memlog_first(ctx)].pos.term;
    return OK;
}

static inline err memlog_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                                 struct raft_entries *out)
{
    struct memlog *log = ctx;
    if (low < memlog_first(ctx)) {
        return ERR_COMPACTED;
    }
    uint64_t used = 0;
    for (uint64_t index = low; index < high; index++) {
        const struct entry *entry = &log->entries.items[index - memlog_first(ctx)];
        uint64_t weight = raft_entry_weight(entry);
        if (index > low && (used >= size_max || weight > size_max - used)) {
            break;
        }
        raft_entries_push(out, entry);
        used += weight;
    }
    return OK;
}

static inline err memlog_snapshot(void *ctx, struct snapshot *out)
{
    struct memlog *log = ctx;
    *out = log->snapshot;
    buf_ref(out->data);
    return log->snapshot.pos.index == 0 ? ERR_UNAVAILABLE : OK;
}

static inline struct raft_storage memlog_storage(struct memlog *log)
{
    return (struct raft_storage){log,         memlog_first,   memlog_last,
                                 memlog_term, memlog_entries, memlog_snapshot};
}

static inline void memlog_append(struct memlog *log, const struct entry *entries, uint32_t count)
{
    if (count == 0) {
        return;
    }
    struct raft_entries kept = {0};
    for (uint32_t i = 0; i < log->entries.count; i++) {
        if (log->entries.items[i].pos.index < entries[0].pos.index) {
            raft_entries_push(&kept, &log->entries.items[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&kept, &entries[i]);
    }
    raft_entries_deinit(&log->entries);
    log->entries = kept;
}

static inline void memlog_compact(struct memlog *log, uint64_t index)
{
    struct raft_entries kept = {0};
    for (uint32_t i = 0; i < log->entries.count; i++) {
        if (log->entries.items[i].pos.index > index) {
            raft_entries_push(&kept, &log->entries.items[i]);
        } else {
            log->compacted = log->entries.items[i].pos;
        }
    }
    raft_entries_deinit(&log->entries);
    log->entries = kept;
}

static inline struct entry make_entry(uint64_t term, uint64_t index)
{
    return (struct entry){.pos = {.term = term, .index = index}};
}

/* `count` entries without data: terms as given, from index 1. */
static inline void memlog_fill(struct memlog *log, const uint64_t *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = make_entry(terms[i], i + 1);
        raft_entries_push(&log->entries, &entry);
    }
}

/* ---- A group ---- */

struct batch {
    bool has_hard_state;
    struct hard_state hard_state;
    struct raft_entries entries;
    bool has_snapshot;
    struct snapshot snapshot;
    struct raft_outbox after;
    bool has_mark;
    struct raft_mark mark;
};

struct peer {
    struct raft *raft; /* NULL: crashed */
    struct raft_config config;
    struct memlog log;
    struct hard_state durable;
    struct batch batches[BATCHES_MAX]; /* handed out, not durable */
    uint32_t batch_count;
    uint64_t applied; /* the state machine is durable when it is applied */
    bool is_apply_held;
    struct raft_entries to_apply; /* while it is held */
    struct raft_read_state read_states[64];
    uint32_t read_state_count;
};

struct group {
    struct peer peers[GROUP_MAX + 1]; /* by id */
    uint32_t count;
    struct raft_outbox network;
    bool blocked[GROUP_MAX + 1][GROUP_MAX + 1]; /* [from][to] */
    bool ignored[MSG_TYPE_COUNT];               /* lost, whoever sends them */
    uint64_t history_term[HISTORY_MAX];         /* by index, of what anybody applied; 0: nobody */
    uint64_t history_word[HISTORY_MAX];
};

static inline struct id_set ids_to(uint32_t count)
{
    struct id_set set = {.count = count};
    for (uint32_t i = 0; i < count; i++) {
        set.ids[i] = i + 1;
    }
    return set;
}

static inline struct raft_config default_config(void)
{
    return (struct raft_config){.election_ticks = 10, .heartbeat_ticks = 1};
}

static inline void group_start(struct group *group, node_id id)
{
    struct peer *peer = &group->peers[id];
    peer->config.hard_state = peer->durable;
    peer->config.applied = peer->applied;
    peer->config.storage = memlog_storage(&peer->log);
    assert_int_equal(raft_new(&peer->raft, &peer->config), OK);
}

/* `count` voters from nothing, all with the limits and options of `config`. Heap: it is large. */
static inline struct group *group_new(uint32_t count, const struct raft_config *config)
{
    struct group *group = mem_calloc(1, sizeof(*group));
    group->count = count;
    for (node_id id = 1; id <= count; id++) {
        struct peer *peer = &group->peers[id];
        peer->config = *config;
        peer->config.id = id;
        peer->config.seed += id;
        peer->config.conf.voters = ids_to(count);
        group_start(group, id);
    }
    return group;
}

/* One more node that knows of nobody yet. */
static inline void group_add_blank(struct group *group, const struct raft_config *config)
{
    group->count++;
    struct peer *peer = &group->peers[group->count];
    peer->config = *config;
    peer->config.id = group->count;
    group_start(group, group->count);
}

static inline void batch_deinit(struct batch *batch)
{
    raft_entries_deinit(&batch->entries);
    raft_outbox_deinit(&batch->after);
    buf_drop(&batch->snapshot.data);
}

/* What is not durable is lost. */
static inline void group_crash(struct group *group, node_id id)
{
    struct peer *peer = &group->peers[id];
    for (uint32_t i = 0; i < peer->batch_count; i++) {
        batch_deinit(&peer->batches[i]);
    }
    peer->batch_count = 0;
    raft_entries_deinit(&peer->to_apply);
    raft_free(peer->raft);
    peer->raft = NULL;
}

static inline void group_free(struct group *group)
{
    for (node_id id = 1; id <= group->count; id++) {
        group_crash(group, id);
        raft_entries_deinit(&group->peers[id].log.entries);
        buf_drop(&group->peers[id].log.snapshot.data);
    }
    raft_outbox_deinit(&group->network);
    mem_free(group);
}

static inline void outbox_copy(struct raft_outbox *target, const struct message *message)
{
    struct raft_entries entries = {0};
    for (uint32_t i = 0; i < message->entry_count; i++) {
        raft_entries_push(&entries, &message->entries[i]);
    }
    raft_outbox_push(target, message, &entries);
}

static inline uint64_t entry_word(const struct entry *entry)
{
    uint64_t word = 14695981039346656037u + (uint64_t)entry->type;
    for (size_t i = 0; i < entry_size(entry); i++) {
        word = (word ^ entry->data->data[i]) * 1099511628211u;
    }
    return word;
}

/* State machine safety (paper, figure 3): nobody applies another entry at the same index. */
static inline void group_apply(struct group *group, node_id id, const struct entry *entry)
{
    struct peer *peer = &group->peers[id];
    uint64_t index = entry->pos.index;
    assert_int_equal(index, peer->applied + 1);
    assert_true(index < HISTORY_MAX);
    if (group->history_term[index] == 0) {
        group->history_term[index] = entry->pos.term;
        group->history_word[index] = entry_word(entry);
    }
    assert_int_equal(group->history_term[index], entry->pos.term);
    assert_int_equal(group->history_word[index], entry_word(entry));
    if (entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2) {
        struct conf_change change;
        assert_int_equal(conf_change_decode(buf_slice(entry->data), &change), OK);
        assert_int_equal(raft_apply_conf_change(peer->raft, &change, &peer->config.conf), OK);
    }
    peer->applied = index;
    peer->log.snapshot.pos = entry->pos;
    peer->log.snapshot.conf = peer->config.conf;
}

/* Everything that was handed out for applying. */
static inline void group_apply_all(struct group *group, node_id id)
{
    struct peer *peer = &group->peers[id];
    struct raft_entries batch = peer->to_apply;
    peer->to_apply = (struct raft_entries){0};
    for (uint32_t i = 0; i < batch.count; i++) {
        group_apply(group, id, &batch.items[i]);
    }
    if (batch.count > 0) {
        raft_applied(peer->raft, peer->applied);
    }
    raft_entries_deinit(&batch);
}

/* Takes one ready: sends what may go, queues what has to be durable first, applies. */
static inline void group_ready(struct group *group, node_id id)
{
    struct peer *peer = &group->peers[id];
    struct raft_ready ready;
    raft_ready(peer->raft, &ready);
    for (uint32_t i = 0; i < ready.message_count; i++) {
        outbox_copy(&group->network, &ready.messages[i]);
    }
    assert_true(peer->batch_count < BATCHES_MAX);
    struct batch *batch = &peer->batches[peer->batch_count++];
    *batch = (struct batch){.has_hard_state = ready.has_hard_state,
                            .hard_state = ready.hard_state,
                            .has_mark = ready.has_mark,
                            .mark = ready.mark};
    for (uint32_t i = 0; i < ready.entry_count; i++) {
        raft_entries_push(&batch->entries, &ready.entries[i]);
    }
    if (ready.snapshot != NULL) {
        batch->has_snapshot = true;
        batch->snapshot = *ready.snapshot;
        buf_ref(batch->snapshot.data);
    }
    for (uint32_t i = 0; i < ready.after_persist_count; i++) {
        outbox_copy(&batch->after, &ready.messages_after_persist[i]);
    }
    for (uint32_t i = 0; i < ready.read_state_count && peer->read_state_count < 64; i++) {
        peer->read_states[peer->read_state_count++] = ready.read_states[i];
    }
    for (uint32_t i = 0; i < ready.committed_count; i++) {
        raft_entries_push(&peer->to_apply, &ready.committed[i]);
    }
    if (!peer->is_apply_held) {
        group_apply_all(group, id);
    }
}

/* The oldest batch becomes durable. */
static inline void group_persist(struct group *group, node_id id)
{
    struct peer *peer = &group->peers[id];
    assert_true(peer->batch_count > 0);
    struct batch batch = peer->batches[0];
    peer->batch_count--;
    memmove(peer->batches, peer->batches + 1, peer->batch_count * sizeof(batch));
    if (batch.has_snapshot) {
        raft_entries_clear(&peer->log.entries);
        peer->log.compacted = batch.snapshot.pos;
        peer->log.snapshot.pos = batch.snapshot.pos;
        peer->log.snapshot.conf = batch.snapshot.conf;
        peer->config.conf = batch.snapshot.conf;
        peer->applied = batch.snapshot.pos.index;
    }
    memlog_append(&peer->log, batch.entries.items, batch.entries.count);
    if (batch.has_hard_state) {
        peer->durable = batch.hard_state;
    }
    for (uint32_t i = 0; i < batch.after.count; i++) {
        if (batch.after.messages[i].to == id) {
            err e = raft_step(peer->raft, &batch.after.messages[i]);
            assert_true(e == OK || e == ERR_NOT_FOUND);
        } else {
            outbox_copy(&group->network, &batch.after.messages[i]);
        }
    }
    if (batch.has_mark) {
        raft_persisted(peer->raft, &batch.mark);
    }
    batch_deinit(&batch);
}

static inline void group_drop(struct group *group, uint32_t position)
{
    struct raft_outbox *network = &group->network;
    struct raft_outbox one = {&network->messages[position], &network->cargo[position], 1, 1};
    raft_outbox_clear(&one);
    network->count--;
    memmove(&network->messages[position], &network->messages[position + 1],
            (network->count - position) * sizeof(*network->messages));
    memmove(&network->cargo[position], &network->cargo[position + 1],
            (network->count - position) * sizeof(*network->cargo));
}

/* Delivers one message, which stays in the network. */
static inline void group_deliver(struct group *group, uint32_t position)
{
    const struct message *message = &group->network.messages[position];
    struct raft *raft = message->to <= group->count ? group->peers[message->to].raft : NULL;
    bool is_lost = group->blocked[message->from][message->to] || group->ignored[message->type];
    if (raft != NULL && !is_lost) {
        err e = raft_step(raft, message);
        assert_int_not_equal(e, ERR_MALFORMED);
    }
}

static inline bool group_work(struct group *group)
{
    bool worked = false;
    for (node_id id = 1; id <= group->count; id++) {
        struct peer *peer = &group->peers[id];
        while (peer->raft != NULL && (raft_has_ready(peer->raft) || peer->batch_count > 0)) {
            if (raft_has_ready(peer->raft)) {
                group_ready(group, id);
            } else {
                group_persist(group, id);
            }
            worked = true;
        }
    }
    return worked;
}

/* Until nothing is left to do; the disk is as fast as the network. */
static inline void group_settle(struct group *group)
{
    while (group_work(group) || group->network.count > 0) {
        for (uint32_t left = group->network.count; left > 0; left--) {
            group_deliver(group, 0);
            group_drop(group, 0);
        }
    }
}

static inline struct raft *group_raft(struct group *group, node_id id)
{
    return group->peers[id].raft;
}

static inline void group_elect(struct group *group, node_id id)
{
    assert_int_equal(raft_campaign(group_raft(group, id)), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, id)->role, RAFT_LEADER);
}

/* Cuts a node off, or connects it again. */
static inline void group_isolate(struct group *group, node_id id, bool cut)
{
    for (node_id other = 1; other <= group->count; other++) {
        group->blocked[id][other] = cut;
        group->blocked[other][id] = cut;
    }
}

static inline err group_propose(struct group *group, node_id id, const char *text)
{
    struct entry entry = {.data = buf_copy(slice_from_text(text))};
    err e = raft_propose(group_raft(group, id), &entry, 1, NULL);
    buf_unref(entry.data);
    return e;
}

static inline uint64_t group_committed(struct group *group, node_id id)
{
    return group_raft(group, id)->log.committed;
}

/* ---- One core alone, for messages by hand ---- */

/* Node 1 of three with the log's entries in `terms`, in `term`, of which `commit` are committed. */
struct solo {
    struct memlog log;
    struct raft *raft;
    struct raft_ready ready;
};

static inline void solo_init(struct solo *solo, const struct raft_config *options, uint64_t term,
                             uint64_t commit, const uint64_t *terms, uint32_t count)
{
    *solo = (struct solo){0};
    memlog_fill(&solo->log, terms, count);
    struct raft_config config = *options;
    config.id = 1;
    config.conf.voters = config.conf.voters.count > 0 ? config.conf.voters : ids_to(3);
    config.hard_state = (struct hard_state){.term = term, .commit = commit};
    config.storage = memlog_storage(&solo->log);
    assert_int_equal(raft_new(&solo->raft, &config), OK);
}

static inline void solo_deinit(struct solo *solo)
{
    raft_free(solo->raft);
    raft_entries_deinit(&solo->log.entries);
}

/* Takes a ready and makes it durable at once; borrowed until the next. */
static inline const struct raft_ready *solo_ready(struct solo *solo)
{
    raft_ready(solo->raft, &solo->ready);
    memlog_append(&solo->log, solo->ready.entries, solo->ready.entry_count);
    for (uint32_t i = 0; i < solo->ready.after_persist_count; i++) {
        if (solo->ready.messages_after_persist[i].to == solo->raft->id) {
            assert_int_equal(raft_step(solo->raft, &solo->ready.messages_after_persist[i]), OK);
        }
    }
    if (solo->ready.has_mark) {
        raft_persisted(solo->raft, &solo->ready.mark);
    }
    if (solo->ready.committed_count > 0) {
        raft_applied(solo->raft, solo->ready.committed[solo->ready.committed_count - 1].pos.index);
    }
    return &solo->ready;
}

/* Makes node 1 the leader of the next term by node 2's vote; its readies are taken. */
static inline void solo_lead(struct solo *solo)
{
    assert_int_equal(raft_campaign(solo->raft), OK);
    (void)solo_ready(solo);
    struct message vote = {.type = MSG_VOTE_RESP, .from = 2, .to = 1, .term = solo->raft->term};
    assert_int_equal(raft_step(solo->raft, &vote), OK);
    assert_int_equal(solo->raft->role, RAFT_LEADER);
    (void)solo_ready(solo);
}

/* The first message of this type among those of a list, or NULL. */
static inline const struct message *find_message(const struct message *messages, uint32_t count,
                                                 enum message_type type)
{
    for (uint32_t i = 0; i < count; i++) {
        if (messages[i].type == type) {
            return &messages[i];
        }
    }
    return NULL;
}

#endif
