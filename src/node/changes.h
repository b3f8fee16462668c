/*
 * Changes of a region's membership on their way: at most one that somebody waits for, and those
 * that the leader makes by itself (learners that have caught up become voters).
 *
 * C1  Only a leader in contact with a quorum takes a change, and proposes it at once or refuses it:
 *     so a refusal is always "not applied".
 * C2  What was proposed is answered, by whatever is applied at its place in the log; past its
 *     deadline its outcome is unknown.
 * C3  It is answered OK only when a quorum of the new configuration durably knows that it is
 *     committed. A configuration is in force where it is applied: until then those that stay may
 *     still need the votes of those that go, who are about to be switched off. So an entry after it
 *     (the seal) is committed first: it carries the commit index with it.
 * C4  Unless it is forced, a change is refused if the voters that it would leave could not agree
 *     without a member that cannot vote now (contact.h): one in repair may wait for a leader, which
 *     then waits for it. Who is new is counted on: whoever brings it knows (A3 of admin_requests.h
 *     asks for more). It is decided when the change is proposed: what happens to a member after
 *     that, nobody can prevent.
 */
#ifndef NODE_CHANGES_H
#define NODE_CHANGES_H

#include "node/node.h"

struct replica;

/* All zero at first. */
struct changes {
    struct node_change *waiting; /* proposed; NULL: none */
    bool is_applied;      /* that one is: it waits for the end of the joint state, the seal */
    struct raft_pos seal; /* proposed; 0/0: not yet (C3) */
};

/* Proposes `change` or answers it. */
void changes_begin(struct replica *replica, struct node_change *change);

/* The voter that has most of the log, of those that are there and stay voters after `change` (NULL:
 * all do), one that is drained or whose disk stalls only if there is no other; 0: there is none. Of
 * a leader that cannot stay. */
node_id changes_successor(const struct replica *replica, const struct conf_change *change);

/* A leader that can't do its work asks a voter that can to lead: none that is drained, and would do
 * the same. False: there is none, or one is being asked already. */
bool changes_hand_over(struct replica *replica);

/* Of a leader: whether this member has nearly all of the log, and is there. */
bool changes_has_caught_up(const struct replica *replica, node_id id);

/*
 * The entry at `pos` is applied. `e`: what became of the change that stood there; ERR_BUSY: there
 * stood none.
 */
void changes_applied(struct replica *replica, struct raft_pos pos, err e);

/* A snapshot was installed: what became of the entries up to `index` is not told. */
void changes_passed(struct replica *replica, uint64_t index);

/* Answers what is past its deadline; the leader promotes learners. Every tick. */
void changes_tick(struct replica *replica, uint64_t now_ms);

/* Answers what is left. */
void changes_close(struct replica *replica);

#endif
