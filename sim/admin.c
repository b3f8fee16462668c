#include "sim/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "raft/raft_int.h"
#include "sim/checker.h"
#include "sim/faults.h"
#include "sim/node_env.h"

/* How often what is lost or half done is looked after. */
#define DUTY_NS (500 * SIM_MS)
#define PATIENCE_MS 5000u
/* Changes asked for and not answered. */
#define CHANGES_MAX 8u
/* What a hasty administrator asks for at a time, at most. */
#define BURST_MAX 4u
/* Numbers that are kept for the replacement of what is lost. */
#define HOSTS_RESERVED 4u

/* Something to do on a node's loop; freed when it is done, or the life is over. */
struct errand {
    struct world_event event;
    struct admin *admin;
    void (*run)(struct errand *errand);
    struct host *host;
    node_id target;
    struct node_change change;
    struct member members[MEMBERS_MAX];
    struct node_admin request; /* in place of `change`, if it is asked as operators do */
    bool may_force;            /* `change`: nodes that are away or slow are no reason against it */
    enum sim_count counted;    /* what it counts as if it is done */
};

struct admin {
    struct sim *sim;
    struct prng chance;
    struct world_event duty;
    struct errand *changes[CHANGES_MAX]; /* under way */
    uint32_t change_count;
    struct conf_state answered; /* what the last answered change has made; at first the founders */
    bool is_any_unknown;        /* a request may still be carried out, or not */
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

/* It begins a new log. That needs nobody but a leader, unless its vote is lost, too: then it waits
 * for everybody whom it has ever met, and who was removed meanwhile may never tell its term. */
static bool waits_for_its_vote(const struct host *host)
{
    return host->is_mending && host_is_up(host) && host->node->identity.is_vote_lost;
}

static bool mends_its_log(const struct host *host)
{
    bool begins_anew = host->is_log_rotten && host->is_mending && host_is_up(host);
    return (host->is_holed || begins_anew) && !waits_for_its_vote(host);
}

static bool is_lost(const struct host *host)
{
    /* Rot shows as "corrupt" answers, or at the next start: whoever sees it replaces the node,
     * unless it mends itself. */
    return host->state == HOST_GONE || host->state == HOST_REFUSES ||
           (host->is_rotten && !mends_its_log(host));
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
 * change is on its way in its log, nor asked for, but as many as `change_count`. */
static bool is_certain_but_for(const struct admin *admin, uint32_t change_count)
{
    const struct host *leader = checker_leader(admin->sim->checker);
    const struct raft *lead = leader != NULL ? host_raft(leader) : NULL;
    if (lead == NULL || admin->change_count > change_count ||
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
        bool is_whole = host_is_up(host) && !host->is_rotten && !host->is_mending;
        if (conf_state_has(conf, host->number) && !is_whole) {
            return false;
        }
    }
    return true;
}

bool admin_may_lose(const struct admin *admin, const struct host *host)
{
    const struct membership *membership = membership_of(admin);
    return membership != NULL && is_certain_but_for(admin, 0) &&
           membership->conf.voters_outgoing.count == 0 && membership->conf.voters.count >= 3 &&
           conf_state_equal(&membership->conf, &admin->answered) &&
           id_set_has(&membership->conf.voters, host->number) &&
           all_members_are_whole(admin, &membership->conf);
}

bool admin_is_done(const struct admin *admin)
{
    const struct membership *membership = membership_of(admin);
    return membership != NULL && admin->change_count == 0 &&
           membership->conf.voters_outgoing.count == 0 && lost_member(admin) == NULL;
}

/* ---- errands ---- */

/* Of the changes under way, those that `host` was asked for, and `errand`. Either may be NULL. */
static void forget_changes(struct admin *admin, const struct host *host,
                           const struct errand *errand)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < admin->change_count; i++) {
        struct errand *change = admin->changes[i];
        if (change != errand && change->host != host) {
            admin->changes[kept++] = change;
        }
    }
    admin->change_count = kept;
}

