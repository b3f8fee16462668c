/*
 * Raft messages: what one core sends to another. The set and the meaning of the fields follow the
 * observable behaviour of the reference implementation (etcd-io/raft), so that its traces are ours.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "proto/conf.h"

/* The values stand on the wire. */
enum message_type {
    MSG_HUP = 0,  /* local: campaign */
    MSG_BEAT = 1, /* local: send heartbeats */
    MSG_PROP = 2,
    MSG_APP = 3,
    MSG_APP_RESP = 4,
    MSG_VOTE = 5,
    MSG_VOTE_RESP = 6,
    MSG_SNAP = 7,
    MSG_HEARTBEAT = 8,
    MSG_HEARTBEAT_RESP = 9,
    MSG_UNREACHABLE = 10,
    MSG_SNAP_STATUS = 11,
    MSG_CHECK_QUORUM = 12,
    MSG_TRANSFER_LEADER = 13,
    MSG_TIMEOUT_NOW = 14,
    MSG_READ_INDEX = 15,
    MSG_READ_INDEX_RESP = 16,
    MSG_PRE_VOTE = 17,
    MSG_PRE_VOTE_RESP = 18,
    MSG_FORGET_LEADER = 19,
    MSG_TYPE_COUNT
};

/* What a snapshot stands for; its contents travel on their own (data is small or empty here). */
struct snapshot {
    struct raft_pos pos;
    struct conf_state conf;
    struct buf *data; /* one reference, or NULL */
};

/* Identifies a read-index request: the asking node and its own number, unique over its life. */
struct read_ctx {
    node_id node;
    uint64_t sequence; /* 0: no context */
};

struct message {
    enum message_type type;
    node_id to;
    node_id from;
    uint64_t term;
    uint64_t log_term; /* MSG_APP: term of the entry at `index`; MSG_VOTE: of the last entry */
    uint64_t index;
    uint64_t commit;
    uint64_t commit_term; /* votes and their answers: of the entry at `commit`; 0: none is told */
    node_id vote;
    bool reject;
    uint64_t reject_hint;
    bool is_transfer; /* MSG_VOTE: campaign by leadership transfer, overrides stickiness */
    struct read_ctx read;
    const struct entry *entries; /* borrowed; their positions are consecutive in MSG_APP */
    uint32_t entry_count;
    const struct snapshot *snapshot; /* borrowed; MSG_SNAP only, else NULL */
};

/* "MsgApp" and so on, as the reference names them. Static storage. */
const char *message_type_name(enum message_type type);

/*
 * Appends the encoding (README.md: raft message). A message that never leaves its node (MSG_HUP,
 * MSG_BEAT, MSG_UNREACHABLE, MSG_SNAP_STATUS, MSG_CHECK_QUORUM) has none.
 */
void message_encode(const struct message *message, struct writer *out);

/*
 * A decoded message owns its entries and snapshot: a fresh buf for each entry's data, so that one
 * small entry does not pin a whole frame. It points into itself: do not copy it.
 */
struct owned_message {
    struct message message;
    struct entry *entries;
    struct snapshot snapshot;
};

/*
 * Decodes one message from `in`, leaving `in` after it. What it gives out is one that may travel,
 * with entries only in MSG_PROP and MSG_APP, there following `index` and `log_term` without a gap,
 * up to `term`; whether `from` and `to` are right is the caller's to check. Caller deinits.
 *
 * Errors: ERR_MALFORMED (nothing is owned then).
 */
MUST_USE err message_decode(struct reader *in, struct owned_message *out_message);
/* Gives entries and snapshot back; idempotent. */
void message_deinit(struct owned_message *message);

#endif
