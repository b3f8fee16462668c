/* Messages waiting to be handed out, in order, with what they point to. */
#ifndef RAFT_OUTBOX_H
#define RAFT_OUTBOX_H

#include "raft/raft.h"

/* What a message owns besides itself. */
struct raft_outbox_cargo {
    struct raft_entries entries;
    struct snapshot *snapshot;
};

/* All zero is an empty one. */
struct raft_outbox {
    struct message *messages;
    struct raft_outbox_cargo *cargo; /* of messages[i] */
    uint32_t count;
    uint32_t capacity;
};

/*
 * Adds a copy of `message`. Takes `entries` (may be NULL; an empty list afterwards), which become
 * the message's entries, and shares message->snapshot's data.
 */
void raft_outbox_push(struct raft_outbox *outbox, const struct message *message,
                      struct raft_entries *entries);
/* Gives everything back and keeps the memory. */
void raft_outbox_clear(struct raft_outbox *outbox);
void raft_outbox_deinit(struct raft_outbox *outbox);

#endif