static void errand_free(struct errand *errand)
{
    forget_changes(errand->admin, NULL, errand);
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
    forget_changes(admin, host, NULL); /* nobody will answer; the memory is the dead node's (H1) */
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

/* A new log waits for a leader, and who mends it is no voter until then. */
static bool is_any_mending(const struct admin *admin)
{
    for (uint32_t i = 1; i <= admin->sim->host_count; i++) {
        if (admin->sim->hosts[i]->is_mending || admin->sim->hosts[i]->is_rotten) {
            return true;
        }
    }
    return false;
}

static void run_change(struct errand *errand)
{
    errand->change.is_forced = errand->may_force && !is_any_mending(errand->admin); /* O4 */
    errand->change.members = errand->members;
    errand->change.deadline_ms = env_now_ms(errand->host->env) + PATIENCE_MS;
    errand->change.done = change_done;
    node_change_membership(errand->host->node, &errand->change);
}

/* An empty change that `host` will be asked for. */
static struct errand *change_new(struct admin *admin, struct host *host, enum sim_count counted)
{
    struct errand *errand = errand_new(admin, host, run_change);
    ASSERT(admin->change_count < CHANGES_MAX);
    errand->counted = counted;
    errand->may_force = admin->sim->plan.is_admin_hasty && prng_below(&admin->chance, 2) == 0;
    admin->changes[admin->change_count++] = errand;
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

static bool is_being_changed(const struct admin *admin, node_id id)
{
    for (uint32_t i = 0; i < admin->change_count; i++) {
        const struct admin_spec *spec = &admin->changes[i]->request.spec;
        const struct conf_change *change = &admin->changes[i]->change.change;
        if (spec->op != 0 && (spec->id == id || spec->old == id)) {
            return true;
        }
        for (uint32_t j = 0; j < change->count; j++) {
            if (change->changes[j].id == id) {
                return true;
            }
        }
    }
    return false;
}

/* Not a founder, and whole; no node that is up has it in its configuration. */
static bool is_unused(const struct admin *admin, const struct host *host)
{
    const struct sim *sim = admin->sim;
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        const struct replica *replica =
            host_is_up(sim->hosts[i]) ? host_replica(sim->hosts[i]) : NULL;
        if (replica != NULL && conf_state_has(&replica->membership.conf, host->number)) {
            return false;
        }
    }
    return host->is_joining && !host->is_mending && !is_lost(host) &&
           !is_being_changed(admin, host->number);
}

/* One that was refused, or has been removed and kept its data; NULL: there is none. */
static struct host *unused_host(struct admin *admin)
{
    const struct sim *sim = admin->sim;
    uint64_t begin = prng_below(&admin->chance, sim->host_count);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct host *host = sim->hosts[1 + (begin + i) % sim->host_count];
        if (is_unused(admin, host)) {
            return host;
        }
    }
    return NULL;
}

/* A machine with the cluster's id and addresses that is no member: most changes are refused, so one
 * that nobody took comes before a new one. NULL: but for those reserved, all numbers are used. */
static struct host *host_to_add(struct admin *admin, uint32_t reserved)
{
    struct sim *sim = admin->sim;
    const struct host *leader = checker_leader(sim->checker);
    struct host *unused = unused_host(admin);
    if (unused != NULL) {
        return unused;
    }
    if (leader == NULL || sim->host_count + reserved >= PLAN_HOSTS_MAX) {
        return NULL;
    }
    struct host *host = host_new(sim, sim->host_count + 1);
    host->is_joining = true;
    host->cluster_id = leader->node->identity.cluster_id;
    host_start_later(host, prng_below(&admin->chance, SIM_SECOND));
    return host;
}

static void add(struct admin *admin, struct host *asked)
{
    struct host *host = host_to_add(admin, HOSTS_RESERVED);
    if (host == NULL) {
        return;
    }
    struct errand *errand = change_new(admin, asked, SIM_MEMBER_ADDED);
    uint64_t draw = prng_below(&admin->chance, 4);
    change_add(errand, draw == 0 ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER, host->number);
    change_add_member(errand, host, draw > 1);
    errand_send(errand);
}

static node_id any_of(struct admin *admin, const struct id_set *set)
{
    return set->count > 0 ? set->ids[prng_below(&admin->chance, set->count)] : 0;
}

