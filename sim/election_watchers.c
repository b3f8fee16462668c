#include "sim/election_watchers.h"

#include <inttypes.h>

#include "base/mem.h"
#include "node/node_int.h"
#include "node/notices.h"
#include "sim/admin.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "sim/txn_model.h"
#include "sim/txn_request.h"
#include "sim/visit.h"
#include "store/system_read.h"

#define WATCHERS_MAX 3u
#define PAUSE_NS_MIN SIM_MS
#define PAUSE_NS_MAX (2 * SIM_SECOND)
#define CUT_IN 64u /* so many looks there is one after which it is cut off */

/* One connection; stays with the node that dies with it. */
struct session {
    struct watcher *watcher;
    struct visit visit;
    struct node_notice notice;
    struct world_event wake; /* it looks whether it was told */
    bool is_open;
    struct txn_model_lead told; /* last; its revision does not count */
};

struct watcher {
    struct election_watchers *watchers;
    struct world_event next; /* it looks for a node */
    uint64_t revision;       /* whose leader it was told last */
    struct session *session;
};

struct election_watchers {
    struct sim *sim;
    const struct txn_model *model;
    struct prng chance;
    char name[TXN_REQUEST_LOCK_SIZE];
    struct watcher items[WATCHERS_MAX];
    uint32_t count;
    bool is_calm;
};

static void on_next(struct world_event *event);

struct election_watchers *election_watchers_new(struct sim *sim)
{
    struct election_watchers *watchers = mem_calloc(1, sizeof(*watchers));
    watchers->sim = sim;
    watchers->model = checker_txn_model(sim->checker);
    txn_request_lock_name(TXN_REQUEST_ELECTION, watchers->name);
    world_chance(sim->world, "watchers of elections", &watchers->chance);
    bool has_election = sim->plan.txn_share > 0;
    watchers->count = has_election ? (uint32_t)prng_below(&watchers->chance, WATCHERS_MAX + 1) : 0;
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct watcher *watcher = &watchers->items[i];
        watcher->watchers = watchers;
        watcher->next.run = on_next;
        world_schedule(sim->world, &watcher->next, prng_below(&watchers->chance, PAUSE_NS_MAX));
    }
    return watchers;
}

/* ---- ends ---- */

static void move_on(struct watcher *watcher)
{
    struct election_watchers *watchers = watcher->watchers;
    struct world *world = watchers->sim->world;
    watcher->session = NULL;
    uint64_t pause_ns = chance_log(&watchers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX);
    world_schedule(world, &watcher->next, world_now_ns(world) + pause_ns);
}

/* Its node is alive. */
static void end_session(struct session *session)
{
    node_notice_stop(session->visit.host->node, &session->notice);
    world_cancel(session->watcher->watchers->sim->world, &session->wake);
    move_on(session->watcher);
    mem_free(session);
}

void election_watchers_life_ended(struct election_watchers *watchers, const struct host *host)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct session *session = watchers->items[i].session;
        if (session != NULL && session->visit.host == host) {
            visit_lost(&session->visit);
            world_cancel(watchers->sim->world, &session->wake);
            move_on(session->watcher); /* its memory stays: the dead node may have it in a list */
        }
    }
}

void election_watchers_node_closes(struct election_watchers *watchers, const struct host *host)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct session *session = watchers->items[i].session;
        if (session != NULL && session->visit.host == host && session->is_open) {
            end_session(session);
        }
    }
}

/* ---- what is told ---- */

static bool is_same(struct txn_model_lead one, struct txn_model_lead other)
{
    return one.token == other.token && one.said == other.said;
}

/* Who leads at its node, and at which revision; false: it does not say. */
static bool look(struct session *session, struct txn_model_lead *out_lead)
{
    const struct election_watchers *watchers = session->watcher->watchers;
    const struct host *host = session->visit.host;
    struct node_state state;
    struct store_party leader;
    if (node_state_look(host->node, &state) != OK) {
        return false;
    }
    err e = store_holder_next(state.store, slice_from_text(watchers->name), 0, &leader);
    if (e != OK && e != ERR_NOT_FOUND) {
        return false;
    }
    struct txn_model_lead lead = {.revision = store_region(state.store, REGION_FIRST)->revision};
    if (e == OK) {
        lead.token = leader.number;
        lead.said = txn_model_said(leader.party.owner);
    }
    struct txn_model_lead is = txn_model_lead_at(watchers->model, lead.revision);
    if (!is_same(lead, is)) {
        sim_fail(watchers->sim,
                 "an election: by node %u %" PRIu64 " leads at revision %" PRIu64
                 ", and it is %" PRIu64 "%s",
                 host->number, lead.token, lead.revision, is.token,
                 lead.token == is.token ? ", with something else to say" : "");
    }
    if (lead.revision < session->watcher->revision) {
        sim_fail(watchers->sim, "an election: node %u tells what was, of revision %" PRIu64,
                 host->number, lead.revision);
    }
    *out_lead = lead;
    return true;
}

