#include "sim/faults.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "sim/admin.h"
#include "sim/checker.h"
#include "sim/clients.h"
#include "sim/helix.h"
#include "sim/network.h"
#include "sim/node_env.h"

struct faults {
    struct sim *sim;
    struct prng chance;
    struct world_event next;
};

/* The end of something that lasts. */
struct ending {
    struct world_event event;
    struct faults *faults;
    void (*end)(struct faults *faults, struct ending *ending);
    struct host *host;
    uint32_t from;
    uint32_t to;
};

/* ---- drawing ---- */

static uint64_t around(struct faults *faults, uint64_t mean_ns)
{
    return 1 + prng_below(&faults->chance, 2 * mean_ns);
}

static struct host *any_host(struct faults *faults)
{
    struct sim *sim = faults->sim;
    return sim->hosts[1 + prng_below(&faults->chance, sim->host_count)];
}

/* A host that is up, half of the time the leader; NULL: the one that was drawn is not. */
static struct host *a_victim(struct faults *faults)
{
    struct host *host = any_host(faults);
    if (prng_below(&faults->chance, 3) == 0) {
        struct host *leader = checker_leader(faults->sim->checker);
        host = leader != NULL ? leader : host;
    }
    return host_is_up(host) ? host : NULL;
}

static uint64_t now_ns(const struct faults *faults)
{
    return world_now_ns(faults->sim->world);
}

static void on_ending(struct world_event *event)
{
    struct ending *ending = CONTAINER_OF(event, struct ending, event);
    ending->end(ending->faults, ending);
    mem_free(ending);
}

static struct ending *end_later(struct faults *faults, struct host *host,
                                void (*end)(struct faults *faults, struct ending *ending))
{
    struct ending *ending = mem_calloc(1, sizeof(*ending));
    *ending =
        (struct ending){.event = {.run = on_ending}, .faults = faults, .end = end, .host = host};
    world_schedule(faults->sim->world, &ending->event,
                   now_ns(faults) + around(faults, faults->sim->plan.fault_length_ns));
    return ending;
}

/* F1: a damaged log stays powered, since a lost mark would make a torn write of the damage. */
enum disk_crash faults_crash_kind(struct faults *faults, const struct host *host)
{
    if (host->is_rotten) {
        return DISK_CRASH_PROCESS;
    }
    return (enum disk_crash)prng_below(&faults->chance, DISK_CRASH_COUNT);
}

uint64_t faults_down_ns(struct faults *faults)
{
    return around(faults, faults->sim->plan.down_ns);
}

void faults_life_begins(struct faults *faults, struct host *host)
{
    if (!faults->sim->is_calm && faults->sim->plan.weights.crash_effect > 0 &&
        prng_below(&faults->chance, 8) == 0) {
        host->env->effects_until_crash = chance_log(&faults->chance, 1, 64);
    }
}

/* Another host's disk: what it was told to write, the next leader replaces before it is written. */
static void stall_another(struct faults *faults, const struct host *leader)
{
    struct host *host = any_host(faults);
    uint64_t timeout_ns = faults->sim->plan.election_timeout_ms * SIM_MS;
    if (host != leader && host_is_up(host)) {
        host->stalled_until_ns =
            now_ns(faults) + timeout_ns * chance_between(&faults->chance, 1, 10);
        sim_count(faults->sim, SIM_DISK_STALLED, 1);
        world_trace(faults->sim->world, "stall", host->number, host->stalled_until_ns, 0);
    }
}

/* With an entry of its term on its own disk, or on some others' as well: where Raft's figure 8
 * begins. */
void faults_elected(struct faults *faults, const struct host *host)
{
    if (!faults->sim->is_calm && chance_hits(&faults->chance, faults->sim->plan.leader_crash)) {
        host->env->effects_until_crash = chance_log(&faults->chance, 1, 32);
        if (prng_below(&faults->chance, 2) == 0) {
            stall_another(faults, host);
        }
    }
}

/* As err_title calls it, or STORE_DAMAGE_ADVICE. */
static bool is_of_damage(const char *words)
{
    return strstr(words, "is damaged") != NULL || strstr(words, "cannot be trusted") != NULL;
}

/* A node that was born on a full disk has nothing reserved for its identity. */
static bool is_of_identity(const char *words)
{
    return strstr(words, "/identity: cannot be written: No space") != NULL;
}

/* A damaged log was set aside while the node ran, and there is no room for a new one: as a start
 * does then, it ends, and the next one tries again. */
