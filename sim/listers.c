#include "sim/listers.h"

#include "base/mem.h"
#include "node/node_int.h"
#include "sim/node_env.h"
#include "sim/txn_clients.h"
#include "sim/visit.h"

#define PAGE_MAX 12u
#define ATTEMPTS_MAX 10u
#define REST_NS (2 * SIM_SECOND)
#define PAUSE_NS_MIN SIM_MS
#define PAUSE_NS_MAX (2 * SIM_SECOND)

/* One page on its way; stays with the node that dies with it. */
struct page {
    struct lister *lister;
    struct visit visit;
};

struct lister {
    struct listers *listers;
    struct world_event next;
    struct page *page; /* NULL: none is on its way */
    struct past_list list;
    bool is_begun;     /* its revision is known */
    uint32_t size;     /* of its pages */
    uint32_t attempts; /* that may still come to nothing */
};

struct listers {
    struct sim *sim;
    struct prng chance;
    struct lister *items;
    uint32_t count;
    bool is_stopped;
};

/* From which key up to which one; an empty bound is none. */
static const struct store_range ranges[] = {
    {{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}},
    {{(const uint8_t *)"key-", 4}, {(const uint8_t *)"key.", 4}},
    {{(const uint8_t *)"key-2", 5}, {(const uint8_t *)"key-5", 5}},
    {{(const uint8_t *)"key-3", 5}, {(const uint8_t *)"", 0}},
    {{(const uint8_t *)TXN_CLIENTS_PREFIX, 2}, {(const uint8_t *)"t.", 2}},
    {{(const uint8_t *)"", 0}, {(const uint8_t *)"t-pair-1", 8}},
};

static void on_next(struct world_event *event);

struct listers *listers_new(struct sim *sim, const struct past *past)
{
    struct listers *listers = mem_calloc(1, sizeof(*listers));
    listers->sim = sim;
    listers->count = sim->plan.lister_count;
    listers->items = mem_calloc(listers->count + 1, sizeof(*listers->items));
    world_chance(sim->world, "listers", &listers->chance);
    for (uint32_t i = 0; i < listers->count; i++) {
        struct lister *lister = &listers->items[i];
        lister->listers = listers;
        lister->list.past = past;
        lister->next.run = on_next;
        world_schedule(sim->world, &lister->next, prng_below(&listers->chance, REST_NS));
    }
    return listers;
}

static void go_on_later(struct lister *lister, uint64_t pause_ns)
{
    struct world *world = lister->listers->sim->world;
    world_schedule(world, &lister->next, world_now_ns(world) + pause_ns);
}

/* However: the next one is another list. */
static void end_list(struct lister *lister)
{
    lister->attempts = 0;
    go_on_later(lister, chance_between(&lister->listers->chance, 0, 2 * REST_NS));
}

static void on_page(struct lister *lister, struct host *host)
{
    struct sim *sim = lister->listers->sim;
    if (!lister->is_begun) {
        past_list_from(&lister->list, node_revision(host->node));
        lister->is_begun = lister->list.revision > 0;
    }
    /* Where nothing was ever written there is no revision to ask for. */
    err e = lister->is_begun ? visit_list(host, &lister->list, lister->size) : ERR_NO_LEADER;
    world_trace(sim->world, "page", host->number, lister->list.revision, (uint64_t)e);
    if (e == ERR_NOT_FOUND || e == ERR_GONE) {
        sim_count(sim, e == ERR_GONE ? SIM_LIST_GONE : SIM_LIST_WHOLE, 1);
        end_list(lister);
        return;
    }
    lister->attempts -= e != OK ? 1 : 0;
    go_on_later(lister, chance_log(&lister->listers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX));
}

static void on_visit(struct visit *visit, err e)
{
    struct page *page = CONTAINER_OF(visit, struct page, visit);
    struct lister *lister = page->lister;
    if (e == OK) {
        on_page(lister, visit->host);
    } else {
        lister->attempts--;
        go_on_later(lister, chance_log(&lister->listers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX));
    }
    lister->page = NULL;
    mem_free(page);
}

static void draw_list(struct lister *lister)
{
    struct prng *chance = &lister->listers->chance;
    lister->list.range = ranges[prng_below(chance, ARRAY_COUNT(ranges))];
    lister->list.is_reverse = prng_below(chance, 3) == 0;
    lister->size = (uint32_t)chance_between(chance, 1, PAGE_MAX);
    lister->attempts = ATTEMPTS_MAX;
    lister->is_begun = false;
    past_list_from(&lister->list, 0);
}

/* A page, at any node that is up. */
static void on_next(struct world_event *event)
{
    struct lister *lister = CONTAINER_OF(event, struct lister, next);
    struct listers *listers = lister->listers;
    struct sim *sim = listers->sim;
    if (listers->is_stopped) {
        return;
    }
    if (lister->attempts == 0) {
        draw_list(lister);
    }
    struct host *host = sim->hosts[1 + prng_below(&listers->chance, sim->host_count)];
    if (!host_is_up(host)) {
        go_on_later(lister, chance_log(&listers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX));
        return;
    }
    lister->page = mem_calloc(1, sizeof(*lister->page));
    lister->page->lister = lister;
    lister->page->visit.done = on_visit;
    visit_begin(&lister->page->visit, host, lister->list.revision);
}

void listers_life_ended(struct listers *listers, const struct host *host)
{
    for (uint32_t i = 0; i < listers->count; i++) {
        struct lister *lister = &listers->items[i];
        if (lister->page != NULL && lister->page->visit.host == host) {
            visit_lost(&lister->page->visit);
            lister->page = NULL; /* its memory stays: the dead node may have it in a list */
            go_on_later(lister, chance_log(&listers->chance, PAUSE_NS_MIN, PAUSE_NS_MAX));
        }
    }
}

void listers_stop(struct listers *listers)
{
    listers->is_stopped = true;
}
