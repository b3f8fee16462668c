/*
 * --join: a node asks a cluster to take it in, before it opens. What it needs to know comes from
 * the answer: its id, the cluster's, and the members to dial.
 *
 * J1  Asking again is harmless: the cluster knows the address, or the id that the directory has. So
 *     it is asked in short pieces, and why one of them was in vain is logged, once.
 * J2  A directory that was taken in once needs nobody: it is only started, whatever --join says.
 */
#ifndef MAIN_JOIN_H
#define MAIN_JOIN_H

#include "base/log.h"
#include "env/env.h"
#include "main/options.h"

/* What to open the node with. */
struct join_place {
    node_id id;
    uint64_t cluster_id;
    bool is_joining;
    struct member members[MEMBERS_MAX]; /* to be dialled, or this node alone */
    uint32_t member_count;
};

/*
 * Finds the place of a node with `options`, which have a --join. Blocks, for half a minute at most.
 * Errors, with a note: ERR_CONFLICT (it was refused), ERR_NO_LEADER (nobody took it), ERR_MALFORMED
 * (an answer of somebody else), and those of node_look_at.
 */
MUST_USE err main_join(struct env *env, struct log *log, const struct options *options,
                       struct join_place *out_place, struct err_note *note);

/* Reads the answer to POST /admin/members. ERR_MALFORMED, with a note. */
MUST_USE err main_join_parse(struct slice answer, struct join_place *out_place,
                             struct err_note *note);

#endif
