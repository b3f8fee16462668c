/*
 * Where the checker sees nodes: the calls between their layers, by the linker's --wrap. Nothing of
 * production knows of it, and nothing of it changes what production does.
 */
#include "net/net.h"
#include "node/snapshot_window.h"
#include "proto/message.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "store/snapshot.h"
#include "store/store_int.h"

/* NOLINTBEGIN(readability-identifier-naming): the linker's names */

static const struct host *host_here(void)
{
    return env_sim_running()->host;
}

static struct checker *checker_here(void)
{
    return env_sim_running()->sim->checker;
}

void __real_store_apply(struct store *store, region_id id, struct raft_pos pos,
                        const struct command *command, struct buf *owner,
                        struct command_result *out_result);
void __wrap_store_apply(struct store *store, region_id id, struct raft_pos pos,
                        const struct command *command, struct buf *owner,
                        struct command_result *out_result);
void __real_store_apply_nothing(struct store *store, region_id id, struct raft_pos pos);
void __wrap_store_apply_nothing(struct store *store, region_id id, struct raft_pos pos);
void __real_store_apply_membership(struct store *store, region_id id, struct raft_pos pos,
                                   const struct membership *membership);
void __wrap_store_apply_membership(struct store *store, region_id id, struct raft_pos pos,
                                   const struct membership *membership);
void __real_store_install(struct store *store, struct store_incoming *incoming,
                          void (*done)(void *ctx, err e), void *ctx);
void __wrap_store_install(struct store *store, struct store_incoming *incoming,
                          void (*done)(void *ctx, err e), void *ctx);
uint64_t __real_wal_append(struct wal *wal, const struct wal_append *append);
uint64_t __wrap_wal_append(struct wal *wal, const struct wal_append *append);
void __real_wal_compact(struct wal *wal, region_id region, struct raft_pos pos);
void __wrap_wal_compact(struct wal *wal, region_id region, struct raft_pos pos);
err __real_net_send(struct net *net, node_id peer, enum frame_type type, region_id region,
                    struct slice payload);
err __wrap_net_send(struct net *net, node_id peer, enum frame_type type, region_id region,
                    struct slice payload);
err __real_snapshot_window_repeat(const struct snapshot_window *window,
                                  err (*give)(void *ctx, struct slice payload), void *ctx);
err __wrap_snapshot_window_repeat(const struct snapshot_window *window,
                                  err (*give)(void *ctx, struct slice payload), void *ctx);
err __real_store_checkpoint_write(struct checkpoint *checkpoint,
                                  const struct checkpoint_batch *batch);
err __wrap_store_checkpoint_write(struct checkpoint *checkpoint,
                                  const struct checkpoint_batch *batch);

void __wrap_store_install(struct store *store, struct store_incoming *incoming,
                          void (*done)(void *ctx, err e), void *ctx)
{
    sim_count(env_sim_running()->sim, SIM_SNAPSHOT_INSTALLED, 1);
    __real_store_install(store, incoming, done, ctx);
}

/* Nobody asks for numbers of keys here: so that there is a census all the same, and that what is
 * applied cuts and joins its blocks, small ones. Looked at by census.c. */
static void have_census(struct store *store, region_id id)
{
    const struct store_range range = {SLICE_LITERAL("key-1"), SLICE_EMPTY};
    uint64_t count;
    store->options.census_block = 2;
    (void)!store_count(store, id, range, store->options.census_block, &count);
}

void __wrap_store_apply(struct store *store, region_id id, struct raft_pos pos,
                        const struct command *command, struct buf *owner,
                        struct command_result *out_result)
{
    have_census(store, id);
    __real_store_apply(store, id, pos, command, owner, out_result);
    checker_applied(checker_here(), host_here(), pos, owner, out_result);
}

void __wrap_store_apply_nothing(struct store *store, region_id id, struct raft_pos pos)
{
    __real_store_apply_nothing(store, id, pos);
    checker_applied(checker_here(), host_here(), pos, NULL, NULL);
}

void __wrap_store_apply_membership(struct store *store, region_id id, struct raft_pos pos,
                                   const struct membership *membership)
{
    __real_store_apply_membership(store, id, pos, membership);
    checker_applied(checker_here(), host_here(), pos, NULL, NULL);
}

uint64_t __wrap_wal_append(struct wal *wal, const struct wal_append *append)
{
    checker_logged(checker_here(), host_here(), append);
    uint64_t ticket = __real_wal_append(wal, append);
    checker_appended(checker_here(), host_here(), ticket, append);
    return ticket;
}

void __wrap_wal_compact(struct wal *wal, region_id region, struct raft_pos pos)
{
    uint64_t term = 0;
    bool is_another = wal_term(wal, region, pos.index, &term) == OK && term != pos.term;
    if (is_another) {
        checker_replaced(checker_here(), host_here(), pos);
    }
    sim_count(env_sim_running()->sim, SIM_LOG_COMPACTED, 1);
    __real_wal_compact(wal, region, pos);
}

/* What leaves a node is what it has said, whether or not it arrives. */
static void look_into(struct slice payload)
{
    struct reader reader = reader_of(payload);
    while (reader.size > 0) {
        struct owned_message owned;
        if (message_decode(&reader, &owned) != OK) {
            sim_fail(env_sim_running()->sim, "node %u sends a malformed message",
                     host_here()->number);
        }
        const struct message *message = &owned.message;
        world_trace(env_sim_running()->sim->world, message_type_name(message->type),
                    host_here()->number, message->to,
                    message->reject ? message->reject_hint : message->index);
        if (message->type == MSG_VOTE_RESP && !message->reject) {
            checker_voted(checker_here(), host_here(), message->term, message->to);
        } else if (message->type == MSG_VOTE) {
            checker_voted(checker_here(), host_here(), message->term, message->from);
        } else if (message->type == MSG_APP_RESP && !message->reject) {
            checker_promised(checker_here(), host_here(), message->term, message->index);
        }
        message_deinit(&owned);
    }
}

err __wrap_net_send(struct net *net, node_id peer, enum frame_type type, region_id region,
                    struct slice payload)
{
    err e = __real_net_send(net, peer, type, region, payload);
    if (e == OK && type == FRAME_RAFT) {
        look_into(payload);
    }
    return e;
}

err __wrap_snapshot_window_repeat(const struct snapshot_window *window,
                                  err (*give)(void *ctx, struct slice payload), void *ctx)
{
    if (window->acked > 0 && window->acked < window->sent) {
        sim_count(env_sim_running()->sim, SIM_SNAPSHOT_RESUMED, 1);
    }
    return __real_snapshot_window_repeat(window, give, ctx);
}

err __wrap_store_checkpoint_write(struct checkpoint *checkpoint,
                                  const struct checkpoint_batch *batch)
{
    err e = __real_store_checkpoint_write(checkpoint, batch);
    if (e == OK) {
        sim_count(env_sim_running()->sim, SIM_CHECKPOINT, 1);
    }
    return e;
}

/* NOLINTEND(readability-identifier-naming) */
