#include "node/install.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"

/* What one ready gave to persist. */
struct held {
    struct list link;
    struct raft_entries entries;
    struct persist *after;
};

static bool is_same(struct raft_pos a, struct raft_pos b)
{
    return a.index == b.index && a.term == b.term;
}

static struct held *first_held(struct install *install)
{
    return list_is_empty(&install->held) ? NULL
                                         : CONTAINER_OF(install->held.next, struct held, link);
}

static void held_free(struct held *held)
{
    list_remove(&held->link);
    raft_entries_deinit(&held->entries);
    mem_free(held->after);
    mem_free(held);
}

/* ---- the announcement ---- */

bool install_is_busy(const struct replica *replica)
{
    return replica->install.is_running || replica->install.reset_ticket != 0;
}

void install_announce(struct replica *replica, struct raft_pos pos)
{
    struct node *node = replica->node;
    ASSERT(!install_is_busy(replica));
    node->identity.installing_region = replica->region;
    node->identity.installing = pos;
    node_save_identity(node);
}

void install_unannounce(struct replica *replica)
{
    struct node *node = replica->node;
    if (node->identity.installing_region != 0) {
        node->identity.installing_region = 0;
        node->identity.installing = (struct raft_pos){0};
        node_save_identity(node);
    }
}

/* ---- while it runs ---- */

void install_hold(struct replica *replica, const struct raft_ready *ready)
{
    ASSERT(replica->install.is_running);
    struct held *held = mem_calloc(1, sizeof(*held));
    list_init(&held->link);
    if (ready->has_hard_state) {
        replica->hard_state = ready->hard_state;
        replica->hard_state_unlogged = true;
    }
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        raft_entries_push(&held->entries, &ready->entries[i]);
    }
    held->after = persists_new(ready);
    list_push_back(&replica->install.held, &held->link);
}

/* Everything that waited goes to the log, after the reset. */
static void release_held(struct replica *replica)
{
    struct wal *wal = replica->node->wal;
    for (struct held *held = first_held(&replica->install); held != NULL;
         held = first_held(&replica->install)) {
        struct wal_append append = {
            .region = replica->region,
            .hard_state = &replica->hard_state,
            .entries = held->entries.items,
            .entry_count = held->entries.count,
        };
        replica->last_ticket = wal_append(wal, &append);
        persists_add(&replica->persists, replica->last_ticket, held->after);
        held->after = NULL;
        held_free(held);
    }
    replica->hard_state_unlogged = false;
    replica->install.reset_ticket = replica->last_ticket;
}

static void finish(struct replica *replica)
{
    struct node *node = replica->node;
    struct install *install = &replica->install;
    const struct store_region *state = store_region(node->store, replica->region);
    ASSERT(state != NULL && is_same(state->applied, install->pos));
    wal_compact(node->wal, replica->region, install->pos);
    install->is_running = false;
    release_held(replica);
    replica->applied = install->pos.index;
    history_restart(replica->history, state->revision);
    divergence_note(replica);
    LOG_INFO(node->log, "snapshot installed", LOG_U64("region", replica->region),
             LOG_U64("index", install->pos.index), LOG_U64("keys", state->keys));
    members_adopt(replica, &state->membership, install->pos.index);
    writes_passed(&replica->writes, install->pos.index);
    changes_passed(replica, install->pos.index);
    notices_note_all(&node->notices);
    env_turn_wake(node->env);
}

static void on_installed(void *ctx, err e)
{
    struct node *node = ctx;
    if (node->replica == NULL) {
        return; /* closing: the next opening finds the store as it is now */
    }
    if (e != OK) {
        /* The core counts on it; the old state is whole, and a start begins from there. */
        fatal(0, "a snapshot that was received whole cannot be taken in: %s: start again",
              err_title(e));
    }
    finish(node->replica);
}

void install_begin(struct replica *replica, const struct raft_ready *ready)
{
    struct install *install = &replica->install;
    struct node *node = replica->node;
    ASSERT(!install->is_running && ready->snapshot != NULL);
    install->is_running = true;
    install->pos = ready->snapshot->pos;
    list_init(&install->held);
    /* What was committed and is not applied is in the snapshot. */
    raft_entries_clear(&replica->backlog);
    replica->backlog_next = 0;
    struct store_incoming *incoming = snapshots_take(replica, install->pos);
    store_install(node->store, incoming, on_installed, node);
}

void install_persisted(struct replica *replica, uint64_t ticket)
{
    struct install *install = &replica->install;
    if (install->reset_ticket != 0 && ticket >= install->reset_ticket) {
        install->reset_ticket = 0;
        repair_log_persisted(replica);
        install_unannounce(replica);
    }
}

/* ---- at a start ---- */

void install_reset_log(struct replica *replica, struct hard_state hard_state, struct raft_pos pos)
{
    struct wal *wal = replica->node->wal;
    if (hard_state.term < pos.term) {
        /* This node was never in that term: it has voted for nobody there. */
        hard_state = (struct hard_state){.term = pos.term};
    }
    hard_state.commit = pos.index;
    wal_compact(wal, replica->region, pos);
    struct wal_append append = {.region = replica->region, .hard_state = &hard_state};
    replica->install.reset_ticket = wal_append(wal, &append);
    replica->last_ticket = replica->install.reset_ticket;
    wal_flush(wal);
}

bool install_recover(struct replica *replica, struct raft_pos applied)
{
    struct node *node = replica->node;
    const struct identity *identity = &node->identity;
    uint64_t term = 0;
    if (identity->installing_region != replica->region || !is_same(identity->installing, applied)) {
        return false;
    }
    bool is_in_log =
        wal_term(node->wal, replica->region, applied.index, &term) == OK && term == applied.term;
    if (is_in_log) {
        return false; /* the crash came after the reset, or none was needed */
    }
    install_reset_log(replica, wal_hard_state(node->wal, replica->region), applied);
    LOG_INFO(node->log, "an interrupted snapshot was taken in", LOG_U64("region", replica->region),
             LOG_U64("index", applied.index));
    return true;
}

void install_deinit(struct replica *replica)
{
    if (!replica->install.is_running) {
        return;
    }
    for (struct held *held = first_held(&replica->install); held != NULL;
         held = first_held(&replica->install)) {
        held_free(held);
    }
}
