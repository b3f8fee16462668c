#include "raft/conf_change.h"

#include "base/assert.h"

const char *raft_conf_fault_text(enum raft_conf_fault fault)
{
    static const char *const texts[] = {
        [RAFT_CONF_OK] = "ok",
        [RAFT_CONF_ALREADY_JOINT] = "config is already joint",
        [RAFT_CONF_NOT_JOINT] = "can't leave a non-joint config",
        [RAFT_CONF_SIMPLE_IN_JOINT] = "can't apply simple config change in joint config",
        [RAFT_CONF_JOINT_FROM_EMPTY] = "can't make a zero-voter config joint",
        [RAFT_CONF_NO_VOTERS] = "removed all voters",
        [RAFT_CONF_TOO_MANY_VOTERS] = "more than one voter changed without entering joint config",
        [RAFT_CONF_TOO_MANY_MEMBERS] = "more members than a config can hold",
    };
    ASSERT((size_t)fault < ARRAY_COUNT(texts));
    return texts[fault];
}

bool raft_conf_is_joint(const struct conf_state *conf)
{
    return conf->voters_outgoing.count > 0;
}

bool raft_conf_is_voter(const struct conf_state *conf, node_id id)
{
    return id_set_has(&conf->voters, id) || id_set_has(&conf->voters_outgoing, id);
}

static bool add_all(struct id_set *set, const struct id_set *more)
{
    for (uint32_t i = 0; i < more->count; i++) {
        if (!id_set_add(set, more->ids[i])) {
            return false;
        }
    }
    return true;
}

bool raft_conf_members(const struct conf_state *conf, struct id_set *out_members)
{
    *out_members = conf->voters;
    return add_all(out_members, &conf->voters_outgoing) && add_all(out_members, &conf->learners);
}

bool raft_conf_is_valid(const struct conf_state *conf)
{
    struct id_set members;
    if (!conf_state_is_valid(conf) || !raft_conf_members(conf, &members)) { /* M2 to M5 */
        return false;
    }
    return members.count == 0 || conf->voters.count > 0; /* M1 */
}

static void plan_remove(struct raft_conf_plan *plan, node_id id)
{
    if (!conf_state_has(&plan->conf, id)) {
        return;
    }
    id_set_remove(&plan->conf.voters, id);
    id_set_remove(&plan->conf.learners, id);
    id_set_remove(&plan->conf.learners_next, id);
    if (!id_set_has(&plan->conf.voters_outgoing, id)) {
        bool added = id_set_add(&plan->renewed, id);
        ASSERT(added); /* one at most for each of at most MEMBERS_MAX changes */
    }
}

static bool plan_add_voter(struct raft_conf_plan *plan, node_id id)
{
    id_set_remove(&plan->conf.learners, id);
    id_set_remove(&plan->conf.learners_next, id);
    return id_set_add(&plan->conf.voters, id);
}

static bool plan_add_learner(struct raft_conf_plan *plan, node_id id)
{
    if (id_set_has(&plan->conf.learners, id)) {
        return true;
    }
    id_set_remove(&plan->conf.voters, id);
    if (id_set_has(&plan->conf.voters_outgoing, id)) {
        return id_set_add(&plan->conf.learners_next, id); /* M3 */
    }
    return id_set_add(&plan->conf.learners, id);
}

static bool plan_single(struct raft_conf_plan *plan, const struct conf_change_single *single)
{
    if (single->id == 0) {
        return true; /* a change that its proposer has cancelled */
    }
    switch (single->type) {
    case CONF_CHANGE_ADD_VOTER:
        return plan_add_voter(plan, single->id);
    case CONF_CHANGE_ADD_LEARNER:
        return plan_add_learner(plan, single->id);
    case CONF_CHANGE_REMOVE:
        plan_remove(plan, single->id);
        return true;
    case CONF_CHANGE_UPDATE:
        return true;
    default:
        UNREACHABLE();
    }
}

