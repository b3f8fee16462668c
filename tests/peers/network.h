/*
 * More hands for the fixture of tests/unit/raft: logs to begin with, links that are cut, types of
 * messages that are lost or held back, messages made by hand.
 */
#ifndef PEERS_NETWORK_H
#define PEERS_NETWORK_H

#include "fixture.h"

/* ---- Groups ---- */

/* What one node has on its disk before it starts. */
struct past {
    uint64_t term;
    node_id vote;
    uint64_t commit;
    const uint64_t *terms; /* of its log's entries, from index 1 */
    uint32_t count;
};

/* A stopped node gets another past. */
static inline void give_past(struct group *group, node_id id, const struct past *past)
{
    group_crash(group, id);
    memlog_fill(&group->peers[id].log, past->terms, past->count);
    group->peers[id].durable =
        (struct hard_state){.term = past->term, .vote = past->vote, .commit = past->commit};
    group_start(group, id);
}

/* `count` voters in term 1 with empty logs: their first election is for term 2. */
static inline struct group *group_in_term_1(uint32_t count, const struct raft_config *config)
{
    struct group *group = group_new(count, config);
    for (node_id id = 1; id <= count; id++) {
        struct past past = {.term = 1};
        give_past(group, id, &past);
    }
    return group;
}

/* The first `voters` nodes are voters, the others up to `count` learners. */
static inline struct group *group_with_learners(uint32_t voters, uint32_t count,
                                                const struct raft_config *config)
{
    struct group *group = group_new(count, config);
    for (node_id id = 1; id <= count; id++) {
        group_crash(group, id);
        struct conf_state *conf = &group->peers[id].config.conf;
        *conf = (struct conf_state){.voters = ids_to(voters)};
        for (node_id learner = voters + 1; learner <= count; learner++) {
            assert_true(id_set_add(&conf->learners, learner));
        }
        group_start(group, id);
    }
    return group;
}

static inline void cut(struct group *group, node_id one, node_id other)
{
    group->blocked[one][other] = true;
    group->blocked[other][one] = true;
}

/* All links and all types of messages work again. */
static inline void heal(struct group *group)
{
    memset(group->blocked, 0, sizeof(group->blocked));
    memset(group->ignored, 0, sizeof(group->ignored));
}

/* Campaigns, and lets everything happen that follows; with whatever result. */
static inline void campaign(struct group *group, node_id id)
{
    assert_int_equal(raft_campaign(group_raft(group, id)), OK);
    group_settle(group);
}

/* A leader's ticks up to its next heartbeat, and what follows. */
static inline void beat(struct group *group, node_id id)
{
    assert_int_equal(group_raft(group, id)->role, RAFT_LEADER);
    for (uint32_t i = 0; i < group->peers[id].config.heartbeat_ticks; i++) {
        raft_tick(group_raft(group, id));
    }
    group_settle(group);
}

/* Ticks of one node, which hands nothing out meanwhile. */
static inline void tick(struct raft *raft, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        raft_tick(raft);
    }
}

/* Its clock runs until it is no longer patient. */
static inline void tick_until_it_campaigns(struct raft *raft)
{
    tick(raft, raft->randomized_election_ticks);
}

static inline void propose(struct group *group, node_id id, const char *text)
{
    assert_int_equal(group_propose(group, id, text), OK);
    group_settle(group);
}

static inline void step(struct group *group, const struct message *message)
{
    err e = raft_step(group_raft(group, message->to), message);
    assert_int_equal(e, OK);
    group_settle(group);
}

static inline void expect_role(struct group *group, node_id id, enum raft_role role, uint64_t term)
{
    assert_int_equal(group_raft(group, id)->role, role);
    assert_int_equal(group_raft(group, id)->term, term);
}

/* Leader and followers, of any term. */
static inline void expect_leader(struct group *group, node_id leader)
{
    for (node_id id = 1; id <= group->count; id++) {
        enum raft_role role = id == leader ? RAFT_LEADER : RAFT_FOLLOWER;
        assert_int_equal(group_raft(group, id)->role, role);
    }
}

/* Who leads, nobody is being handed leadership, as one node sees it. */
static inline void expect_settled_transfer(struct group *group, node_id id, node_id leader)
{
    const struct raft *raft = group_raft(group, id);
    assert_int_equal(raft->role, id == leader ? RAFT_LEADER : RAFT_FOLLOWER);
    assert_int_equal(raft->leader, leader);
    assert_int_equal(raft->transfer_target, 0);
}

/* Lets everything happen but the arrival of one type of message, which goes into `held`. */
static inline void settle_holding(struct group *group, enum message_type type,
                                  struct raft_outbox *held)
{
    while (group_work(group) || group->network.count > 0) {
        for (uint32_t left = group->network.count; left > 0; left--) {
            if (group->network.messages[0].type == type) {
                outbox_copy(held, &group->network.messages[0]);
            } else {
                group_deliver(group, 0);
            }
            group_drop(group, 0);
        }
    }
}

