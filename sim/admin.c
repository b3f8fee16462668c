#include "sim/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "raft/raft_int.h"
#include "sim/checker.h"
#include "sim/node_env.h"

/* How often what is lost or half done is looked after. */
#define DUTY_NS (500 * SIM_MS)
#define PATIENCE_MS 5000u

/* Something to do on a node's loop; freed when it is done, or the life is over. */
struct errand {
    struct world_event event;
    struct admin *admin;
    void (*run)(struct errand *errand);
    struct host *host;
    node_id target;
    struct node_change change;
    struct member members[MEMBERS_MAX];
    enum sim_count counted; /* what it counts as if it is done */
    bool is_change;
};

struct admin {
    struct sim *sim;
    struct prng chance;
    struct world_event duty;
    struct errand *change;      /* under way; NULL: none */
    struct conf_state answered; /* what the last answered change has made; at first the founders */
};

static void on_duty(struct world_event *event);

struct admin *admin_new(struct sim *sim)
{
    struct admin *admin = mem_calloc(1, sizeof(*admin));
    admin->sim = sim;
    for (uint32_t id = 1; id <= sim->plan.founder_count; id++) {
        bool is_added = id_set_add(&admin->answered.voters, id);
        ASSERT(is_added);
    }
    world_chance(sim->world, "admin", &admin->chance);
    admin->duty.run = on_duty;
    world_schedule(sim->world, &admin->duty, DUTY_NS);
    return admin;
}

/* ---- who there is ---- */

/* As the leader has applied it; NULL: nobody leads. */
static const struct membership *membership_of(const struct admin *admin)
{
    const struct host *leader = checker_leader(admin->sim->checker);
    const struct replica *replica = leader != NULL ? host_replica(leader) : NULL;
    return replica != NULL ? &replica->membership : NULL;
}

bool admin_is_member(const struct admin *admin, const struct host *host)
{
    const struct membership *membership = membership_of(admin);
    return membership != NULL && conf_state_has(&membership->conf, host->number);
}

static bool is_lost(const struct host *host)
{
    /* Rot shows as "corrupt" answers, or at the next start: whoever sees it replaces the node. */
    return host->state == HOST_GONE || host->state == HOST_REFUSES || host->is_rotten;
}

/* A member whose data is lost; NULL: there is none. */
static struct host *lost_member(const struct admin *admin)
{
    const struct membership *membership = membership_of(admin);
    for (uint32_t i = 1; membership != NULL && i <= admin->sim->host_count; i++) {
        struct host *host = admin->sim->hosts[i];
        if (is_lost(host) && conf_state_has(&membership->conf, host->number)) {
            return host;
        }
    }
    return NULL;
}

/* Whether the present leader's configuration is all there is: nobody has seen a later term, and no
 * change is on its way in its log. */
static bool is_certain(const struct admin *admin)
{
    const struct host *leader = checker_leader(admin->sim->checker);
    const struct raft *lead = leader != NULL ? host_raft(leader) : NULL;
    if (lead == NULL || admin->change != NULL ||
        lead->log.applied != raft_log_last_index(&lead->log)) {
        return false;
    }
    for (uint32_t i = 1; i <= admin->sim->host_count; i++) {
        const struct raft *raft = host_raft(admin->sim->hosts[i]);
        if (raft != NULL && raft->term > lead->term) {
            return false;
        }
    }
    return true;
}

static bool all_members_are_whole(const struct admin *admin, const struct conf_state *conf)
{
    for (uint32_t i = 1; i <= admin->sim->host_count; i++) {
        const struct host *host = admin->sim->hosts[i];
        bool is_whole = host_is_up(host) && !host->is_rotten;
        if (conf_state_has(conf, host->number) && !is_whole) {
            return false;
        }
    }
    return true;
}

bool admin_may_lose(const struct admin *admin, const struct host *host)
{
    const struct membership *membership = membership_of(admin);
    return membership != NULL && is_certain(admin) && membership->conf.voters_outgoing.count == 0 &&
           membership->conf.voters.count >= 3 &&
           conf_state_equal(&membership->conf, &admin->answered) &&
           id_set_has(&membership->conf.voters, host->number) &&
           all_members_are_whole(admin, &membership->conf);
}

bool admin_is_done(const struct admin *admin)
{
    const struct membership *membership = membership_of(admin);
    return membership != NULL && admin->change == NULL &&
           membership->conf.voters_outgoing.count == 0 && lost_member(admin) == NULL;
}

/* ---- errands ---- */

static void errand_free(struct errand *errand)
{
    if (errand->admin->change == errand) {
        errand->admin->change = NULL;
    }
    mem_free(errand);
}

