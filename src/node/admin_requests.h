/*
 * What an operator asks of the members: any node takes it, the leader carries it out. Above
 * changes.h, which knows configurations, this knows intentions: whether they fit, what they are
 * in the core's terms, and that they may be asked again.
 *
 * A1  It is answered once: by its deadline at the latest.
 * A2  Every operation may be carried out twice without harm: what was sent to a leader that is not
 *     heard of any more is asked again of the next (`is_again`), and finds that it is done.
 * A3  A change that could leave the region without a quorum is refused, unless it is forced: of the
 *     voters that there will be, a majority has to be able to vote now: their cores were heard
 *     (contact.h). Who is new counts as absent, and so does a member in repair, or one that moves:
 *     whether it is reached at its new address nobody knows before that is tried. A leader that
 *     cannot know yet who is away (replica_has_listened) waits before it refuses. Of what happens
 *     to a member once the change is proposed this knows nothing. Nor is a voter that is there
 *     replaced by who has to catch up first, unless it is forced: by a learner that has, it is.
 * A4  Ids are never given twice: the leader gives new ones, above all that ever were.
 * A5  Leadership is not offered to a named member that the leader does not reach, or whose core it
 *     does not hear, or that is drained: that is refused at once. To one that is behind it is
 *     offered again.
 * A6  A LIST waits for nobody but a leader that is there: where anything else would be put off, it
 *     is refused at once, for whoever asks during an outage needs an answer. It is answered also
 *     while this node is being drained.
 */
#ifndef NODE_ADMIN_REQUESTS_H
#define NODE_ADMIN_REQUESTS_H

#include "node/node.h"
#include "proto/admin.h"

struct replica;

struct admin_requests {
    struct list waiting; /* those of this node's clients */
    uint64_t next_number;
    struct admin_figures figures; /* of the LIST that is being answered */
};

/* Numbers of an earlier life must not be taken for ours: `first` is somewhere at random. */
void admin_requests_init(struct admin_requests *requests, uint64_t first);
/* Answers what is left: ERR_DRAINING or ERR_OUTCOME_UNKNOWN. */
void admin_requests_close(struct admin_requests *requests);

/* Takes a request (node_admin). */
void admin_requests_begin(struct replica *replica, struct node_admin *request);
/* Tries again what could not be done yet; answers what is past its deadline. Every tick. */
void admin_requests_tick(struct replica *replica, uint64_t now_ms);
/* A connection to or from `peer` is lost: what it was asked is asked again. */
void admin_requests_peer_lost(struct replica *replica, node_id peer);

/* FRAME_ADMIN: a peer's client asks this leader. */
void admin_requests_receive(struct replica *replica, node_id from, struct slice payload);
/* FRAME_ADMIN_RESULT. */
void admin_requests_receive_result(struct replica *replica, node_id from, struct slice payload);

#endif
