#include "node/repair.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "store/distrust.h"

#define PATH_SIZE 4096

static void store_path_of(const struct node *node, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/store", node->options.data_directory);
}

/* Somebody else is there, or was. */
static bool has_peers(const struct node *node)
{
    return node->options.member_count > 1 || node->options.is_joining ||
           node->identity.peer_count > 0;
}

/* ---- at a start ---- */

/* All that was ever applied can be applied again, be it nothing. */
static bool is_log_whole(const struct node *node)
{
    struct wal_bounds bounds = wal_bounds(node->wal, REGION_FIRST);
    return bounds.compacted.index == 0 && (bounds.last_index > 0 || !node->identity.is_founded);
}

err repair_set_store_aside(struct node *node, struct err_note *note)
{
    char path[PATH_SIZE];
    store_path_of(node, path);
    bool is_from_log = is_log_whole(node);
    bool is_from_peers = has_peers(node) && wal_bounds(node->wal, REGION_FIRST).last_index > 0;
    if (!is_from_log && !is_from_peers) {
        return ERR_DAMAGED; /* G5 */
    }
    LOG_WARN(node->log,
             is_from_log ? "the store is damaged: it is set aside, and rebuilt from the log"
                         : "the store is damaged: it is set aside, and will be rebuilt from a peer",
             LOG_TEXT("what", note->text), LOG_TEXT("directory", path),
             LOG_TEXT("kept_as", STORE_ASIDE_NAME));
    node->is_store_from_log = is_from_log;
    return store_set_aside(node->env, path, note);
}

bool repair_is_needed(const struct replica *replica, struct raft_pos applied)
{
    const struct node *node = replica->node;
    return applied.index < wal_bounds(node->wal, replica->region).compacted.index &&
           has_peers(node);
}

void repair_begin(struct replica *replica, const struct membership *told)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    ASSERT(replica->raft == NULL);
    ASSERT(!repair->is_waiting);
    repair->is_waiting = true;
    repair->index_min = wal_bounds(node->wal, replica->region).compacted.index;
    repair->begun_ms = env_now_ms(node->env);
    replica->hard_state = wal_hard_state(node->wal, replica->region);
    replica->term = replica->hard_state.term;
    replica->membership = *told;
    replica->members.replayed_index = UINT64_MAX; /* members.h, M7: not before it is whole */
    LOG_WARN(node->log,
             "this node's state is not whole: it takes no part until a peer has sent its own",
             LOG_U64("region", replica->region), LOG_U64("index_min", repair->index_min));
}

/* ---- while it waits ---- */

static void ask(struct replica *replica)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    const struct identity *identity = &node->identity;
    uint8_t payload[8];
    store_u64(payload, repair->index_min);
    /* Whoever was met: with the membership, the addresses are lost, but they dial this node. */
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        uint32_t next = (repair->asked_count + i) % identity->peer_count;
        node_id peer = identity->peers[next].id;
        if (net_is_up(node->net, peer) &&
            net_send(node->net, peer, FRAME_REPAIR, replica->region,
                     (struct slice){payload, sizeof(payload)}) == OK) {
            repair->asked_count = next + 1;
            return;
        }
    }
}

void repair_tick(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    bool is_coming = node->snapshots.in.incoming != NULL;
    if (!repair->is_waiting || repair->is_installing || is_coming || node->net == NULL ||
        now_ms - repair->asked_ms < REPAIR_ASK_MS) {
        return;
    }
    repair->asked_ms = now_ms;
    ask(replica);
}

bool repair_wants(const struct replica *replica, struct raft_pos pos)
{
    const struct repair *repair = &replica->repair;
    return repair->is_waiting && !repair->is_installing && pos.index >= repair->index_min;
}

/* Whom it has been connected to, and whom it should be, are told apart as with every change. */
static void adopt_members(struct replica *replica, const struct membership *told)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    replica->membership = *told;
    members_adopt(replica, &state->membership, state->applied.index);
}

static void finish(struct replica *replica)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    struct membership told = replica->membership;
    struct membership nobody = {.member_count = 0};
    struct err_note note = {.text = ""};
    repair->is_waiting = false;
    if (replica_recover(replica, &nobody, &note) != OK) {
        fatal(0, "%s", note.text);
    }
    ASSERT(replica->raft != NULL); /* the log goes on from there, or was reset */
    adopt_members(replica, &told);
    counter_add(&repair->stores, 1);
    LOG_INFO(node->log, "repaired: the state was rebuilt from a peer",
             LOG_U64("region", replica->region), LOG_U64("index", replica->applied),
             LOG_U64("keys", store_region(node->store, replica->region)->keys),
             LOG_U64("duration_ms", env_now_ms(node->env) - repair->begun_ms));
    env_turn_wake(node->env);
}

static void on_installed(void *ctx, err e)
{
    struct node *node = ctx;
    struct replica *replica = node->replica;
    if (replica == NULL) {
        return; /* closing: the next opening finds the store as it is now */
    }
    replica->repair.is_installing = false;
    if (e != OK) {
        LOG_WARN(node->log, "a peer's state could not be taken in: another one is asked",
                 LOG_ERR(e));
        install_unannounce(replica);
        return;
    }
    finish(replica);
}

void repair_receive(struct replica *replica, struct raft_pos pos)
{
    struct repair *repair = &replica->repair;
    ASSERT(repair->is_waiting);
    ASSERT(!repair->is_installing);
    ASSERT(pos.index >= repair->index_min);
    repair->is_installing = true;
    store_install(replica->node->store, snapshots_take(replica, pos), on_installed, replica->node);
}

/* ---- on the other side ---- */

void repair_asked(struct replica *replica, node_id from, struct slice payload)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    if (payload.size != 8) {
        LOG_WARN(replica->node->log, "malformed question for a state", LOG_U64("from", from));
        return;
    }
    uint64_t index_min = load_u64(payload.data);
    if (replica->raft == NULL || state == NULL || replica->members.is_removed ||
        replica->install.is_running) {
        return; /* it asks somebody else, and again */
    }
    if (state->checkpoint.index >= index_min) {
        snapshots_send_state(replica, from);
    } else if (state->applied.index >= index_min) {
        store_checkpoint_soon(replica->node->store);
    }
}

/* ---- from outside ---- */

err node_repair_store(struct node *node, const char *why)
{
    char path[PATH_SIZE];
    if (!has_peers(node)) {
        return ERR_UNAVAILABLE;
    }
    store_path_of(node, path);
    store_end_damaged(node->env, path, why);
}
