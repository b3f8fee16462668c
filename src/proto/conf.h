/*
 * Configurations: who is a member of a region, how that changes, and where members are reached.
 * Sets of ids are small sorted arrays, plain values that can be copied and compared.
 */
#ifndef PROTO_CONF_H
#define PROTO_CONF_H

#include "base/codec.h"
#include "base/limits.h"
#include "proto/entry.h"

/* Sorted, without duplicates. */
struct id_set {
    uint32_t count;
    node_id ids[MEMBERS_MAX];
};

/* Whether `id` is in the set. */
bool id_set_has(const struct id_set *set, node_id id);
/* False if the set is full; adding what is there is true and changes nothing. */
MUST_USE bool id_set_add(struct id_set *set, node_id id);
/* Takes `id` out; no-op if it is not there. */
void id_set_remove(struct id_set *set, node_id id);
/* Whether the ids are as many as fit, sorted, without duplicates, none of them 0. */
bool id_set_is_valid(const struct id_set *set);
/* Whether both have the same ids. */
bool id_set_equal(const struct id_set *a, const struct id_set *b);

/* The configuration in force. Joint while voters_outgoing is not empty (dissertation, section 4.3).
 */
struct conf_state {
    struct id_set voters;
    struct id_set voters_outgoing;
    struct id_set learners;
    struct id_set
        learners_next; /* outgoing voters that become learners on leaving the joint state */
    bool auto_leave;
};

/* Whether `id` is a voter, incoming or outgoing, or a learner. */
bool conf_state_has(const struct conf_state *conf, node_id id);
/* Whether both are the same sets and the same flag. */
bool conf_state_equal(const struct conf_state *a, const struct conf_state *b);
/*
 * Whether the sets fit each other: no learner is a voter, incoming or outgoing; the next learners
 * are outgoing voters and no incoming ones; outside a joint configuration there are neither next
 * learners nor an automatic leave. What conf_state_decode gives out is valid.
 */
bool conf_state_is_valid(const struct conf_state *conf);
/* Appends the encoding of a valid configuration. */
void conf_state_encode(const struct conf_state *conf, struct writer *out);
/* Decodes a valid configuration from `in`, leaving `in` after it. ERR_MALFORMED. */
MUST_USE err conf_state_decode(struct reader *in, struct conf_state *out_conf);

/* The values stand on disk and on the wire. */
enum conf_change_type {
    CONF_CHANGE_ADD_VOTER = 0,
    CONF_CHANGE_REMOVE = 1,
    CONF_CHANGE_UPDATE = 2,
    CONF_CHANGE_ADD_LEARNER = 3,
};

enum conf_transition {
    CONF_TRANSITION_AUTO = 0, /* joint only if more than one voter changes; left automatically */
    CONF_TRANSITION_IMPLICIT = 1, /* joint, left automatically */
    CONF_TRANSITION_EXPLICIT = 2, /* joint, left by an empty change */
};

struct conf_change_single {
    enum conf_change_type type;
    node_id id;
};

/*
 * A membership change as it stands in an entry. With ENTRY_CONF_CHANGE: exactly one change,
 * transition AUTO. `context` is the proposer's own (pontoon: a membership, see membership.h).
 */
struct conf_change {
    enum conf_transition transition;
    uint32_t count; /* 0: leave the joint state */
    struct conf_change_single changes[MEMBERS_MAX];
    struct slice context; /* borrowed */
};

/* Appends the encoding. An empty change (count 0, AUTO, no context) encodes to nothing. */
void conf_change_encode(const struct conf_change *change, struct writer *out);
/* `out_change->context` borrows from `bytes`. ERR_MALFORMED. */
MUST_USE err conf_change_decode(struct slice bytes, struct conf_change *out_change);

#endif
