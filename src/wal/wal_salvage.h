/*
 * What can still be said of a damaged log, and how it makes room for a new one.
 *
 * L1  Entries are not salvaged: what this node has acknowledged is asked of the others. What only
 *     this node knows is in which term it is, and whom it voted for there.
 * L2  That is known if a hard state is whole that stands behind all damage: the last one counts,
 *     and none of a later batch can have been lost. Else the last whole one is a lower bound.
 */
#ifndef WAL_WAL_SALVAGE_H
#define WAL_WAL_SALVAGE_H

#include "wal/wal.h"

struct wal_salvage {
    struct hard_state hard_state; /* the last whole one of the region; all zero: none is */
    bool is_last;                 /* L2 */
};

/*
 * Looks through the damaged log in options->directory, which nobody has open, for what it says of
 * `region`. Blocks. ERR_DAMAGED: it is damaged and nothing else, `out_salvage` is filled. OK: it is
 * whole. Other errors as of wal_open, with a note: then it is not a matter of damage alone.
 */
MUST_USE err wal_salvage(const struct wal_options *options, region_id region,
                         struct wal_salvage *out_salvage, struct err_note *note);

/*
 * Renames the segments to NAME.damaged, removes the mark, durably: wal_open then makes a new log.
 * With `is_first` those of an earlier time are removed before. Nobody has the log open. Errors,
 * with a note: of env_dir_list, env_rename, env_unlink, env_dir_sync.
 */
MUST_USE err wal_set_aside(struct env *env, const char *directory, bool is_first,
                           struct err_note *note);

#endif
