#include "sim/watchers.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "node/node_int.h"
#include "node/watches.h"
#include "sim/admin.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "sim/txn_clients.h"
#include "sim/visit.h"

#define STEP_MAX 40u /* changes, or keys, that are told at a time */
#define PAUSE_NS_MIN SIM_MS
#define PAUSE_NS_MAX (2 * SIM_SECOND)

/* One connection; stays with the node that dies with it. */
struct session {
    struct watcher *watcher;
    struct visit visit;
    struct watch watch;
    struct world_event wake;
    bool is_open;
    bool is_slow; /* takes no more for now */
    bool is_listing;
    struct past_list list;
};

struct watcher {
    struct watchers *watchers;
    struct world_event next; /* it looks for a node */
    struct past_watch told;
    struct store_range range; /* of its pattern */
    bool has_id;
    bool is_too_late; /* what comes after its id is gone: it begins with a list */
    struct session *session;
};

struct watchers {
    struct sim *sim;
    struct prng chance;
    struct watcher *items;
    uint32_t count;
    bool is_calm;
};

struct kind {
    const char *text;
    const char *end; /* of all that begin so; of a key: behind it */
    bool is_prefix;
};

static const struct kind kinds[] = {
    {"", "", true},
    {"", "", true},
    {TXN_CLIENTS_PREFIX, "t.", true},
    {TXN_CLIENTS_PREFIX, "t.", true},
    {"key-", "key.", true},
    {"key-1", "key-2", true},
    {"t-ttl-", "t-ttl.", true},
    {"key-0", "key-0\001", false},
    {"t-number-1", "t-number-1\001", false},
};

static void on_next(struct world_event *event);

struct watchers *watchers_new(struct sim *sim, const struct past *past)
{
    struct watchers *watchers = mem_calloc(1, sizeof(*watchers));
    watchers->sim = sim;
    watchers->count = sim->plan.watcher_count;
    watchers->items = mem_calloc(watchers->count + 1, sizeof(*watchers->items));
    world_chance(sim->world, "watchers", &watchers->chance);
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct watcher *watcher = &watchers->items[i];
        const struct kind *kind = &kinds[prng_below(&watchers->chance, ARRAY_COUNT(kinds))];
        watcher->watchers = watchers;
        watcher->told.past = past;
        watcher->told.pattern.text = slice_from_text(kind->text);
        watcher->told.pattern.is_prefix = kind->is_prefix;
        watcher->range.begin = slice_from_text(kind->text);
        watcher->range.end = slice_from_text(kind->end);
        watcher->next.run = on_next;
        world_schedule(sim->world, &watcher->next, prng_below(&watchers->chance, PAUSE_NS_MAX));
    }
    return watchers;
}

static void must(const struct session *session, const char *complaint)
{
    const struct host *host = session->visit.host;
    if (complaint != NULL) {
        sim_fail(host->sim, "the past: node %u: %s", host->number, complaint);
    }
}

/* ---- ends ---- */

/* It looks for a node again, with what it has whole: the rest it has to be told once more. */
static void move_on(struct watcher *watcher)
{
    struct watchers *watchers = watcher->watchers;
    struct world *world = watchers->sim->world;
    watcher->session = NULL;
    past_watch_from(&watcher->told, watcher->told.id);
    uint64_t pause_ns = chance_log(&watchers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX);
    world_schedule(world, &watcher->next, world_now_ns(world) + pause_ns);
}

/* Its node is alive. */
static void end_session(struct session *session)
{
    if (session->is_open) {
        watch_close(&session->watch);
    }
    world_cancel(session->watcher->watchers->sim->world, &session->wake);
    buf_unref(session->list.last);
    move_on(session->watcher);
    mem_free(session);
}

void watchers_life_ended(struct watchers *watchers, const struct host *host)
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

void watchers_node_closes(struct watchers *watchers, const struct host *host)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct session *session = watchers->items[i].session;
        if (session != NULL && session->visit.host == host && session->is_open) {
            end_session(session);
        }
    }
}

/* ---- what is told ---- */

static const struct history *history_of(const struct session *session)
{
    return node_history(session->visit.host->node);
}

/* Whether no other change of its revision is one that is watched. */
static bool is_last(const struct session *session, const struct history_entry *entry)
{
    const struct history *history = history_of(session);
    for (uint64_t n = entry->number + 1; n < history_end(history); n++) {
        const struct history_entry *next = history_at_number(history, n);
        if (next->revision != entry->revision) {
            break;
        }
        if (watch_fits(&session->watch, next->key)) {
            return false;
        }
    }
    return true;
}