/* ---- Logs ---- */

static inline uint64_t term_at(const struct raft *raft, uint64_t index)
{
    uint64_t term = 0;
    assert_int_equal(raft_log_term(&raft->log, index, &term), OK);
    return term;
}

/* The log's entries from index 1 have just these terms. */
static inline void expect_terms(const struct raft *raft, const uint64_t *terms, uint32_t count)
{
    assert_int_equal(raft_log_last_index(&raft->log), count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(term_at(raft, i + 1), terms[i]);
    }
}

/* The entry at `index` is this text. */
static inline void expect_entry(const struct raft *raft, uint64_t index, const char *text)
{
    struct raft_entries entries = {0};
    assert_int_equal(raft_log_entries(&raft->log, index, 0, &entries), OK);
    assert_int_equal(entries.count, 1);
    struct slice expected = slice_from_text(text);
    assert_true(slice_equal(buf_slice(entries.items[0].data), expected));
    raft_entries_deinit(&entries);
}

/* ---- One core, and messages to it by hand ---- */

static inline struct raft_progress *progress_of(struct raft *raft, node_id id)
{
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, id);
    assert_non_null(progress);
    return progress;
}

/* Node 1 of `voters`, in no term yet, with an empty log. */
static inline void solo_blank(struct solo *solo, uint32_t voters, const struct raft_config *options)
{
    struct raft_config config = *options;
    config.conf.voters = ids_to(voters);
    solo_init(solo, &config, 0, 0, NULL, 0);
}

/* Node 1 of `voters` in term 1, with a log that begins after a snapshot at `index`. */
static inline void solo_after_snapshot(struct solo *solo, uint32_t voters, uint64_t index,
                                       const struct raft_config *options)
{
    struct raft_pos pos = {.term = 1, .index = index};
    *solo = (struct solo){.log = {.compacted = pos}};
    solo->log.snapshot = (struct snapshot){.pos = pos, .conf.voters = ids_to(voters)};
    struct raft_config config = *options;
    config.id = 1;
    config.conf.voters = ids_to(voters);
    config.applied = index;
    config.hard_state = (struct hard_state){.term = 1, .commit = index};
    config.storage = memlog_storage(&solo->log);
    assert_int_equal(raft_new(&solo->raft, &config), OK);
}

/* Node 1 of `voters`, leading in term 1; its first entry is durable, its messages are taken. */
static inline void solo_leader(struct solo *solo, uint32_t voters,
                               const struct raft_config *options)
{
    solo_blank(solo, voters, options);
    raft_become_candidate(solo->raft);
    raft_become_leader(solo->raft);
    (void)solo_ready(solo);
}

static inline void solo_propose(struct solo *solo, const char *text)
{
    struct entry entry = {.data = buf_copy(slice_from_text(text))};
    assert_int_equal(raft_propose(solo->raft, &entry, 1, NULL), OK);
    buf_unref(entry.data);
}

/* An answer of a follower of the present term. */
static inline struct message answer_of(const struct raft *raft, enum message_type type,
                                       node_id from)
{
    return (struct message){.type = type, .from = from, .to = raft->id, .term = raft->term};
}

static inline void acknowledge(struct raft *raft, node_id from, uint64_t index)
{
    struct message ack = answer_of(raft, MSG_APP_RESP, from);
    ack.index = index;
    assert_int_equal(raft_step(raft, &ack), OK);
}

/* Messages of one type that a ready sends, at once or after it is durable, to others. */
static inline uint32_t count_sent(const struct raft_ready *ready, enum message_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ready->message_count; i++) {
        count += ready->messages[i].type == type ? 1 : 0;
    }
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        const struct message *message = &ready->messages_after_persist[i];
        count += message->type == type && message->to != message->from ? 1 : 0;
    }
    return count;
}

/* All that a ready sends to others. */
static inline uint32_t count_all_sent(const struct raft_ready *ready)
{
    uint32_t count = 0;
    for (int type = 0; type < MSG_TYPE_COUNT; type++) {
        count += count_sent(ready, (enum message_type)type);
    }
    return count;
}

/* The one message that a ready sends to others. */
static inline const struct message *only_sent(const struct raft_ready *ready)
{
    assert_int_equal(count_all_sent(ready), 1);
    if (ready->message_count == 1) {
        return &ready->messages[0];
    }
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        if (ready->messages_after_persist[i].to != ready->messages_after_persist[i].from) {
            return &ready->messages_after_persist[i];
        }
    }
    fail();
    return NULL;
}

/* Brings a core into a role, from follower; term grows by one where a candidate is passed. */
static inline void force_role(struct raft *raft, enum raft_role role)
{
    if (role == RAFT_PRE_CANDIDATE) {
        raft_become_pre_candidate(raft);
    } else if (role == RAFT_CANDIDATE || role == RAFT_LEADER) {
        raft_become_candidate(raft);
    }
    if (role == RAFT_LEADER) {
        raft_become_leader(raft);
    }
}

#endif