static bool is_of_new_log(const char *words)
{
    return strstr(words, ".new: cannot fill ") != NULL && strstr(words, ": No space") != NULL;
}

bool faults_excuse_fatal(struct faults *faults, struct host *host)
{
    (void)faults;
    bool is_excused = host->has_sync_failed ||
                      (host->is_rotten && is_of_damage(host->last_words)) ||
                      (host->was_refused &&
                       (is_of_identity(host->last_words) || is_of_new_log(host->last_words)));
    if (host->has_sync_failed && host->is_rotten) {
        /* What it had mended looks whole now, and the next power cut may bring the rot back: it is
         * replaced as soon as the others can do that. */
        host->is_log_rotten = false;
        host->is_holed = false;
    }
    host->has_sync_failed = false;
    return is_excused;
}

/* ---- crashes ---- */

static void crash(struct faults *faults)
{
    struct host *host = a_victim(faults);
    if (host != NULL) {
        host_crash(host, faults_crash_kind(faults, host));
    }
}

static void crash_at_effect(struct faults *faults)
{
    struct host *host = a_victim(faults);
    if (host != NULL) {
        host->env->effects_until_crash = chance_log(&faults->chance, 1, 128);
    }
}

static void crash_all(struct faults *faults)
{
    enum disk_crash kind =
        (enum disk_crash)chance_between(&faults->chance, DISK_CRASH_LOST, DISK_CRASH_COUNT - 1);
    bool was_any_up = false;
    for (uint32_t i = 1; i <= faults->sim->host_count; i++) {
        struct host *host = faults->sim->hosts[i];
        was_any_up = was_any_up || host_is_up(host);
        host_crash(host, host->is_rotten ? DISK_CRASH_PROCESS : kind); /* F1 */
    }
    sim_count(faults->sim, SIM_CRASH_ALL, was_any_up ? 1 : 0);
}

static void stop(struct faults *faults)
{
    struct host *host = a_victim(faults);
    if (host != NULL) {
        host_stop(host);
    }
}

static void pause(struct faults *faults)
{
    struct host *host = a_victim(faults);
    if (host != NULL) {
        uint64_t length_ns = around(faults, faults->sim->plan.fault_length_ns);
        world_trace(faults->sim->world, "pause", host->number, length_ns, 0);
        sim_count(faults->sim, SIM_PAUSE, 1);
        host_pause(host, now_ns(faults) + length_ns);
    }
}

/* ---- the network ---- */

static void heal_way(struct faults *faults, struct ending *ending)
{
    network_cut(faults->sim->network, ending->from, ending->to, false);
}

static void cut_way(struct faults *faults, uint32_t from, uint32_t to, uint64_t until_ns)
{
    network_cut(faults->sim->network, from, to, true);
    struct ending *ending = end_later(faults, NULL, heal_way);
    ending->from = from;
    ending->to = to;
    world_schedule(faults->sim->world, &ending->event, until_ns);
}

/* False: it was cut already, and has its own end. */
static bool cut_if_open(struct faults *faults, uint32_t from, uint32_t to, uint64_t until_ns)
{
    bool is_open = !network_is_cut(faults->sim->network, from, to);
    if (is_open) {
        cut_way(faults, from, to, until_ns);
    }
    return is_open;
}

enum cut_shape {
    CUT_ONE_WAY,
    CUT_SPLIT,
    CUT_ISOLATED,
    CUT_BRIDGE,
    CUT_RING,
    CUT_SHAPE_COUNT
};

static const enum sim_count cut_counts[CUT_SHAPE_COUNT] = {
    [CUT_ONE_WAY] = SIM_CUT_ONE_WAY, [CUT_SPLIT] = SIM_CUT_SPLIT, [CUT_ISOLATED] = SIM_CUT_ISOLATED,
    [CUT_BRIDGE] = SIM_CUT_BRIDGE,   [CUT_RING] = SIM_CUT_RING,
};

struct cut {
    enum cut_shape shape;
    uint32_t chosen;                    /* the isolated one, the bridge, the one-way's source */
    uint32_t other;                     /* the one-way's target */
    uint32_t group[PLAN_HOSTS_MAX + 1]; /* 0 or 1 */
    uint32_t host_count;
};

