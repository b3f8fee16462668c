/*
 * What travels in the cluster of a script: messages between nodes, and between a node and its two
 * storage threads, which the reference treats as nodes of their own.
 */
#ifndef RAFT_TRACE_WIRE_H
#define RAFT_TRACE_WIRE_H

#include "raft/raft.h"

#define WIRE_APPEND_THREAD UINT64_MAX
#define WIRE_APPLY_THREAD (UINT64_MAX - 1)

enum wire_kind {
    WIRE_MESSAGE,
    WIRE_APPEND,
    WIRE_APPEND_RESP,
    WIRE_APPLY,
    WIRE_APPLY_RESP,
};

struct wire_list {
    struct wire *items;
    unsigned count;
    unsigned capacity;
};

/* Owns everything that `message` points to. */
struct wire {
    enum wire_kind kind;
    struct message message; /* of the other kinds: those fields that are printed */
    struct raft_entries entries;
    struct snapshot snapshot;
    struct raft_mark mark;      /* WIRE_APPEND_RESP */
    struct wire_list responses; /* WIRE_APPEND, WIRE_APPLY: to be sent when done */
};

/* A copy of `message`; shares what it points to. */
struct wire wire_copy(const struct message *message);
void wire_set_entries(struct wire *wire, const struct entry *entries, uint32_t count);
void wire_set_snapshot(struct wire *wire, const struct snapshot *snapshot);
/* "MsgApp", "MsgStorageAppend" and so on. */
const char *wire_type_name(const struct wire *wire);
bool wire_is_local(const struct wire *wire);
/* With `entries` and `snapshot` of the wire in their places; borrowed from `wire`. */
struct message wire_message(const struct wire *wire);
void wire_deinit(struct wire *wire);

/* Takes `wire`. */
void wire_list_push(struct wire_list *list, struct wire wire);
/* The one at `position`, which the list gives away. */
struct wire wire_list_take(struct wire_list *list, unsigned position);
/* Moves everything to the end of `target`. */
void wire_list_move(struct wire_list *source, struct wire_list *target);
void wire_list_deinit(struct wire_list *list);

#endif