static void be_told(struct session *session)
{
    struct sim *sim = session->watcher->watchers->sim;
    struct txn_model_lead lead;
    if (!look(session, &lead)) {
        return;
    }
    sim_count(sim, SIM_ELECTION_TOLD, is_same(lead, session->told) ? 0 : 1);
    session->watcher->revision = lead.revision;
    session->told = lead;
}

static void on_changed(struct node_notice *notice)
{
    be_told(CONTAINER_OF(notice, struct session, notice));
}

static void wake_later(struct session *session)
{
    struct election_watchers *watchers = session->watcher->watchers;
    env_sim_schedule(session->visit.host->env, &session->wake,
                     world_now_ns(watchers->sim->world) +
                         chance_log(&watchers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX));
}

/* T1, T3: whatever was applied until now, it was told. */
static void on_wake(struct world_event *event)
{
    struct session *session = CONTAINER_OF(event, struct session, wake);
    struct election_watchers *watchers = session->watcher->watchers;
    struct txn_model_lead lead;
    if (look(session, &lead) && !is_same(lead, session->told)) {
        sim_fail(watchers->sim,
                 "an election: node %u has not told that %" PRIu64
                 " leads, or what it says, at revision %" PRIu64,
                 session->visit.host->number, lead.token, lead.revision);
    }
    if (!watchers->is_calm && prng_below(&watchers->chance, CUT_IN) == 0) {
        end_session(session);
    } else {
        wake_later(session);
    }
}

static void on_not_woken(struct world_event *event)
{
    (void)event; /* its life is over */
}

/* ---- at a node ---- */

static void on_visit(struct visit *visit, err e)
{
    struct session *session = CONTAINER_OF(visit, struct session, visit);
    struct system_key key;
    if (e != OK) {
        end_session(session);
        return;
    }
    session->is_open = true;
    session->notice.changed = on_changed;
    node_notice_start(visit->host->node, &session->notice,
                      system_key_lock(&key, slice_from_text(session->watcher->watchers->name)));
    be_told(session);
    wake_later(session);
}

static void on_next(struct world_event *event)
{
    struct watcher *watcher = CONTAINER_OF(event, struct watcher, next);
    struct election_watchers *watchers = watcher->watchers;
    struct sim *sim = watchers->sim;
    struct host *host = sim->hosts[1 + prng_below(&watchers->chance, sim->host_count)];
    /* In the end by who has been told where to go: others may never come so far. */
    if (!host_is_up(host) || (watchers->is_calm && !admin_is_member(sim->admin, host))) {
        move_on(watcher);
        return;
    }
    struct session *session = mem_calloc(1, sizeof(*session));
    session->watcher = watcher;
    session->visit.done = on_visit;
    session->wake.run = on_wake;
    session->wake.drop = on_not_woken;
    session->wake.is_quiet = true;
    watcher->session = session;
    visit_begin(&session->visit, host, watcher->revision);
}

/* ---- the end ---- */

void election_watchers_calm(struct election_watchers *watchers)
{
    watchers->is_calm = true;
}

bool election_watchers_are_level(struct election_watchers *watchers)
{
    bool are_level = true;
    bool is_led = checker_leader(watchers->sim->checker) != NULL;
    struct txn_model_lead leader = txn_model_lead_at(watchers->model, UINT64_MAX);
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct session *session = watchers->items[i].session;
        bool is_level = session != NULL && session->is_open && is_same(session->told, leader);
        if (!is_level && session != NULL && is_led && session->is_open &&
            !admin_is_member(watchers->sim->admin, session->visit.host)) {
            end_session(session); /* its node will not come to have everything */
        }
        are_level = are_level && is_level;
    }
    return are_level;
}

void election_watchers_tell(const struct election_watchers *watchers, FILE *out)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        const struct watcher *watcher = &watchers->items[i];
        const struct session *session = watcher->session;
        (void)fprintf(out, "    who watches the election %s was told of revision %" PRIu64,
                      watchers->name, watcher->revision);
        if (session == NULL) {
            (void)fprintf(out, ", and is at no node\n");
        } else {
            (void)fprintf(out, ", at node %u, that %" PRIu64 " leads%s\n",
                          session->visit.host->number, session->told.token,
                          session->is_open ? "" : ", which has not answered");
        }
    }
}