/* Whether the way from `a` to `b` is cut. */
static bool is_severed(const struct cut *cut, uint32_t a, uint32_t b)
{
    uint32_t distance = a > b ? a - b : b - a;
    switch (cut->shape) {
    case CUT_ONE_WAY:
        return a == cut->chosen && b == cut->other;
    case CUT_SPLIT:
        return cut->group[a] != cut->group[b];
    case CUT_ISOLATED:
        return a == cut->chosen || b == cut->chosen;
    case CUT_BRIDGE: /* two groups that only one node reaches both of */
        return a != cut->chosen && b != cut->chosen && cut->group[a] != cut->group[b];
    case CUT_RING: /* everybody reaches a neighbour on each side */
        return distance != 1 && distance != cut->host_count - 1;
    case CUT_SHAPE_COUNT:
        break;
    }
    return false;
}

static void cut_network(struct faults *faults)
{
    struct sim *sim = faults->sim;
    struct cut cut = {.host_count = sim->host_count};
    cut.shape = (enum cut_shape)prng_below(&faults->chance, CUT_SHAPE_COUNT);
    cut.chosen = any_host(faults)->number;
    cut.other = any_host(faults)->number;
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        cut.group[i] = (uint32_t)prng_below(&faults->chance, 2);
    }
    uint64_t until_ns = now_ns(faults) + around(faults, sim->plan.fault_length_ns);
    bool is_any = false;
    for (uint32_t a = 1; a <= sim->host_count; a++) {
        for (uint32_t b = 1; b <= sim->host_count; b++) {
            if (a != b && is_severed(&cut, a, b)) {
                is_any = cut_if_open(faults, a, b, until_ns) || is_any;
            }
        }
    }
    if (is_any) {
        sim_count(sim, cut_counts[cut.shape], 1);
        world_trace(sim->world, "cut", 0, (uint64_t)cut.shape, cut.chosen);
    }
}

static bool is_any_cut(const struct sim *sim)
{
    for (uint32_t a = 1; a <= sim->host_count; a++) {
        for (uint32_t b = 1; b <= sim->host_count; b++) {
            if (network_is_cut(sim->network, a, b)) {
                return true;
            }
        }
    }
    return false;
}

/* One follower, for some election timeouts, in one direction or both: nobody else may notice. */
static void isolate_follower(struct faults *faults)
{
    struct sim *sim = faults->sim;
    uint64_t timeout_ns = sim->plan.election_timeout_ms * SIM_MS;
    uint64_t until_ns = now_ns(faults) + timeout_ns * chance_between(&faults->chance, 2, 6);
    uint32_t chosen = any_host(faults)->number;
    uint64_t ways = chance_between(&faults->chance, 1, 3);
    const struct host *leader = checker_leader(sim->checker);
    if (leader == NULL || leader->number == chosen || is_any_cut(sim)) {
        return;
    }
    for (uint32_t other = 1; other <= sim->host_count; other++) {
        if (other != chosen && (ways & 1) != 0) {
            cut_way(faults, other, chosen, until_ns);
        }
        if (other != chosen && (ways & 2) != 0) {
            cut_way(faults, chosen, other, until_ns);
        }
    }
    sim_count(sim, SIM_CUT_ISOLATED, 1);
    world_trace(sim->world, "isolate", chosen, ways, until_ns);
}

static void cut_off(struct faults *faults, struct ending *ending)
{
    struct sim *sim = faults->sim;
    if (sim->is_calm) {
        return;
    }
    uint64_t until_ns = now_ns(faults) + around(faults, sim->plan.fault_length_ns);
    uint32_t chosen = ending->host->number;
    bool spares_some = prng_below(&faults->chance, 2) == 0;
    bool is_any = false;
    for (uint32_t other = 1; other <= sim->host_count; other++) {
        bool is_spared = spares_some && prng_below(&faults->chance, 2) == 0;
        if (other != chosen && !is_spared) {
            is_any = cut_if_open(faults, other, chosen, until_ns) || is_any;
            is_any = cut_if_open(faults, chosen, other, until_ns) || is_any;
        }
    }
    if (is_any) {
        sim_count(sim, SIM_CUT_ISOLATED, 1);
        world_trace(sim->world, "cut off", chosen, until_ns, 0);
    }
}

/* Where a change is under way, who goes and who stays may have to do without each other. */
void faults_changing(struct faults *faults, struct host *host)
{
    if (!faults->sim->is_calm && chance_hits(&faults->chance, faults->sim->plan.change_cut)) {
        struct ending *ending = end_later(faults, host, cut_off);
        world_schedule(faults->sim->world, &ending->event,
                       now_ns(faults) + chance_log(&faults->chance, SIM_MS, SIM_SECOND));
    }
}

