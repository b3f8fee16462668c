/* Configurations coming into force (dissertation, section 4.3). */
#include "base/assert.h"
#include "raft/raft_int.h"

/* A leader acts on its new configuration. */
static void lead_on(struct raft *raft)
{
    if (raft_maybe_commit(raft)) {
        /* A smaller quorum may have committed more. */
        raft_leader_release_early_reads(raft);
        raft_broadcast_append(raft);
    } else {
        /* New members need not wait for a heartbeat or a proposal. */
        for (uint32_t i = 0; i < raft->tracker.count; i++) {
            if (raft->tracker.members[i].id != raft->id) {
                (void)raft_maybe_send_append(raft, &raft->tracker.members[i], false);
            }
        }
    }
    raft_leader_confirm_reads(raft); /* it may have answered more, too */
    if (!raft_conf_is_voter(&raft->tracker.conf, raft->transfer_target)) {
        raft_abort_transfer(raft);
    }
}

void raft_switch_conf(struct raft *raft, const struct conf_state *conf,
                      const struct id_set *renewed)
{
    ASSERT(raft_conf_is_valid(conf));
    raft_tracker_adopt(&raft->tracker, conf, renewed, raft_log_last_index(&raft->log));
    if (raft->role != RAFT_LEADER) {
        return;
    }
    const struct raft_progress *self = raft_tracker_get(&raft->tracker, raft->id);
    if (self == NULL || self->is_learner) {
        /* Removed or demoted. Unless told to step down at once, it leads until somebody else does:
         * its successor may still need it to learn that this change is committed (section 4.2.2).
         */
        if (raft->config.step_down_on_removal) {
            raft_become_follower(raft, raft->term, 0);
        }
        return;
    }
    if (conf->voters.count > 0) {
        lead_on(raft);
    }
}

err raft_apply_conf_change(struct raft *raft, const struct conf_change *change,
                           struct conf_state *out_conf)
{
    struct raft_conf_plan plan;
    enum raft_conf_fault fault = raft_conf_apply(&raft->tracker.conf, change, &plan);
    if (fault == RAFT_CONF_OK) {
        raft_switch_conf(raft, &plan.conf, &plan.renewed);
    }
    if (out_conf != NULL) {
        *out_conf = raft->tracker.conf;
    }
    return fault == RAFT_CONF_OK ? OK : ERR_CONFLICT;
}

err raft_apply_bootstrap(struct raft *raft, const struct conf_state *conf)
{
    const struct conf_state *current = &raft->tracker.conf;
    if (raft->tracker.count > 0) {
        return conf_state_equal(current, conf) ? OK : ERR_CONFLICT;
    }
    if (!raft_conf_is_valid(conf) || conf->voters.count == 0) {
        return ERR_CONFLICT;
    }
    raft_switch_conf(raft, conf, NULL);
    return OK;
}