static void remove_one(struct admin *admin, struct host *asked, const struct conf_state *conf)
{
    const struct id_set *learners = &conf->learners;
    const struct id_set *voters = &conf->voters;
    bool is_learner = learners->count > 0 && prng_below(&admin->chance, 2) == 0;
    if (is_learner || voters->count >= 3) {
        struct errand *errand = change_new(admin, asked, SIM_MEMBER_REMOVED);
        change_add(errand, CONF_CHANGE_REMOVE, any_of(admin, is_learner ? learners : voters));
        errand_send(errand);
    }
}

/* ---- requests: the same through node_admin, which any node takes ---- */

/* What an answer of OK says is so, unless something else has changed it since. */
static void check_answer(const struct admin *admin, const struct admin_spec *spec)
{
    const struct membership *membership = membership_of(admin);
    if (membership == NULL || admin->change_count > 1 || admin->is_any_unknown ||
        spec->op == ADMIN_TRANSFER) {
        return;
    }
    bool is_in = conf_state_has(&membership->conf, spec->id);
    bool is_old_in = spec->op == ADMIN_REPLACE && conf_state_has(&membership->conf, spec->old);
    if (is_in != (spec->op != ADMIN_REMOVE) || is_old_in) {
        sim_fail(admin->sim, "request %d of member %" PRIu64 " was answered, and is not so",
                 (int)spec->op, spec->id);
    }
}

static void request_done(struct node_admin *request, err e, struct slice text)
{
    (void)text;
    struct errand *errand = CONTAINER_OF(request, struct errand, request);
    struct admin *admin = errand->admin;
    struct sim *sim = admin->sim;
    world_trace(sim->world, "request", errand->host->number, (uint64_t)e,
                (uint64_t)request->spec.op);
    admin->is_any_unknown = admin->is_any_unknown || e == ERR_OUTCOME_UNKNOWN;
    if (e == OK) {
        sim_count(sim, errand->counted, 1);
        sim_count(sim, SIM_REQUEST, 1);
        check_answer(admin, &request->spec);
        const struct membership *membership = membership_of(admin);
        if (membership != NULL && is_certain_but_for(admin, 1)) {
            admin->answered = membership->conf;
        }
    }
    errand_free(errand);
}

static void run_request(struct errand *errand)
{
    errand->request.deadline_ms = env_now_ms(errand->host->env) + PATIENCE_MS;
    errand->request.done = request_done;
    node_admin(errand->host->node, &errand->request);
}

static struct errand *request_new(struct admin *admin, struct host *asked, enum sim_count counted,
                                  enum admin_op op)
{
    struct errand *errand = change_new(admin, asked, counted);
    errand->run = run_request;
    errand->request.spec.op = op;
    return errand;
}

/* ADD, or REPLACE of `old`. Nothing if no machine is left. */
static void request_to_bring(struct admin *admin, struct host *asked, node_id old,
                             uint32_t reserved)
{
    struct host *host = host_to_add(admin, reserved);
    if (host == NULL) {
        return;
    }
    struct errand *errand =
        request_new(admin, asked, old == 0 ? SIM_MEMBER_ADDED : SIM_MEMBER_REPLACED,
                    old == 0 ? ADMIN_ADD : ADMIN_REPLACE);
    struct admin_spec *spec = &errand->request.spec;
    spec->id = host->number;
    spec->old = old;
    spec->is_learner = prng_below(&admin->chance, 4) == 0;
    const struct membership *membership = membership_of(admin);
    if (old != 0 && spec->is_learner && membership != NULL && membership->conf.learners.count > 0) {
        host = admin->sim->hosts[membership->conf.learners.ids[0]]; /* in the place of `old` */
        spec->id = host->number;
    }
    (void)snprintf(spec->address, sizeof(spec->address), "%s", host->address);
    errand_send(errand);
}

static void request_about(struct admin *admin, struct host *asked, enum admin_op op,
                          enum sim_count counted, node_id id)
{
    struct errand *errand = request_new(admin, asked, counted, op);
    errand->request.spec.id = id;
    errand_send(errand);
}