static void unclog_way(struct faults *faults, struct ending *ending)
{
    network_clog(faults->sim->network, ending->from, ending->to, 0);
}

static void clog_way(struct faults *faults)
{
    struct ending *ending = end_later(faults, NULL, unclog_way);
    ending->from = any_host(faults)->number;
    ending->to = any_host(faults)->number;
    uint64_t ns = chance_log(&faults->chance, SIM_MS, SIM_SECOND);
    network_clog(faults->sim->network, ending->from, ending->to, ns);
    sim_count(faults->sim, SIM_LINK_CLOGGED, 1);
    world_trace(faults->sim->world, "clog", ending->from, ending->to, ns);
}

static void reset(struct faults *faults)
{
    uint32_t a = any_host(faults)->number;
    uint32_t b = any_host(faults)->number;
    network_reset(faults->sim->network, a, b);
    world_trace(faults->sim->world, "reset", a, b, 0);
}

/* ---- disks and clocks ---- */

static void slow_disk(struct faults *faults)
{
    struct host *host = any_host(faults);
    host->slow_factor = (uint32_t)chance_between(&faults->chance, 5, 100);
    host->slow_until_ns = now_ns(faults) + around(faults, faults->sim->plan.fault_length_ns);
    sim_count(faults->sim, SIM_DISK_SLOW, 1);
}

static void stall_disk(struct faults *faults)
{
    struct host *host = any_host(faults);
    uint64_t length_ns = faults->sim->plan.fault_length_ns;
    if (faults->sim->plan.profile != PLAN_QUIET) {
        length_ns = around(faults, length_ns);
    }
    host->stalled_until_ns = now_ns(faults) + length_ns;
    sim_count(faults->sim, SIM_DISK_STALLED, 1);
    world_trace(faults->sim->world, "stall", host->number, length_ns, 0);
}

static void fail_a_sync(struct faults *faults)
{
    struct host *host = a_victim(faults);
    if (host != NULL) {
        host->syncs_until_error = (uint32_t)chance_log(&faults->chance, 1, 32);
    }
}

static void empty_disk(struct faults *faults, struct ending *ending)
{
    (void)faults;
    ending->host->is_full = false;
}

static void fill_disk(struct faults *faults)
{
    struct host *host = any_host(faults);
    if (!host->is_full) {
        host->is_full = true;
        (void)end_later(faults, host, empty_disk);
        world_trace(faults->sim->world, "disk full", host->number, 0, 0);
    }
}

static void jump_clock(struct faults *faults)
{
    struct host *host = any_host(faults);
    uint64_t span_ms = chance_log(&faults->chance, 1, 3600000);
    bool is_back = prng_below(&faults->chance, 2) == 0;
    host->wall_skew_ms += is_back ? -(int64_t)span_ms : (int64_t)span_ms;
    sim_count(faults->sim, SIM_CLOCK_JUMP, 1);
}

/* ---- rot (F1, F3) ---- */

/* Of LMDB's file: where its second meta page begins, and what each of them begins with. */
#define META_PAGE_SIZE 4096u
#define META_MAGIC_OFFSET 16u

struct rot {
    struct prng *chance;
    struct inode *inode;
    uint64_t file_count;
};

static void pick_segment(void *ctx, const char *path, struct inode *inode)
{
    struct rot *rot = ctx;
    size_t size = strlen(path);
    if (size > 4 && strcmp(path + size - 4, ".seg") == 0 && inode_extent(inode) > 0) {
        rot->file_count++;
        if (prng_below(rot->chance, rot->file_count) == 0) {
            rot->inode = inode;
        }
    }
}

/* What of it has been written to: a segment is zeros from there on. */
static uint64_t written_size(const struct inode *inode)
{
    uint64_t size = inode_extent(inode);
    uint8_t byte = 0;
    while (size > 0 && (inode_read(inode, size - 1, &byte, 1) == 0 || byte == 0)) {
        size--;
    }
    return size;
}

/* Every second one in what is written: most of a segment is room yet, where nobody finds it. */
static uint64_t pick_offset(struct faults *faults, const struct inode *inode)
{
    uint64_t size = prng_below(&faults->chance, 2) == 0 ? written_size(inode) : 0;
    return prng_below(&faults->chance, size > 0 ? size : inode_extent(inode));
}

/* A bit of the log, while its process is dead: that cannot be told from a torn write only if the
 * mark is lost, too, so the power stays on. */