static void on_errand(struct world_event *event)
{
    struct errand *errand = CONTAINER_OF(event, struct errand, event);
    if (errand->host->node == NULL) {
        errand_free(errand);
        return;
    }
    errand->run(errand);
}

static void on_errand_lost(struct world_event *event)
{
    errand_free(CONTAINER_OF(event, struct errand, event));
}

static struct errand *errand_new(struct admin *admin, struct host *host,
                                 void (*run)(struct errand *errand))
{
    struct errand *errand = mem_calloc(1, sizeof(*errand));
    errand->admin = admin;
    errand->host = host;
    errand->run = run;
    errand->event.run = on_errand;
    errand->event.drop = on_errand_lost;
    return errand;
}

void admin_life_ended(struct admin *admin, const struct host *host)
{
    if (admin->change != NULL && admin->change->host == host) {
        admin->change = NULL; /* nobody will answer; its memory is the dead node's (host.h, H1) */
    }
}

static void errand_send(struct errand *errand)
{
    env_sim_schedule(errand->host->env, &errand->event, world_now_ns(errand->admin->sim->world));
}

/* ---- changes ---- */

static void change_done(struct node_change *change, err e)
{
    struct errand *errand = CONTAINER_OF(change, struct errand, change);
    struct sim *sim = errand->admin->sim;
    world_trace(sim->world, "membership", errand->host->number, (uint64_t)e, change->change.count);
    if (e == OK) {
        sim_count(sim, errand->counted, 1);
        errand->admin->answered = host_replica(errand->host)->membership.conf;
    }
    errand_free(errand);
}

static void run_change(struct errand *errand)
{
    errand->change.members = errand->members;
    errand->change.deadline_ms = env_now_ms(errand->host->env) + PATIENCE_MS;
    errand->change.done = change_done;
    node_change_membership(errand->host->node, &errand->change);
}

/* An empty change that the present leader will be asked for; NULL: not now. */
static struct errand *change_new(struct admin *admin, enum sim_count counted)
{
    struct host *leader = checker_leader(admin->sim->checker);
    if (leader == NULL || admin->change != NULL) {
        return NULL;
    }
    struct errand *errand = errand_new(admin, leader, run_change);
    errand->counted = counted;
    errand->is_change = true;
    admin->change = errand;
    return errand;
}

static void change_add(struct errand *errand, enum conf_change_type type, node_id id)
{
    struct conf_change *change = &errand->change.change;
    change->changes[change->count++] = (struct conf_change_single){type, id};
}

static void change_add_member(struct errand *errand, const struct host *host, bool wants_vote)
{
    struct member *member = &errand->members[errand->change.member_count++];
    member->id = host->number;
    member->wants_vote = wants_vote;
    (void)snprintf(member->peer_address, sizeof(member->peer_address), "%s", host->address);
}

/* A new machine, with the cluster's id and addresses; NULL: all numbers are used up. */
static struct host *new_host(struct admin *admin)
{
    struct sim *sim = admin->sim;
    const struct host *leader = checker_leader(sim->checker);
    if (leader == NULL || sim->host_count == PLAN_HOSTS_MAX) {
        return NULL;
    }
    struct host *host = host_new(sim, sim->host_count + 1);
    host->is_joining = true;
    host->cluster_id = leader->node->identity.cluster_id;
    host_start_later(host, prng_below(&admin->chance, SIM_SECOND));
    return host;
}

static void add(struct admin *admin)
{
    struct errand *errand = change_new(admin, SIM_MEMBER_ADDED);
    struct host *host = errand != NULL ? new_host(admin) : NULL;
    if (host == NULL) {
        if (errand != NULL) {
            errand_free(errand);
        }
        return;
    }
    uint64_t draw = prng_below(&admin->chance, 4);
    change_add(errand, draw == 0 ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER, host->number);
    change_add_member(errand, host, draw > 1);
    errand_send(errand);
}

static node_id any_of(struct admin *admin, const struct id_set *set)
{
    return set->count > 0 ? set->ids[prng_below(&admin->chance, set->count)] : 0;
}

static void remove_one(struct admin *admin, const struct conf_state *conf)
{
    const struct id_set *learners = &conf->learners;
    const struct id_set *voters = &conf->voters;
    bool is_learner = learners->count > 0 && prng_below(&admin->chance, 2) == 0;
    if (!is_learner && voters->count < 3) {
        return;
    }
    struct errand *errand = change_new(admin, SIM_MEMBER_REMOVED);
    if (errand != NULL) {
        change_add(errand, CONF_CHANGE_REMOVE, any_of(admin, is_learner ? learners : voters));
        errand_send(errand);
    }
}

