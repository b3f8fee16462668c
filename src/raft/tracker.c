#include "raft/tracker.h"

#include <string.h>

#include "base/assert.h"

void raft_tracker_init(struct raft_tracker *tracker, uint32_t inflight_count_max,
                       uint64_t inflight_bytes_max)
{
    *tracker = (struct raft_tracker){
        .inflight_count_max = inflight_count_max,
        .inflight_bytes_max = inflight_bytes_max,
    };
}

void raft_tracker_deinit(struct raft_tracker *tracker)
{
    for (uint32_t i = 0; i < tracker->count; i++) {
        raft_inflights_deinit(&tracker->members[i].inflights);
    }
    tracker->count = 0;
}

const struct raft_progress *raft_tracker_get(const struct raft_tracker *tracker, node_id id)
{
    uint32_t low = 0;
    uint32_t high = tracker->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (tracker->members[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < tracker->count && tracker->members[low].id == id;
    return found ? &tracker->members[low] : NULL;
}

struct raft_progress *raft_tracker_find(struct raft_tracker *tracker, node_id id)
{
    const struct raft_progress *progress = raft_tracker_get(tracker, id);
    return progress == NULL ? NULL : &tracker->members[progress - tracker->members];
}

static struct raft_progress new_member(const struct raft_tracker *tracker, node_id id,
                                       uint64_t last_index)
{
    struct raft_progress progress = {.id = id};
    raft_inflights_init(&progress.inflights, tracker->inflight_count_max,
                        tracker->inflight_bytes_max);
    raft_progress_reset(&progress, 0, last_index > 1 ? last_index : 1);
    progress.recent_active = true;
    return progress;
}

void raft_tracker_adopt(struct raft_tracker *tracker, const struct conf_state *conf,
                        const struct id_set *renewed, uint64_t last_index)
{
    struct id_set members;
    bool fits = raft_conf_members(conf, &members);
    ASSERT(fits); /* M5 */

    struct raft_progress old[MEMBERS_MAX];
    uint32_t old_count = tracker->count;
    memcpy(old, tracker->members, sizeof(old));
    uint32_t i = 0;
    for (uint32_t m = 0; m < members.count; m++) {
        node_id id = members.ids[m];
        for (; i < old_count && old[i].id < id; i++) {
            raft_inflights_deinit(&old[i].inflights);
        }
        bool known = i < old_count && old[i].id == id;
        bool keep = known && (renewed == NULL || !id_set_has(renewed, id));
        if (known && !keep) {
            raft_inflights_deinit(&old[i].inflights);
        }
        tracker->members[m] = keep ? old[i] : new_member(tracker, id, last_index);
        tracker->members[m].is_learner = id_set_has(&conf->learners, id);
        i += known ? 1 : 0;
    }
    for (; i < old_count; i++) {
        raft_inflights_deinit(&old[i].inflights);
    }
    tracker->count = members.count;
    tracker->conf = *conf;
}

static uint64_t match_of(const void *ctx, node_id id)
{
    const struct raft_progress *progress = raft_tracker_get(ctx, id);
    ASSERT(progress != NULL); /* T1 */
    return progress->match;
}

uint64_t raft_tracker_committed(const struct raft_tracker *tracker)
{
    return raft_joint_committed(&tracker->conf, match_of, tracker);
}

bool raft_tracker_is_singleton(const struct raft_tracker *tracker)
{
    return tracker->conf.voters.count == 1 && !raft_conf_is_joint(&tracker->conf);
}

void raft_tracker_reset_votes(struct raft_tracker *tracker)
{
    for (uint32_t i = 0; i < tracker->count; i++) {
        tracker->members[i].vote = RAFT_VOTE_NONE;
    }
}

void raft_tracker_record_vote(struct raft_tracker *tracker, node_id id, bool granted)
{
    struct raft_progress *progress = raft_tracker_find(tracker, id);
    if (progress != NULL && progress->vote == RAFT_VOTE_NONE) {
        progress->vote = granted ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
}

static enum raft_vote vote_of(const void *ctx, node_id id)
{
    const struct raft_progress *progress = raft_tracker_get(ctx, id);
    ASSERT(progress != NULL); /* T1 */
    return progress->vote;
}

enum raft_vote_result raft_tracker_tally(const struct raft_tracker *tracker)
{
    return raft_joint_vote(&tracker->conf, vote_of, tracker);
}

static enum raft_vote activity_of(const void *ctx, node_id id)
{
    const struct raft_progress *progress = raft_tracker_get(ctx, id);
    ASSERT(progress != NULL); /* T1 */
    return progress->recent_active ? RAFT_VOTE_YES : RAFT_VOTE_NO;
}

bool raft_tracker_quorum_active(const struct raft_tracker *tracker)
{
    return raft_joint_vote(&tracker->conf, activity_of, tracker) == RAFT_VOTE_WON;
}