/* Whether it was told of its revision's last change. */
static bool tell(struct session *session, const struct history_entry *entry)
{
    struct sim *sim = session->watcher->watchers->sim;
    const struct host *host = session->visit.host;
    bool is_damaged;
    const struct store_record *replaced = history_replaced(entry, &is_damaged);
    if (is_damaged && !host->is_rotten) {
        sim_fail(sim, "the past: node %u has replaced a damaged value", host->number);
    }
    struct past_event event = {
        .revision = entry->revision,
        .kind = entry->kind,
        .key = entry->key,
        .value = entry->kind == STORE_CHANGE_PUT ? entry->record.value : SLICE_EMPTY,
        .has_replaced = replaced != NULL,
        .replaced = replaced != NULL ? replaced->value : SLICE_EMPTY,
        .is_damaged = is_damaged,
        .is_last = is_last(session, entry),
    };
    must(session, past_watch_told(&session->watcher->told, &event));
    sim_count(sim, SIM_WATCH_TOLD, 1);
    return event.is_last;
}

/* Its client breaks off, or does not read on for a while. False: it goes on. */
static bool is_disturbed(struct session *session, bool is_whole)
{
    struct watchers *watchers = session->watcher->watchers;
    struct sim *sim = watchers->sim;
    if (watchers->is_calm) {
        return false;
    }
    if (chance_hits(&watchers->chance, sim->plan.watch_cut)) {
        sim_count(sim, is_whole ? SIM_WATCH_CUT : SIM_WATCH_CUT_WITHIN, 1);
        end_session(session);
        return true;
    }
    if (chance_hits(&watchers->chance, sim->plan.watch_slow)) {
        session->is_slow = true;
        env_sim_schedule(session->visit.host->env, &session->wake,
                         world_now_ns(sim->world) + chance_log(&watchers->chance, PAUSE_NS_MIN,
                                                               sim->plan.watch_pause_ns_max));
    }
    return session->is_slow;
}

static void come_too_late(struct session *session)
{
    struct sim *sim = session->watcher->watchers->sim;
    if (session->watch.position >= history_first(history_of(session))) {
        sim_fail(sim, "the past: node %u takes what it has for gone", session->visit.host->number);
    }
    sim_count(sim, SIM_WATCH_OVERRUN, 1);
    world_trace(sim->world, "watch overrun", session->visit.host->number, session->watcher->told.id,
                0);
    end_session(session);
}

/* The next changes. */
static void go_on(struct session *session, uint32_t count_max)
{
    struct watch *watch = &session->watch;
    const struct history *history = history_of(session);
    for (uint32_t i = 0; i < count_max; i++) {
        uint64_t number;
        enum watch_found found = watch_find(watch, watch->position, &number);
        if (found == WATCH_GONE) {
            come_too_late(session);
            return;
        }
        watch->position = number;
        if (found == WATCH_NOTHING) {
            watch_rest(watch);
            must(session, past_watch_level(&session->watcher->told, history_newest(history)));
            return;
        }
        if (found == WATCH_LATER) {
            break;
        }
        watch->position = number + 1;
        if (is_disturbed(session, tell(session, history_at_number(history, number)))) {
            return;
        }
    }
    watch_again(watch);
}

/* ---- a list first ---- */

static void begin_list(struct session *session)
{
    const struct history *history = history_of(session);
    session->is_listing = true;
    session->watch.position = history_end(history);
    past_list_from(&session->list, history_newest(history));
}

static void go_on_listing(struct session *session, uint32_t count_max)
{
    struct watcher *watcher = session->watcher;
    struct host *host = session->visit.host;
    err e = session->list.revision > 0 ? visit_list(host, &session->list, count_max)
                                       : ERR_NOT_FOUND; /* nothing was ever there */
    if (e == ERR_NOT_FOUND) {
        session->is_listing = false;
        watcher->has_id = true;
        watcher->is_too_late = false;
        past_watch_from(&watcher->told, session->list.revision);
        world_trace(host->sim->world, "watch synced", host->number, watcher->told.id, 0);
    } else if (e == ERR_GONE) {
        begin_list(session);
    } else if (e != OK) {
        end_session(session);
        return;
    }
    watch_again(&session->watch);
}

/* ---- what the node calls ---- */

static uint64_t on_ready(struct watch *watch)
{
    struct session *session = CONTAINER_OF(watch, struct session, watch);
    struct watchers *watchers = session->watcher->watchers;
    uint32_t count_max = (uint32_t)chance_between(&watchers->chance, 1, STEP_MAX);
    if (watch_ended(watch) != OK) {
        end_session(session);
    } else if (session->is_slow) {
        /* `wake` goes on */
    } else if (session->is_listing) {
        go_on_listing(session, count_max);
    } else {
        go_on(session, count_max);
    }
    return count_max;
}

