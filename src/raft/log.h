/*
 * The log as the core sees it: the stable one (struct raft_storage) and over it the unstable tail;
 * and how far it is committed and applied.
 *
 * L1  applied <= applying <= committed <= last index. `committed` and what it covers never go back.
 * L2  No entry at or below `committed` is ever replaced. To be asked to is our own fault, never a
 *     message's: raft_log_try_append starts to compare at or after `committed`.
 * L3  Two logs with the same (term, index) are equal up to there (paper, section 5.3, Log
 *     Matching).
 * L4  What is handed out for applying and not confirmed yet is bounded by max_applying_size; at
 *     least one entry goes out when nothing is.
 */
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/unstable.h"

/* One ready's committed entries on their way through the state machine. */
struct raft_apply_batch {
    uint64_t last_index;
    uint64_t weight;    /* sum of raft_entry_weight */
    uint64_t term;      /* of the last entry */
    uint64_t data_size; /* sum of entry_size of the entries of that term */
};

struct raft_log {
    const struct raft_storage *storage;
    struct raft_unstable unstable;
    uint64_t committed;
    uint64_t applying; /* handed out for applying */
    uint64_t applied;
    uint64_t max_applying_size;
    uint64_t applying_size;
    bool applying_paused;
    struct raft_apply_batch *batches; /* in order; their weights sum to applying_size */
    uint32_t batch_count;
    uint32_t batch_capacity;
};

/* The stable log, nothing of it committed but what is compacted. Borrows `storage`. */
void raft_log_init(struct raft_log *log, const struct raft_storage *storage,
                   uint64_t max_applying_size);
void raft_log_deinit(struct raft_log *log);

/* The lowest index whose entry is there; the one after the last if the log has no entries. */
uint64_t raft_log_first_index(const struct raft_log *log);
/* That of the snapshot before the log if it has no entries. */
uint64_t raft_log_last_index(const struct raft_log *log);
/* Index and term of the last entry, or of that snapshot. */
struct raft_pos raft_log_last(const struct raft_log *log);
/* The term at `index`. ERR_COMPACTED, ERR_UNAVAILABLE; also what the storage says. */
MUST_USE err raft_log_term(const struct raft_log *log, uint64_t index, uint64_t *out_term);
/* Whether the log has the entry at `pos`. */
bool raft_log_matches(const struct raft_log *log, struct raft_pos pos);
/* Whether a log that ends at `last` is at least as far as this one (paper, section 5.4.1). */
bool raft_log_is_up_to_date(const struct raft_log *log, struct raft_pos last);
/*
 * The highest index at or below `from.index` whose term is at most `from.term`: where another log
 * may agree at the latest. Term 0 if that part of the log is not there any more.
 */
struct raft_pos raft_log_find_conflict(const struct raft_log *log, struct raft_pos from);

/* Appends entries after the last one, or after `committed` to replace. Shares data. */
void raft_log_append(struct raft_log *log, const struct entry *entries, uint32_t count);
/*
 * A follower's append (section 5.3): if the log has `prev`, takes what it does not have yet of the
 * entries after it, replaces what contradicts them, and commits up to `leader_commit`, but not
 * beyond what was compared here. prev.index >= committed. False: the log does not have `prev`.
 */
MUST_USE bool raft_log_try_append(struct raft_log *log, struct raft_pos prev,
                                  const struct entry *entries, uint32_t count,
                                  uint64_t leader_commit);
/* The log becomes the snapshot. Shares its data. */
void raft_log_restore(struct raft_log *log, const struct snapshot *snapshot);

/* Commits up to `index`, at most the last one; nothing if that is committed already. */
void raft_log_commit_to(struct raft_log *log, uint64_t index);
/* Commits up to `pos` if that is news and the log has this entry. */
bool raft_log_maybe_commit(struct raft_log *log, struct raft_pos pos);

/*
 * Pushes entries from `low` on: at least one, then while their weights sum to at most `size_max`.
 * Nothing if `low` is behind the end.
 */
MUST_USE err raft_log_entries(const struct raft_log *log, uint64_t low, uint64_t size_max,
                              struct raft_entries *out_entries);

/* Whether raft_log_take_committed would give anything. `allow_unstable`: also what is not durable
 * yet. */
bool raft_log_has_committed(const struct raft_log *log, bool allow_unstable);
/* Pushes what is to be applied next and counts it as on its way. */
void raft_log_take_committed(struct raft_log *log, bool allow_unstable,
                             struct raft_entries *out_entries);
/*
 * Applied up to `index`. Returns the sum of entry_size over the batches that are through by that,
 * of the entries that are of the log's last term alone: a leader's own.
 */
uint64_t raft_log_applied_to(struct raft_log *log, uint64_t index);
/* Whether a configuration change is committed and not applied. */
bool raft_log_has_unapplied_conf_change(const struct raft_log *log);

#endif
