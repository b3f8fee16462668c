/*
 * A region's membership as the state machine keeps it: the configuration and each member's address.
 * The bootstrap entry carries one. A conf change carries one as its context: its members are those
 * that the change adds, or whose address it changes; its configuration is empty.
 */
#ifndef PROTO_MEMBERSHIP_H
#define PROTO_MEMBERSHIP_H

#include "proto/conf.h"

struct member {
    node_id id;
    char peer_address[ADDRESS_SIZE_MAX + 1]; /* HOST:PORT; empty: a node alone, without peers */
    bool wants_vote; /* a learner that is to become a voter as soon as it has caught up */
};

struct membership {
    struct conf_state conf;
    node_id id_max; /* the highest id that a member ever had: ids are not given twice */
    uint32_t member_count;
    struct member members[MEMBERS_MAX]; /* sorted by id */
};

/* The member with this id, borrowed until the membership changes; NULL if there is none. */
const struct member *membership_find(const struct membership *membership, node_id id);
/* Adds or replaces; false if full. */
MUST_USE bool membership_put(struct membership *membership, const struct member *member);
/* Takes the member out; no-op if it is not there. Configuration and id_max are not touched. */
void membership_remove(struct membership *membership, node_id id);
/* Appends the encoding. */
void membership_encode(const struct membership *membership, struct writer *out);
/* Decodes from `in`, leaving `in` after it. ERR_MALFORMED, ERR_VERSION. */
MUST_USE err membership_decode(struct reader *in, struct membership *out_membership);
/* Appends id (not 0) and address: alike for all versions, as the founding hash needs it. */
void member_encode(const struct member *member, struct writer *out);
/* What member_encode wrote, leaving `in` after it; the address is plain text. ERR_MALFORMED. */
MUST_USE err member_decode(struct reader *in, struct member *out_member);

#endif
