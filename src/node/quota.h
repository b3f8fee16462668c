/*
 * The storage quota as this node sees it go by. It decides nothing: that is done in applying, by
 * the quota that the proposing leader has put into the command and by the applied state, so it is
 * the same on every replica (docs/adr/0025). This tells people.
 *
 * Q1  Reached is a quota, more than half used, by which a write was refused, and one that the
 *     records are larger than: it was lowered, or what frees was remembered past it. Until they are
 *     not, and have shrunk by a tenth since, or a command brings along a larger quota, or none. So
 *     there is one line in the log at each end, however many writes are refused and taken in
 *     between.
 */
#ifndef NODE_QUOTA_H
#define NODE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "proto/command.h"

struct replica;

/* All zero at first. */
struct quota {
    uint64_t bytes; /* what the command that was applied last brought along; 0: none, or none yet */
    bool is_reached;
    uint64_t reached_bytes;      /* the quota then */
    uint64_t reached_used_bytes; /* what the records counted then */
    struct counter refused;      /* writes */
};

/* `command` was applied with `result`. */
void quota_applied(struct replica *replica, const struct command *command,
                   const struct command_result *result);

#endif