static enum raft_conf_fault plan_changes(struct raft_conf_plan *plan,
                                         const struct conf_change *change)
{
    ASSERT(change->count <= MEMBERS_MAX);
    struct id_set members;
    for (uint32_t i = 0; i < change->count; i++) {
        if (!plan_single(plan, &change->changes[i]) || !raft_conf_members(&plan->conf, &members)) {
            return RAFT_CONF_TOO_MANY_MEMBERS;
        }
    }
    return plan->conf.voters.count == 0 ? RAFT_CONF_NO_VOTERS : RAFT_CONF_OK;
}

static uint32_t count_missing(const struct id_set *from, const struct id_set *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        count += id_set_has(in, from->ids[i]) ? 0 : 1;
    }
    return count;
}

enum raft_conf_fault raft_conf_simple(const struct conf_state *conf,
                                      const struct conf_change *change,
                                      struct raft_conf_plan *out_plan)
{
    if (raft_conf_is_joint(conf)) {
        return RAFT_CONF_SIMPLE_IN_JOINT;
    }
    struct raft_conf_plan plan = {.conf = *conf};
    enum raft_conf_fault fault = plan_changes(&plan, change);
    if (fault != RAFT_CONF_OK) {
        return fault;
    }
    /* Two majorities overlap only if at most one voter makes the difference (section 4.1). */
    uint32_t left = count_missing(&conf->voters, &plan.conf.voters);
    uint32_t joined = count_missing(&plan.conf.voters, &conf->voters);
    if (left + joined > 1) {
        return RAFT_CONF_TOO_MANY_VOTERS;
    }
    INVARIANT(raft_conf_is_valid(&plan.conf));
    *out_plan = plan;
    return RAFT_CONF_OK;
}

enum raft_conf_fault raft_conf_enter_joint(const struct conf_state *conf,
                                           const struct conf_change *change, bool auto_leave,
                                           struct raft_conf_plan *out_plan)
{
    if (raft_conf_is_joint(conf)) {
        return RAFT_CONF_ALREADY_JOINT;
    }
    if (conf->voters.count == 0) {
        return RAFT_CONF_JOINT_FROM_EMPTY;
    }
    struct raft_conf_plan plan = {.conf = *conf};
    plan.conf.voters_outgoing = conf->voters;
    enum raft_conf_fault fault = plan_changes(&plan, change);
    if (fault != RAFT_CONF_OK) {
        return fault;
    }
    plan.conf.auto_leave = auto_leave;
    INVARIANT(raft_conf_is_valid(&plan.conf));
    *out_plan = plan;
    return RAFT_CONF_OK;
}

enum raft_conf_fault raft_conf_leave_joint(const struct conf_state *conf,
                                           struct raft_conf_plan *out_plan)
{
    if (!raft_conf_is_joint(conf)) {
        return RAFT_CONF_NOT_JOINT;
    }
    struct raft_conf_plan plan = {.conf = *conf};
    plan.conf.voters_outgoing.count = 0;
    plan.conf.learners_next.count = 0;
    plan.conf.auto_leave = false;
    bool fits = add_all(&plan.conf.learners, &conf->learners_next);
    ASSERT(fits); /* M5 held before, and nobody joined */
    INVARIANT(raft_conf_is_valid(&plan.conf));
    *out_plan = plan;
    return RAFT_CONF_OK;
}

enum raft_conf_fault raft_conf_apply(const struct conf_state *conf,
                                     const struct conf_change *change,
                                     struct raft_conf_plan *out_plan)
{
    bool is_auto = change->transition == CONF_TRANSITION_AUTO;
    if (change->count == 0 && is_auto) {
        return raft_conf_leave_joint(conf, out_plan);
    }
    if (change->count > 1 || !is_auto) {
        bool auto_leave = change->transition != CONF_TRANSITION_EXPLICIT;
        return raft_conf_enter_joint(conf, change, auto_leave, out_plan);
    }
    return raft_conf_simple(conf, change, out_plan);
}
