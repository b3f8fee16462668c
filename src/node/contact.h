/*
 * When each peer's core was last heard from. A leader that has no quorum in contact does not
 * propose: what it has not proposed can be refused for sure (503), what it has cannot (504);
 * docs/adr/0015. What counts are raft's own messages, not the connection: a peer in repair is
 * connected, and neither votes nor acknowledges (repair.h, G1).
 */
#ifndef NODE_CONTACT_H
#define NODE_CONTACT_H

#include "proto/conf.h"

struct contact_peer {
    node_id id;
    uint64_t heard_ms; /* 0: not yet */
    bool is_mending;   /* it has said since then that it has no core */
};

/* All zero: nobody was heard. */
struct contact {
    uint32_t count;
    struct contact_peer peers[MEMBERS_MAX];
};

/* `peer`'s core has spoken at `now_ms`. */
void contact_heard(struct contact *contact, node_id peer, uint64_t now_ms);
/* `peer` says that it is in repair: it is not in contact until its core speaks. */
void contact_mends(struct contact *contact, node_id peer);
/* Whether that is the last that was heard of it. */
bool contact_is_mending(const struct contact *contact, node_id peer);
/* Its connection is gone, or it is no member any more: forgotten until it speaks again. */
void contact_lost(struct contact *contact, node_id peer);
/* Whether `peer` was not heard within window_ms, or is in repair since. */
bool contact_is_lost(const struct contact *contact, node_id peer, uint64_t now_ms,
                     uint64_t window_ms);
/* Whether nobody was. */
bool contact_is_quiet(const struct contact *contact, uint64_t now_ms, uint64_t window_ms);
/* Whether a quorum of `conf` (of both halves while joint), `self` included, was heard within
 * window_ms. */
bool contact_has_quorum(const struct contact *contact, const struct conf_state *conf, node_id self,
                        uint64_t now_ms, uint64_t window_ms);

#endif