static void request_something(struct admin *admin, struct host *asked,
                              const struct conf_state *conf)
{
    const struct id_set *learners = &conf->learners;
    switch (prng_below(&admin->chance, 4)) {
    case 0:
        if (conf->voters.count + learners->count < 8) {
            request_to_bring(admin, asked, 0, HOSTS_RESERVED);
        }
        break;
    case 1:
        request_to_bring(admin, asked, any_of(admin, &conf->voters), HOSTS_RESERVED);
        break;
    case 2:
        if (learners->count > 0) {
            request_about(admin, asked, ADMIN_PROMOTE, SIM_MEMBER_ROLE, any_of(admin, learners));
        }
        break;
    default:
        if (conf->voters.count >= 3) {
            request_about(admin, asked, ADMIN_REMOVE, SIM_MEMBER_REMOVED,
                          any_of(admin, &conf->voters));
        }
        break;
    }
}

/* ---- changes of all kinds ---- */

/* Some go and others come, in one joint step: nobody goes without a successor, but who is lost. */
static void replace(struct admin *admin, struct host *asked, const struct id_set *old)
{
    struct errand *errand = change_new(admin, asked, SIM_MEMBER_REPLACED);
    errand->change.change.transition = (enum conf_transition)prng_below(&admin->chance, 3);
    for (uint32_t i = 0; i < old->count; i++) {
        bool must_go = is_lost(admin->sim->hosts[old->ids[i]]);
        struct host *host = host_to_add(admin, must_go ? 0 : HOSTS_RESERVED);
        if (must_go || host != NULL) {
            change_add(errand, CONF_CHANGE_REMOVE, old->ids[i]);
        }
        if (host != NULL) {
            bool is_voter = prng_below(&admin->chance, 3) == 0;
            change_add(errand, is_voter ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER,
                       host->number);
            change_add_member(errand, host, true);
        }
    }
    if (errand->change.change.count > 0) { /* an empty one would mean something else */
        errand_send(errand);
    } else {
        errand_free(errand);
    }
}

/* A hasty one takes several at once, perhaps everybody but whom it asks. */
static void replace_some(struct admin *admin, struct host *asked, const struct conf_state *conf)
{
    const struct id_set *voters = &conf->voters;
    struct id_set old = {.count = 0};
    bool is_hasty = admin->sim->plan.is_admin_hasty;
    bool are_all = is_hasty && prng_below(&admin->chance, 3) == 0;
    uint64_t count = is_hasty ? chance_between(&admin->chance, 1, voters->count) : 1;
    for (uint64_t i = 0; i < count && !are_all; i++) {
        (void)!id_set_add(&old, any_of(admin, voters)); /* drawn twice, it is one */
    }
    for (uint32_t i = 0; i < voters->count && are_all; i++) {
        (void)!id_set_add(&old, voters->ids[i]);
    }
    if (are_all && voters->count > 1) {
        id_set_remove(&old, asked->number);
    }
    replace(admin, asked, &old);
}

static void change_role(struct admin *admin, struct host *asked, const struct conf_state *conf)
{
    bool promotes = conf->learners.count > 0 && prng_below(&admin->chance, 2) == 0;
    if (promotes || conf->voters.count >= 3) {
        struct errand *errand = change_new(admin, asked, SIM_MEMBER_ROLE);
        change_add(errand, promotes ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER,
                   any_of(admin, promotes ? &conf->learners : &conf->voters));
        errand_send(errand);
    }
}

static void change_something(struct admin *admin, struct host *asked, const struct conf_state *conf)
{
    const struct plan_changes *changes = &admin->sim->plan.changes;
    uint64_t draw = prng_below(&admin->chance, (uint64_t)changes->add + changes->remove +
                                                   changes->replace + changes->role);
    if (draw < changes->add) {
        if (conf->voters.count + conf->learners.count < 8) {
            add(admin, asked);
        }
    } else if (draw < changes->add + changes->remove) {
        remove_one(admin, asked, conf);
    } else if (draw < changes->add + changes->remove + changes->replace) {
        replace_some(admin, asked, conf);
    } else {
        change_role(admin, asked, conf);
    }
}