static void rot_log(struct faults *faults, struct host *host)
{
    struct rot rot = {.chance = &faults->chance};
    host_crash(host, DISK_CRASH_PROCESS);
    disk_each(host->disk, pick_segment, &rot);
    if (rot.inode != NULL) {
        uint64_t at = pick_offset(faults, rot.inode);
        inode_rot(rot.inode, at, (uint8_t)(1u << prng_below(&faults->chance, 8)));
        host->is_log_rotten = !host->is_rotten;
        host->is_rotten = true;
        sim_count(faults->sim, SIM_ROT_LOG, 1);
        world_trace(faults->sim->world, "rot log", host->number, at, 0);
    }
}

static void pick_checkpoint(void *ctx, const char *path, struct inode *inode)
{
    struct rot *rot = ctx;
    size_t size = strlen(path);
    if (size > 9 && strcmp(path + size - 9, "/data.mdb") == 0) {
        rot->inode = inode;
    }
}

/*
 * A bit of a value that is stored now: an old page's is nobody's. (LMDB's own pages have no
 * checksums: what rots there is for the state hash to find, and may end the process in other ways.)
 */
static void rot_value(struct faults *faults, struct host *host)
{
    struct rot rot = {.chance = &faults->chance};
    disk_each(host->disk, pick_checkpoint, &rot);
    if (rot.inode == NULL || host_raft(host) == NULL) {
        return;
    }
    const struct sim *sim = faults->sim;
    uint64_t *requests = mem_calloc(sim->plan.key_count, sizeof(*requests));
    size_t count = clients_stored_requests(sim->clients, host, requests);
    uint64_t at = 0;
    bool is_found = clients_find_value(rot.inode, requests, count, &faults->chance, &at);
    mem_free(requests);
    if (!is_found) {
        return;
    }
    inode_rot(rot.inode, at, (uint8_t)(1u << prng_below(&faults->chance, 8)));
    host->is_rotten = true;
    host->is_log_rotten = false;
    sim_count(faults->sim, SIM_ROT_CHECKPOINT, 1);
    world_trace(faults->sim->world, "rot value", host->number, at, 0);
}

/* F3: `host` and all that mend already find one whole member that is not behind their logs. */
static bool may_spoil(const struct faults *faults, const struct host *host, uint64_t mends_from)
{
    const struct sim *sim = faults->sim;
    uint64_t needed = mends_from;
    uint64_t there = 0;
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        const struct host *other = sim->hosts[i];
        if (!admin_is_member(sim->admin, other)) {
            continue;
        }
        if (other->is_mending) {
            needed = other->mends_from > needed ? other->mends_from : needed;
        } else if (other != host && !other->is_rotten && host_raft(other) != NULL) {
            uint64_t applied = host_replica(other)->applied;
            there = applied > there ? applied : there;
        }
    }
    return there >= needed && there > 0;
}

/* All of a checkpoint, by the mark with which LMDB's meta pages begin. */
static void rot_store(struct faults *faults)
{
    struct host *host = a_victim(faults);
    struct rot rot = {.chance = &faults->chance};
    if (host == NULL || host->is_mending || host_raft(host) == NULL ||
        !admin_is_member(faults->sim->admin, host)) {
        return;
    }
    uint64_t mends_from = wal_bounds(host->node->wal, REGION_FIRST).compacted.index;
    if (!may_spoil(faults, host, mends_from)) {
        return;
    }
    host_crash(host, faults_crash_kind(faults, host));
    disk_each(host->disk, pick_checkpoint, &rot);
    uint64_t page = prng_below(&faults->chance, 2) * META_PAGE_SIZE;
    uint64_t at = page + META_MAGIC_OFFSET + prng_below(&faults->chance, 4);
    if (rot.inode != NULL && at < inode_extent(rot.inode)) {
        inode_rot(rot.inode, at, (uint8_t)(1u << prng_below(&faults->chance, 8)));
        host->is_mending = true;
        host->mends_from = mends_from;
        sim_count(faults->sim, SIM_ROT_STORE, 1);
        world_trace(faults->sim->world, "rot store", host->number, at, mends_from);
    }
}

static void rot(struct faults *faults)
{
    if (prng_below(&faults->chance, 3) == 0) {
        rot_store(faults);
        return;
    }
    struct host *host = a_victim(faults);
    if (host == NULL || !admin_may_lose(faults->sim->admin, host)) {
        return;
    }
    if (prng_below(&faults->chance, 3) > 0) {
        rot_log(faults, host);
    } else {
        rot_value(faults, host);
    }
}

