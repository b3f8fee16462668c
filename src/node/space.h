/*
 * Disks that are full, in the whole group: what is refused so that everything else goes on.
 *
 * S1  Short is a node whose log has no room for another segment and half of the present one used,
 *     or as good as that for a write that it refused; or whose last checkpoint failed for want of
 *     space. It says so to the others (condition.h), checkpoints, and cuts its log as far as its
 *     own checkpoint allows, whoever would still have needed it.
 * S2  A leader refuses a PUT (ERR_NO_SPACE, 507) while it is short itself, or while no majority of
 *     the voters has room: before it is proposed, so for sure. The other half of the segment is for
 *     DELETEs, its last quarter for what keeps the group together: members, terms, compaction.
 *     Nothing of this shows in what is applied.
 * S3  A leader that is short hands over to a voter with room that has the whole log, if a majority
 *     has room.
 * S4  It ends by itself, within a second or two of there being room.
 */
#ifndef NODE_SPACE_H
#define NODE_SPACE_H

#include "base/codec.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "proto/command.h"
#include "proto/membership.h"

struct replica;

/* All zero at first. */
struct space {
    bool is_short;
    size_t refused_bytes;   /* of the largest PUT that the log had no room for since it was short */
    struct counter refused; /* writes */
};

/* Looks at the disk, hands over. Every tick. */
void space_tick(struct replica *replica, uint64_t now_ms);
/* Of a leader: OK, or ERR_NO_SPACE, for a command that is about to be proposed, behind `pending`
 * bytes that the log has not been given yet. */
MUST_USE err space_admit(struct replica *replica, const struct buf *command, size_t pending);

#endif