static void on_wake(struct world_event *event)
{
    struct session *session = CONTAINER_OF(event, struct session, wake);
    session->is_slow = false;
    if (list_is_empty(&session->watch.link)) { /* else it is told anyway */
        watch_again(&session->watch);
    }
}

static void on_not_woken(struct world_event *event)
{
    (void)event; /* its life is over */
}

/* It waited until the node has its id's revision: if that is not covered, it is too old. */
static bool is_there(const struct session *session)
{
    const struct watcher *watcher = session->watcher;
    const struct history *history = history_of(session);
    bool is_covered = history_covers(history, watcher->told.id);
    if (!is_covered && watcher->told.id >= history_oldest(history)) {
        sim_fail(watcher->watchers->sim,
                 "the past: node %u says that revision %" PRIu64 " is none of this cluster",
                 session->visit.host->number, watcher->told.id);
    }
    return is_covered;
}

/* At the node: from its id on if that is there, from now on, or with a list. */
static void open_watch(struct session *session)
{
    struct watcher *watcher = session->watcher;
    struct watchers *watchers = watcher->watchers;
    struct sim *sim = watchers->sim;
    struct history *history = node_history(session->visit.host->node);
    bool is_resumed = watcher->has_id && !watcher->is_too_late && is_there(session);
    bool is_too_late = watcher->has_id && !is_resumed;
    bool is_initial = is_too_late || (!watcher->has_id && prng_below(&watchers->chance, 2) == 0);
    uint64_t since = is_resumed ? watcher->told.id : history_newest(history);
    session->is_open = true;
    session->watch.pattern = watcher->told.pattern.text;
    session->watch.is_prefix = watcher->told.pattern.is_prefix;
    session->watch.ready = on_ready;
    watch_open(node_watches(session->visit.host->node), &session->watch,
               history_find(history, since));
    sim_count(sim, SIM_WATCH_RESUMED, is_resumed ? 1 : 0);
    sim_count(sim, SIM_WATCH_GONE, is_too_late ? 1 : 0);
    world_trace(sim->world, "watch", session->visit.host->number, since, is_resumed ? 1 : 0);
    watcher->is_too_late = is_too_late;
    if (is_initial) {
        begin_list(session);
    } else {
        watcher->has_id = true;
        past_watch_from(&watcher->told, since);
    }
}

static void on_visit(struct visit *visit, err e)
{
    struct session *session = CONTAINER_OF(visit, struct session, visit);
    e = e == OK ? watches_ended(node_watches(visit->host->node)) : e;
    if (e == OK) {
        open_watch(session);
    } else {
        end_session(session);
    }
}

/* ---- looking for a node ---- */

static void on_next(struct world_event *event)
{
    struct watcher *watcher = CONTAINER_OF(event, struct watcher, next);
    struct watchers *watchers = watcher->watchers;
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
    session->list.past = watcher->told.past;
    session->list.range = watcher->range;
    watcher->session = session;
    visit_begin(&session->visit, host, watcher->told.id);
}

/* ---- the end ---- */

void watchers_calm(struct watchers *watchers)
{
    watchers->is_calm = true;
}

/* At a node that will not come to have everything. */
static bool is_astray(const struct session *session)
{
    const struct host *host = session->visit.host;
    return session->is_open && !admin_is_member(host->sim->admin, host);
}

bool watchers_are_level(struct watchers *watchers)
{
    bool are_level = true;
    bool is_led = checker_leader(watchers->sim->checker) != NULL;
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct watcher *watcher = &watchers->items[i];
        struct session *session = watcher->session;
        bool is_level = session != NULL && session->is_open && !session->is_listing &&
                        watcher->has_id && past_watch_is_level(&watcher->told);
        if (!is_level && session != NULL && is_led && is_astray(session)) {
            end_session(session);
        }
        are_level = are_level && is_level;
    }
    return are_level;
}

void watchers_tell(const struct watchers *watchers, FILE *out)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        const struct watcher *watcher = &watchers->items[i];
        const struct session *session = watcher->session;
        (void)fprintf(out, "    who watches %.*s%s has all up to revision %" PRIu64,
                      (int)watcher->told.pattern.text.size,
                      (const char *)watcher->told.pattern.text.data,
                      watcher->told.pattern.is_prefix ? "*" : "", watcher->told.id);
        if (session == NULL) {
            (void)fprintf(out, ", and is at no node\n");
        } else {
            (void)fprintf(out, ", at node %u%s%s%s\n", session->visit.host->number,
                          session->is_open ? "" : ", which has not answered",
                          session->is_listing ? ", in its list" : "",
                          session->is_slow ? ", and does not read" : "");
        }
    }
}