/* F4: all three members, and each of them in its turn. */
static void rot_helix(struct faults *faults)
{
    const struct sim *sim = faults->sim;
    const struct host *leader = checker_leader(sim->checker);
    struct host *hosts[HELIX_HOSTS];
    if (leader == NULL || !admin_may_lose(sim->admin, leader)) {
        return;
    }
    const struct conf_state *conf = &host_replica(leader)->membership.conf;
    if (conf->voters.count != HELIX_HOSTS || conf->learners.count > 0) {
        return;
    }
    for (uint32_t i = 0; i < HELIX_HOSTS; i++) {
        hosts[i] = sim->hosts[conf->voters.ids[i]];
    }
    for (uint32_t i = 0; i < HELIX_HOSTS; i++) {
        host_crash(hosts[i], DISK_CRASH_PROCESS);
    }
    uint32_t count = helix_rot(hosts, &faults->chance);
    for (uint32_t i = 0; count > 0 && i < HELIX_HOSTS; i++) {
        hosts[i]->is_rotten = true;
        hosts[i]->is_log_rotten = true;
        hosts[i]->is_holed = true;
    }
    sim_count(faults->sim, SIM_ROT_HELIX, count);
    world_trace(sim->world, "rot helix", 0, count, 0);
}

/* ---- what comes next ---- */

static void wipe(struct faults *faults)
{
    admin_wipe(faults->sim->admin);
}

static void change_membership(struct faults *faults)
{
    admin_change(faults->sim->admin);
}

static void transfer(struct faults *faults)
{
    admin_transfer(faults->sim->admin);
}

static void campaign(struct faults *faults)
{
    admin_campaign(faults->sim->admin);
}

struct choice {
    uint32_t weight;
    void (*begin)(struct faults *faults);
};

static void begin_one(struct faults *faults)
{
    const struct plan_weights *weights = &faults->sim->plan.weights;
    bool is_quiet = faults->sim->plan.profile == PLAN_QUIET;
    const struct choice choices[] = {
        {weights->crash, crash},
        {weights->crash_effect, crash_at_effect},
        {weights->crash_all, crash_all},
        {weights->stop, stop},
        {weights->pause, pause},
        {weights->cut, is_quiet ? isolate_follower : cut_network},
        {weights->clog, clog_way},
        {weights->reset, reset},
        {weights->disk_slow, slow_disk},
        {weights->disk_stall, stall_disk},
        {weights->sync_error, fail_a_sync},
        {weights->disk_full, fill_disk},
        {weights->rot, rot},
        {weights->helix, rot_helix},
        {weights->clock_jump, jump_clock},
        {weights->wipe, wipe},
        {weights->membership, change_membership},
        {weights->transfer, transfer},
        {weights->campaign, campaign},
    };
    uint64_t total = 0;
    for (size_t i = 0; i < ARRAY_COUNT(choices); i++) {
        total += choices[i].weight;
    }
    if (total == 0) {
        return;
    }
    uint64_t draw = prng_below(&faults->chance, total);
    for (size_t i = 0; i < ARRAY_COUNT(choices); i++) {
        if (draw < choices[i].weight) {
            choices[i].begin(faults);
            return;
        }
        draw -= choices[i].weight;
    }
}

static void on_next(struct world_event *event)
{
    struct faults *faults = CONTAINER_OF(event, struct faults, next);
    if (!faults->sim->is_calm) {
        begin_one(faults);
        world_schedule(faults->sim->world, event,
                       now_ns(faults) + around(faults, faults->sim->plan.fault_gap_ns));
    }
}

struct faults *faults_new(struct sim *sim)
{
    struct faults *faults = mem_calloc(1, sizeof(*faults));
    faults->sim = sim;
    world_chance(sim->world, "faults", &faults->chance);
    faults->next.run = on_next;
    /* The cluster is founded first. */
    world_schedule(sim->world, &faults->next, 2 * SIM_SECOND);
    return faults;
}

void faults_calm(struct faults *faults)
{
    struct sim *sim = faults->sim;
    sim->is_calm = true;
    world_cancel(sim->world, &faults->next);
    network_heal(sim->network);
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        struct host *host = sim->hosts[i];
        host->slow_until_ns = 0;
        host->stalled_until_ns = 0;
        host->syncs_until_error = 0;
        host->is_full = false;
        if (host->env != NULL) {
            host->env->effects_until_crash = 0;
        }
    }
}