/* Whom a request is sent to; NULL: who was drawn is down. */
static struct host *any_host_up(struct admin *admin)
{
    const struct sim *sim = admin->sim;
    struct host *host = sim->hosts[1 + prng_below(&admin->chance, sim->host_count)];
    return host_is_up(host) ? host : NULL;
}

/* Who leads, or, asked in haste, believes to lead; NULL: nobody. */
static struct host *whom_to_ask(struct admin *admin)
{
    const struct sim *sim = admin->sim;
    struct host *host = sim->hosts[1 + prng_below(&admin->chance, sim->host_count)];
    const struct raft *raft = host_raft(host);
    bool believes = sim->plan.is_admin_hasty && raft != NULL && raft->role == RAFT_LEADER;
    return believes ? host : checker_leader(sim->checker);
}

static void ask(struct admin *admin, struct host *asked)
{
    bool is_hasty = admin->sim->plan.is_admin_hasty;
    if (asked == NULL || lost_member(admin) != NULL) {
        return; /* O1 */
    }
    uint64_t count = is_hasty ? chance_between(&admin->chance, 1, BURST_MAX) : 1;
    uint32_t under_way = admin->change_count;
    const struct conf_state *conf = &host_replica(asked)->membership.conf;
    while (count > 0 && admin->change_count < (is_hasty ? CHANGES_MAX : 1)) {
        struct host *anybody = any_host_up(admin);
        if (anybody != NULL && chance_hits(&admin->chance, admin->sim->plan.change_by_request)) {
            request_something(admin, anybody, conf);
        } else {
            change_something(admin, asked, conf);
        }
        count--;
    }
    if (is_hasty && admin->change_count > under_way) {
        faults_changing(admin->sim->faults, asked);
    }
}

void admin_change(struct admin *admin)
{
    ask(admin, whom_to_ask(admin));
}

static bool asks_at_once(struct admin *admin)
{
    const struct plan *plan = &admin->sim->plan;
    return plan->is_admin_hasty && plan->weights.membership > 0 && !admin->sim->is_calm &&
           chance_hits(&admin->chance, plan->change_at_once);
}

void admin_elected(struct admin *admin, struct host *host)
{
    if (asks_at_once(admin)) {
        ask(admin, host);
    }
}

void admin_mending(struct admin *admin)
{
    if (asks_at_once(admin)) {
        ask(admin, checker_leader(admin->sim->checker));
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
    struct host *anybody = any_host_up(admin);
    if (membership == NULL) {
        return;
    }
    if (anybody != NULL && admin->change_count < CHANGES_MAX &&
        chance_hits(&admin->chance, admin->sim->plan.change_by_request)) {
        request_about(admin, anybody, ADMIN_TRANSFER, SIM_TRANSFER,
                      any_of(admin, &membership->conf.voters));
    } else {
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
    errand_send(change_new(admin, checker_leader(admin->sim->checker), SIM_MEMBER_REPLACED));
}

/* By a request, too; but an id that was drawn before may not be taken by one. */
static void replace_lost(struct admin *admin, struct host *lost)
{
    struct host *anybody = any_host_up(admin);
    if (anybody != NULL && chance_hits(&admin->chance, admin->sim->plan.change_by_request / 2)) {
        request_to_bring(admin, anybody, lost->number, 0);
    } else {
        struct id_set old = {.count = 1, .ids = {lost->number}};
        replace(admin, checker_leader(admin->sim->checker), &old);
    }
}

static void on_duty(struct world_event *event)
{
    struct admin *admin = CONTAINER_OF(event, struct admin, duty);
    const struct membership *membership = membership_of(admin);
    struct host *lost = lost_member(admin);
    if (membership != NULL && admin->change_count == 0) {
        if (membership->conf.voters_outgoing.count > 0) {
            bool is_put_off = admin->sim->plan.is_admin_hasty && !admin->sim->is_calm &&
                              prng_below(&admin->chance, 8) != 0;
            if (!membership->conf.auto_leave && !is_put_off) {
                leave_joint(admin);
            }
        } else if (lost != NULL) {
            replace_lost(admin, lost);
        }
    }
    world_schedule(admin->sim->world, event, world_now_ns(admin->sim->world) + DUTY_NS);
}
