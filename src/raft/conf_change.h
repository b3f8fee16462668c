/*
 * Arithmetic of membership changes: configuration and change in, configuration out. Nothing is
 * changed in place, so a change that does not fit leaves no trace.
 *
 * M1  A configuration is empty, or has voters.
 * M2  Learners are neither voters nor outgoing voters.
 * M3  Only a joint configuration has learners_next, and they are outgoing voters, not incoming
 *     ones and not yet learners: a demoted voter keeps its vote in the outgoing half until the
 *     joint state is left.
 * M4  Only a joint configuration is left automatically.
 * M5  All members together are at most MEMBERS_MAX.
 */
#ifndef RAFT_CONF_CHANGE_H
#define RAFT_CONF_CHANGE_H

#include "proto/conf.h"

enum raft_conf_fault {
    RAFT_CONF_OK,
    RAFT_CONF_ALREADY_JOINT,
    RAFT_CONF_NOT_JOINT,
    RAFT_CONF_SIMPLE_IN_JOINT,
    RAFT_CONF_JOINT_FROM_EMPTY,
    RAFT_CONF_NO_VOTERS,
    RAFT_CONF_TOO_MANY_VOTERS, /* more than one voter changes without a joint configuration */
    RAFT_CONF_TOO_MANY_MEMBERS,
};

/* One sentence part in lower case. Static storage. */
const char *raft_conf_fault_text(enum raft_conf_fault fault);

struct raft_conf_plan {
    struct conf_state conf;
    struct id_set renewed; /* members that were dropped and added again: nothing is known of them */
};

/* Whether two halves have to agree. */
bool raft_conf_is_joint(const struct conf_state *conf);
/* Whether `id` is in one of the two halves. */
bool raft_conf_is_voter(const struct conf_state *conf, node_id id);
/* Fills all members, by id. False if they are more than MEMBERS_MAX. */
MUST_USE bool raft_conf_members(const struct conf_state *conf, struct id_set *out_members);
/* M1 to M5, and sets that are sorted, without 0 and without duplicates: for what comes from
 * outside. */
bool raft_conf_is_valid(const struct conf_state *conf);

/* Changes at most one voter, at once. */
enum raft_conf_fault raft_conf_simple(const struct conf_state *conf,
                                      const struct conf_change *change,
                                      struct raft_conf_plan *out_plan);
/* The present voters become the outgoing half; the changes apply to the incoming half. */
enum raft_conf_fault raft_conf_enter_joint(const struct conf_state *conf,
                                           const struct conf_change *change, bool auto_leave,
                                           struct raft_conf_plan *out_plan);
enum raft_conf_fault raft_conf_leave_joint(const struct conf_state *conf,
                                           struct raft_conf_plan *out_plan);
/* The one of the three that `change` asks for. */
enum raft_conf_fault raft_conf_apply(const struct conf_state *conf,
                                     const struct conf_change *change,
                                     struct raft_conf_plan *out_plan);

#endif
