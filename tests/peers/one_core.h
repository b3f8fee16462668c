/*
 * One core with a log in memory, driven turn by turn, and a trail of what it did: for tests that
 * look at a single node's side of a conversation. What the others say is written by hand.
 */
#ifndef PEERS_ONE_CORE_H
#define PEERS_ONE_CORE_H

#include "fixture.h"

/* What a core did since the trail was cleared; `sent` since the last call of solo_run. */
struct trail {
    struct raft_outbox sent; /* to others, what waited for the disk included */
    struct raft_entries written;
    struct raft_entries applied;
    struct conf_state conf;      /* after the last membership change that was applied */
    struct conf_state bootstrap; /* what an ENTRY_BOOTSTRAP stands for here */
    uint32_t conf_change_count;
    struct raft_read_state reads[8];
    uint32_t read_count;
};

static inline void trail_deinit(struct trail *trail)
{
    raft_outbox_deinit(&trail->sent);
    raft_entries_deinit(&trail->written);
    raft_entries_deinit(&trail->applied);
}

/* Node 1 of `voters`; nothing else is set. */
static inline struct raft_config config_of(uint32_t voters)
{
    struct raft_config config = default_config();
    config.id = 1;
    config.conf.voters = ids_to(voters);
    return config;
}

/* A core that starts with `config` as it is, over the log in `solo`. */
static inline void solo_open(struct solo *solo, const struct raft_config *config)
{
    struct raft_config started = *config;
    started.storage = memlog_storage(&solo->log);
    assert_int_equal(raft_new(&solo->raft, &started), OK);
}

/* The same, with entries of `terms` in the log, from index 1 on. */
static inline void solo_open_with(struct solo *solo, const struct raft_config *config,
                                  const uint64_t *terms, uint32_t count)
{
    *solo = (struct solo){0};
    memlog_fill(&solo->log, terms, count);
    solo_open(solo, config);
}

static inline void solo_apply(struct solo *solo, const struct entry *entry, struct trail *trail)
{
    raft_entries_push(&trail->applied, entry);
    if (entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2) {
        struct conf_change change;
        assert_int_equal(conf_change_decode(buf_slice(entry->data), &change), OK);
        assert_int_equal(raft_apply_conf_change(solo->raft, &change, &trail->conf), OK);
        trail->conf_change_count++;
    } else if (entry->type == ENTRY_BOOTSTRAP) {
        assert_int_equal(raft_apply_bootstrap(solo->raft, &trail->bootstrap), OK);
    }
}

/* Makes durable what the ready in `solo` asks for. */
static inline void solo_write(struct solo *solo, struct trail *trail)
{
    const struct raft_ready *ready = &solo->ready;
    if (ready->snapshot != NULL) {
        raft_entries_clear(&solo->log.entries);
        solo->log.compacted = ready->snapshot->pos;
    }
    memlog_append(&solo->log, ready->entries, ready->entry_count);
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        raft_entries_push(&trail->written, &ready->entries[i]);
    }
}

static inline void trail_messages(struct trail *trail, node_id self, const struct message *messages,
                                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (messages[i].to != self) {
            outbox_copy(&trail->sent, &messages[i]);
        }
    }
}

/* One ready, from taking it to having applied it; it stands in solo->ready. */
static inline const struct raft_ready *solo_turn(struct solo *solo, struct trail *trail)
{
    struct raft *raft = solo->raft;
    const struct raft_ready *ready = &solo->ready;
    raft_ready(raft, &solo->ready);
    trail_messages(trail, raft->id, ready->messages, ready->message_count);
    solo_write(solo, trail);
    trail_messages(trail, raft->id, ready->messages_after_persist, ready->after_persist_count);
    for (uint32_t i = 0; i < ready->after_persist_count; i++) {
        if (ready->messages_after_persist[i].to == raft->id) {
            assert_int_equal(raft_step(raft, &ready->messages_after_persist[i]), OK);
        }
    }
    if (ready->has_mark) {
        raft_persisted(raft, &ready->mark);
    }
    for (uint32_t i = 0; i < ready->read_state_count; i++) {
        assert_true(trail->read_count < ARRAY_COUNT(trail->reads));
        trail->reads[trail->read_count++] = ready->read_states[i];
    }
    for (uint32_t i = 0; i < ready->committed_count; i++) {
        solo_apply(solo, &ready->committed[i], trail);
    }
    if (ready->committed_count > 0) {
        raft_applied(raft, ready->committed[ready->committed_count - 1].pos.index);
    }
    return ready;
}

