#include "raft/progress.h"

#include "base/assert.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Something is known of the member that was not when the last message left. */
static void resume(struct raft_progress *progress)
{
    progress->is_append_paused = false;
    progress->is_probe_fresh = false;
}

static void enter(struct raft_progress *progress, enum raft_progress_state state)
{
    resume(progress);
    progress->pending_snapshot = 0;
    progress->state = state;
    raft_inflights_reset(&progress->inflights);
}

void raft_progress_reset(struct raft_progress *progress, uint64_t match, uint64_t next)
{
    ASSERT(match < next); /* P1 */
    enter(progress, RAFT_PROGRESS_PROBE);
    progress->match = match;
    progress->next = next;
    progress->sent_commit = 0;
    progress->recent_active = false;
    progress->vote = RAFT_VOTE_NONE;
    progress->read_round = 0;
}

static void set_next(struct raft_progress *progress, uint64_t next)
{
    ASSERT(next > progress->match); /* P1 */
    progress->next = next;
    progress->sent_commit = min_u64(progress->sent_commit, next - 1);
}

void raft_progress_become_probe(struct raft_progress *progress)
{
    /* A snapshot that was delivered is where the member is now, although it has not said so yet. */
    uint64_t delivered = progress->pending_snapshot;
    bool from_snapshot = progress->state == RAFT_PROGRESS_SNAPSHOT;
    enter(progress, RAFT_PROGRESS_PROBE);
    set_next(progress, max_u64(progress->match, from_snapshot ? delivered : 0) + 1);
}

void raft_progress_become_replicate(struct raft_progress *progress)
{
    enter(progress, RAFT_PROGRESS_REPLICATE);
    progress->next = progress->match + 1;
}

void raft_progress_become_snapshot(struct raft_progress *progress, uint64_t snapshot_index)
{
    ASSERT(snapshot_index >= progress->match);
    enter(progress, RAFT_PROGRESS_SNAPSHOT);
    progress->pending_snapshot = snapshot_index;
    progress->next = snapshot_index + 1; /* P4 */
    progress->sent_commit = snapshot_index;
}

bool raft_progress_is_paused(const struct raft_progress *progress)
{
    return progress->state == RAFT_PROGRESS_SNAPSHOT || progress->is_append_paused;
}

void raft_progress_heard(struct raft_progress *progress)
{
    progress->recent_active = true;
    progress->is_append_paused = progress->is_probe_fresh; /* P2 */
}

void raft_progress_interval(struct raft_progress *progress)
{
    progress->is_probe_fresh = false;
}

void raft_progress_sent_entries(struct raft_progress *progress, uint32_t count, uint64_t bytes)
{
    ASSERT(progress->state != RAFT_PROGRESS_SNAPSHOT);
    if (progress->state == RAFT_PROGRESS_PROBE) {
        progress->is_probe_fresh = progress->is_probe_fresh || count > 0;
        progress->is_append_paused = progress->is_append_paused || count > 0; /* P2 */
        return;
    }
    if (count > 0) {
        progress->next += count;
        raft_inflights_add(&progress->inflights, progress->next - 1, bytes);
    }
    /* Whatever is sent into a full window counts as a probe: one, then silence until an answer. */
    progress->is_append_paused = raft_inflights_is_full(&progress->inflights);
}

bool raft_progress_can_bump_commit(const struct raft_progress *progress, uint64_t commit)
{
    /* The member commits at most what it has been sent, next - 1. */
    return commit > progress->sent_commit && progress->sent_commit < progress->next - 1;
}

bool raft_progress_maybe_update(struct raft_progress *progress, uint64_t index)
{
    if (index <= progress->match) {
        return false;
    }
    progress->match = index;
    progress->next = max_u64(progress->next, index + 1);
    resume(progress);
    return true;
}

bool raft_progress_maybe_decrease(struct raft_progress *progress, uint64_t rejected,
                                  uint64_t match_hint)
{
    if (progress->state == RAFT_PROGRESS_REPLICATE) {
        if (rejected <= progress->match) {
            return false;
        }
        set_next(progress, progress->match + 1);
        return true;
    }
    if (progress->next - 1 != rejected) {
        return false;
    }
    uint64_t next = min_u64(rejected, min_u64(match_hint, rejected) + 1);
    set_next(progress, max_u64(next, progress->match + 1));
    resume(progress);
    return true;
}
