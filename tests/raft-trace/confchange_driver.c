/* `simple`, `enter-joint`, `leave-joint` on a tracker that starts empty. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "changes.h"
#include "drivers.h"
#include "print.h"
#include "raft/tracker.h"

struct confchange {
    struct raft_tracker tracker;
    uint64_t last_index; /* grows with every command: `next` shows when a member was added */
};

struct confchange *confchange_new(void)
{
    struct confchange *confchange = mem_calloc(1, sizeof(*confchange));
    raft_tracker_init(&confchange->tracker, 10, 0);
    return confchange;
}

void confchange_free(struct confchange *confchange)
{
    raft_tracker_deinit(&confchange->tracker);
    mem_free(confchange);
}

static void print_tracker(const struct raft_tracker *tracker, struct text *out)
{
    print_conf(out, &tracker->conf);
    text_add(out, "\n");
    for (uint32_t i = 0; i < tracker->count; i++) {
        const struct raft_progress *progress = &tracker->members[i];
        struct raft_member_status member = {
            .id = progress->id,
            .is_learner = progress->is_learner,
            .state = progress->state,
            .match = progress->match,
            .next = progress->next,
            .is_paused = raft_progress_is_paused(progress),
            .recent_active = progress->recent_active,
        };
        print_members(out, &member, 1);
    }
}

static enum raft_conf_fault make_plan(const struct conf_state *conf,
                                      const struct script_block *block, struct conf_change *change,
                                      struct raft_conf_plan *out_plan)
{
    if (strcmp(block->name, "simple") == 0) {
        return raft_conf_simple(conf, change, out_plan);
    }
    if (strcmp(block->name, "enter-joint") == 0) {
        return raft_conf_enter_joint(conf, change, script_flag(block, "autoleave"), out_plan);
    }
    ASSERT(strcmp(block->name, "leave-joint") == 0);
    return raft_conf_leave_joint(conf, out_plan);
}

void confchange_run(struct confchange *confchange, const struct script_block *block,
                    struct text *out)
{
    struct raft_tracker *tracker = &confchange->tracker;
    struct conf_change change = {0};
    if (!changes_parse(text_get(&block->input), &change)) {
        text_add(out, "unknown input\n");
        return;
    }
    struct raft_conf_plan plan;
    enum raft_conf_fault fault = make_plan(&tracker->conf, block, &change, &plan);
    if (fault == RAFT_CONF_OK) {
        raft_tracker_adopt(tracker, &plan.conf, &plan.renewed, confchange->last_index);
        print_tracker(tracker, out);
    } else {
        text_add(out, "%s\n", raft_conf_fault_text(fault));
    }
    confchange->last_index++;
}