/* One goes and another comes, in one joint step. */
static void replace(struct admin *admin, node_id old)
{
    struct errand *errand = change_new(admin, SIM_MEMBER_REPLACED);
    struct host *host = errand != NULL ? new_host(admin) : NULL;
    if (errand == NULL) {
        return;
    }
    errand->change.change.transition = (enum conf_transition)prng_below(&admin->chance, 3);
    change_add(errand, CONF_CHANGE_REMOVE, old);
    if (host != NULL) {
        bool is_voter = prng_below(&admin->chance, 3) == 0;
        change_add(errand, is_voter ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER,
                   host->number);
        change_add_member(errand, host, true);
    }
    errand_send(errand);
}

static void change_role(struct admin *admin, const struct conf_state *conf)
{
    bool promotes = conf->learners.count > 0 && prng_below(&admin->chance, 2) == 0;
    if (!promotes && conf->voters.count < 3) {
        return;
    }
    struct errand *errand = change_new(admin, SIM_MEMBER_ROLE);
    if (errand != NULL) {
        change_add(errand, promotes ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER,
                   any_of(admin, promotes ? &conf->learners : &conf->voters));
        errand_send(errand);
    }
}

void admin_change(struct admin *admin)
{
    const struct membership *membership = membership_of(admin);
    if (membership == NULL || admin->change != NULL || lost_member(admin) != NULL) {
        return; /* O1 */
    }
    uint64_t draw = prng_below(&admin->chance, 10);
    if (draw < 4) {
        if (membership->conf.voters.count + membership->conf.learners.count < 8) {
            add(admin);
        }
    } else if (draw < 6) {
        remove_one(admin, &membership->conf);
    } else if (draw < 8) {
        replace(admin, any_of(admin, &membership->conf.voters));
    } else {
        change_role(admin, &membership->conf);
    }
}

/* ---- leadership ---- */

static void run_transfer(struct errand *errand)
{
    if (node_transfer_leader(errand->host->node, errand->target) == OK) {
        sim_count(errand->admin->sim, SIM_TRANSFER, 1);
        world_trace(errand->admin->sim->world, "transfer", errand->host->number, errand->target, 0);
    }
    errand_free(errand);
}

void admin_transfer(struct admin *admin)
{
    const struct membership *membership = membership_of(admin);
    struct host *leader = checker_leader(admin->sim->checker);
    if (membership != NULL) {
        struct errand *errand = errand_new(admin, leader, run_transfer);
        errand->target = any_of(admin, &membership->conf.voters);
        errand_send(errand);
    }
}

static void run_campaign(struct errand *errand)
{
    if (node_campaign(errand->host->node) == OK) {
        sim_count(errand->admin->sim, SIM_CAMPAIGN, 1);
    }
    errand_free(errand);
}

static void run_forget(struct errand *errand)
{
    node_forget_leader(errand->host->node);
    sim_count(errand->admin->sim, SIM_FORGET_LEADER, 1);
    errand_free(errand);
}

void admin_campaign(struct admin *admin)
{
    struct sim *sim = admin->sim;
    struct host *host = sim->hosts[1 + prng_below(&admin->chance, sim->host_count)];
    bool forgets = prng_below(&admin->chance, 2) == 0;
    if (host_is_up(host)) {
        errand_send(errand_new(admin, host, forgets ? run_forget : run_campaign));
    }
}

/* ---- losses ---- */

void admin_wipe(struct admin *admin)
{
    struct sim *sim = admin->sim;
    struct host *host = sim->hosts[1 + prng_below(&admin->chance, sim->host_count)];
    if (host_is_up(host) && admin_may_lose(admin, host)) {
        host_retire(host);
        disk_wipe(host->disk);
        sim_count(sim, SIM_WIPE, 1);
        world_trace(sim->world, "wipe", host->number, 0, 0);
    }
}

/* A joint configuration that waits to be left by hand. */
static void leave_joint(struct admin *admin)
{
    struct errand *errand = change_new(admin, SIM_MEMBER_REPLACED);
    if (errand != NULL) {
        errand_send(errand);
    }
}

static void on_duty(struct world_event *event)
{
    struct admin *admin = CONTAINER_OF(event, struct admin, duty);
    const struct membership *membership = membership_of(admin);
    struct host *lost = lost_member(admin);
    if (membership != NULL && admin->change == NULL) {
        if (membership->conf.voters_outgoing.count > 0) {
            if (!membership->conf.auto_leave) {
                leave_joint(admin);
            }
        } else if (lost != NULL) {
            replace(admin, lost->number);
        }
    }
    world_schedule(admin->sim->world, event, world_now_ns(admin->sim->world) + DUTY_NS);
}
