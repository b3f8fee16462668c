/*
 * Who is a member of a region, and what follows from it for this node: whom it is connected to,
 * whose directory it remembers, whether it has been taken in, or removed.
 *
 * M1  The address book (replica->membership) has the members of the configuration and nobody else.
 *     It changes with committed entries alone, on every node alike.
 * M2  Who leaves the configuration keeps its connection for a while: it should still hear that its
 *     own removal is committed. Then connection and remembered instance go.
 * M3  A node that is joining keeps the peers it was told of, at the addresses it was told, until
 *     it finds itself among the members: the log that it catches up with tells of older times.
 * M4  It counts as taken in only when that stands in its checkpoint: from then on its own disk
 *     says whom to ask. An orderly end waits for that (finish.h), if it has the entry by then.
 * M5  Who hears a leader knows who the members are, and refuses all others: so a node that was
 *     removed is told. Who hears none may have slept through changes, or not be taken in yet: it
 *     takes whoever speaks for this cluster, until the membership says more or a while is over. So
 *     does a node that was removed: those that have not heard of that yet may need its vote.
 * M6  A refusal says as of which applied entry the node is no member. If that is not before what
 *     the node has applied itself, as a member, it was removed in between: entries that are applied
 *     are the same everywhere. So it learns what M2 may be too short for. It is not written down:
 *     after a restart it is told again.
 * M8  Who was removed is let go (node.h, `removed`) once nobody has spoken to it for a while: all
 *     that it could speak to know that it is none of them. Only then is its directory marked.
 * M7  By which directory a peer was met is remembered from the meeting to the removal, and holds as
 *     soon as the peer is one again after a restart, be it by an entry that is replayed. Who is
 *     removed in a checkpoint alone is forgotten when the log has been replayed.
 */
#ifndef NODE_MEMBERS_H
#define NODE_MEMBERS_H

#include "proto/membership.h"

struct replica;

struct members_leaving {
    node_id id;
    uint64_t until_ms;
};

/* All zero at first. */
struct members {
    bool is_removed;         /* this node was a member, and is none any more */
    bool is_cut_off;         /* removed, and its connections are gone */
    bool is_let_go;          /* M8 */
    uint64_t removed_index;  /* then: as of which entry */
    uint64_t joined_index;   /* the entry that made this node a member; 0: known from the start */
    uint64_t replayed_index; /* M7: up to it the log tells of what this node knew before it was
                              * started; 0: that is over */
    uint32_t leaving_count;  /* M2 */
    struct members_leaving leaving[MEMBERS_MAX];
};

/* The address book as the configuration is by now in `membership`, with who is `added` to it. */
void members_update(struct membership *membership, const struct membership *added);

/* As of the entry at `index`, `membership` is in force: connects, says farewell, logs. */
void members_adopt(struct replica *replica, const struct membership *membership, uint64_t index);

/* The membership with which this node starts is known. */
void members_start(struct replica *replica);

/*
 * A node of this cluster dials that is no peer: true if it is taken for a member, for a while (M5).
 * Else `out_as_of` is the index of the entry as of which it is none; 0: it is one.
 */
bool members_take_stranger(struct replica *replica, node_id id, const char *address,
                           uint64_t *out_as_of);

/* A member refuses this node, which is not among the members as of the entry at `as_of` (M6). */
void members_told_of_removal(struct replica *replica, uint64_t as_of);

/* Whether it counts as taken in (M4). If not, it looks for that, and asks for the checkpoint. */
bool members_settle(struct replica *replica);

/* Farewells that are over; the end of joining; the end of a removed node's connections. */
void members_tick(struct replica *replica, uint64_t now_ms);

#endif