/* Turns until the core rests. */
static inline void solo_run(struct solo *solo, struct trail *trail)
{
    raft_outbox_clear(&trail->sent);
    while (raft_has_ready(solo->raft)) {
        (void)solo_turn(solo, trail);
    }
}

static inline void solo_expect(struct solo *solo, struct message message, err expected)
{
    assert_int_equal(raft_step(solo->raft, &message), expected);
}

/* A message from node `from` in the core's own term, unless one is given; it is taken. */
static inline void solo_hear(struct solo *solo, struct message message)
{
    message.to = solo->raft->id;
    message.term = message.term == 0 ? solo->raft->term : message.term;
    solo_expect(solo, message, OK);
}

static inline void solo_ack(struct solo *solo, node_id from, uint64_t index)
{
    solo_hear(solo, (struct message){.type = MSG_APP_RESP, .from = from, .index = index});
}

/* The leader of the next term, by the votes of all others; its readies are taken. */
static inline void solo_win(struct solo *solo, struct trail *trail)
{
    assert_int_equal(raft_campaign(solo->raft), OK);
    solo_run(solo, trail);
    uint32_t voters = solo->raft->tracker.conf.voters.count;
    for (node_id id = 2; id <= voters && solo->raft->role == RAFT_CANDIDATE; id++) {
        solo_hear(solo, (struct message){.type = MSG_VOTE_RESP, .from = id});
    }
    assert_int_equal(solo->raft->role, RAFT_LEADER);
    solo_run(solo, trail);
}

/* The nodes whose bits stand in `who` accept the appends sent to them. True if there were any. */
static inline bool solo_accept(struct solo *solo, const struct trail *trail, uint32_t who)
{
    bool any = false;
    for (uint32_t i = 0; i < trail->sent.count; i++) {
        const struct message *message = &trail->sent.messages[i];
        if (message->type == MSG_APP && (who >> message->to & 1) != 0) {
            solo_ack(solo, message->to, message->index + message->entry_count);
            any = true;
        }
    }
    return any;
}

#define EVERYBODY UINT32_MAX

/* Everybody accepts everything, until nothing is left to say. */
static inline void solo_agree(struct solo *solo, struct trail *trail)
{
    while (solo_accept(solo, trail, EVERYBODY)) {
        solo_run(solo, trail);
    }
}

/* Takes one of the three roles in term 1, as a node that starts from nothing. */
static inline void solo_become(struct solo *solo, enum raft_role role, struct trail *trail)
{
    if (role == RAFT_FOLLOWER) {
        solo_hear(solo, (struct message){.type = MSG_HEARTBEAT, .from = 2, .term = 1});
        solo_run(solo, trail);
    } else if (role == RAFT_CANDIDATE) {
        assert_int_equal(raft_campaign(solo->raft), OK);
        solo_run(solo, trail);
    } else {
        solo_win(solo, trail);
    }
    assert_int_equal(solo->raft->term, 1);
    assert_int_equal(solo->raft->role, role);
}

static inline err solo_propose(struct solo *solo, const char *text)
{
    struct entry entry = {.data = buf_copy(slice_from_text(text))};
    err e = raft_propose(solo->raft, &entry, 1, NULL);
    buf_unref(entry.data);
    return e;
}

static inline void expect_data(const struct entry *entry, const char *text)
{
    assert_true(slice_equal(buf_slice(entry->data), slice_from_text(text)));
}

static inline void expect_pos(const struct entry *entry, uint64_t term, uint64_t index)
{
    assert_int_equal(entry->pos.term, term);
    assert_int_equal(entry->pos.index, index);
}

/* The list's terms must be these, its indexes `first` and on. */
static inline void expect_terms(const struct raft_entries *list, uint64_t first,
                                const uint64_t *terms, uint32_t count)
{
    assert_int_equal(list->count, count);
    for (uint32_t i = 0; i < count; i++) {
        expect_pos(&list->items[i], terms[i], first + i);
    }
}

#endif
