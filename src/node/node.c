#include "node/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"

#define PATH_SIZE 4096
#define PENDING_BYTES_DEFAULT (128u << 20)
#define IDEMPOTENCY_AGE_MS_DEFAULT 600000u
#define IDEMPOTENCY_COUNT_DEFAULT 1000000u
#define PENDING_COUNT_DEFAULT 16384u
/*
 * No more than keeps the disk busy. What waits beyond it is QUEUED (writes.h), so that it can be
 * refused for sure, and no batch is so large that its sync looks like a stall.
 */
#define PROPOSED_BYTES_DEFAULT (8u << 20)
#define MESSAGE_BYTES_DEFAULT (1u << 20)
#define INFLIGHT_MESSAGES_DEFAULT 256u
#define LOG_KEEP_BYTES_DEFAULT (1u << 30)
#define SNAPSHOT_CHUNK_DEFAULT (64u << 10)
#define LOG_KEEP_ENTRIES_DEFAULT 2000000u
/* How far a ready node may be behind what it knows to be committed, in entries. */
#define READY_LAG_MAX 10000u

/* ---- the turn ---- */

static void batch_failed(void *ctx, node_id peer, region_id region)
{
    struct node *node = ctx;
    struct replica *replica = node_replica(node, region);
    if (replica != NULL) {
        replica_peer_unreachable(replica, peer);
    }
}

/* After the log and the peers have what is theirs: they work meanwhile. */
static void tell_watches(struct node *node)
{
    struct replica *replica = node->replica;
    err e = drain_of_watches(node);
    watches_end(replica->watches, divergence_is_trusted(replica) ? e : ERR_DIVERGED);
    watches_turn(replica->watches);
}

/* What came in during this turn is one batch: one append, one frame a peer
 * (docs/ARCHITECTURE.md). */
static void on_turn(struct env_turn *turn)
{
    struct node *node = CONTAINER_OF(turn, struct node, turn);
    replica_turn(node->replica);
    notices_turn(&node->notices);
    wal_flush(node->wal);
    outbox_flush(&node->outbox, node->net, batch_failed, node);
    store_turn(node->store);
    drain_settle(node);
    tell_watches(node);
    drain_check(node);
    finish_check(node);
    backups_turn(node);
}

static void on_tick(struct env_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, tick);
    if (node->net != NULL) {
        net_tell_alive(node->net); /* before the clocks move on */
    }
    replica_tick(node->replica);
    drain_tick(node);
    startup_tick(node);
    uint64_t ticks_per_second = 1000 / node->options.heartbeat_ms;
    if (ticks_per_second == 0 || node->replica->ticks % ticks_per_second == 0) {
        replica_compact(node->replica);
    }
}

/* ---- opening ---- */

err node_look_at(struct env *env, const char *data_directory, struct node_directory *out_directory,
                 struct err_note *note)
{
    struct identity identity;
    err e = identity_read(env, data_directory, &identity, note);
    if (e == OK) {
        e = identity_check_use(&identity, data_directory, note);
    }
    if (e == OK) {
        *out_directory = (struct node_directory){
            .id = identity.node,
            .cluster_id = identity.cluster_id,
            .has_joined = identity.founding == 0 && !identity.is_joining,
            .is_joining = identity.is_joining,
        };
    }
    return e;
}

err node_take_directory(struct env *env, const char *directory, struct env_lock **out_lock,
                        struct err_note *note)
{
    char path[PATH_SIZE];
    struct err_note why = {.text = ""};
    err e = env_dir_create(env, directory, &why);
    if (e != OK) {
        return err_note_set(note, e,
                            "data directory: %s; it has to be in a directory that is there "
                            "and that this user may write to",
                            why.text);
    }
    (void)snprintf(path, sizeof(path), "%s/lock", directory);
    e = env_lock_take(env, path, out_lock, &why);
    const char *advice = "";
    if (e == ERR_BUSY) {
        advice = "; stop that process, or give this one another --data";
    } else if (e == ERR_PERMISSION) {
        advice = "; this user has to own it, with all that is in it, or give another --data";
    }
    return e == OK ? OK : err_note_set(note, e, "data directory: %s%s", why.text, advice);
}

static err open_directory(struct node *node, const struct membership *told, struct err_note *note)
{
    const char *directory = node->options.data_directory;
    err e = node_take_directory(node->env, directory, &node->lock, note);
    if (e != OK) {
        return e;
    }
    struct identity_claim claim = {
        .node = node->options.id,
        .joins = node->options.is_joining ? node->options.cluster_id : 0,
        .cluster_name = node->options.cluster_name,
        .founders = told,
    };
    return identity_open(node->env, directory, &claim, &node->identity, note);
}

err node_sync_directories(struct env *env, const char *directory, struct err_note *note)
{
    char parent[PATH_SIZE];
    (void)snprintf(parent, sizeof(parent), "%s/..", directory);
    err e = env_dir_sync(env, directory);
    if (e == OK) {
        e = env_dir_sync(env, parent);
    }
    return e == OK ? OK
                   : err_note_set(note, e, "%s: cannot be synced: %s", directory, err_title(e));
}

void node_save_identity(struct node *node)
{
    struct err_note note = {.text = ""};
    if (identity_save(node->env, node->options.data_directory, &node->identity, &note) != OK) {
        fatal(0, "%s", note.text);
    }
}

err node_peer_set(struct node *node, node_id id, const char *address)
{
    err e = net_peer_set(node->net, id, address);
    uint64_t instance = identity_instance_of(&node->identity, id);
    if (e == OK && instance != 0) {
        net_peer_expect(node->net, id, instance);
    }
    return e;
}

static err meet(struct node *node, const struct member *members, uint32_t count,
                struct err_note *note)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct member *member = &members[i];
        if (member->id == node->identity.node) {
            continue;
        }
        err e = node_peer_set(node, member->id, member->peer_address);
        if (e != OK) {
            return err_note_set(note, e, "peer %" PRIu64 " at %s: %s", member->id,
                                member->peer_address, err_title(e));
        }
    }
    return OK;
}

/* The members as this node knows them; whom it was told to ask, until it is one of them itself. */
static err meet_peers(struct node *node, struct err_note *note)
{
    const struct replica *replica = node->replica;
    const struct membership *membership = &replica->membership;
    bool is_member = membership_find(membership, node->identity.node) != NULL;
    err e = OK;
    if (!replica->members.is_cut_off) {
        e = meet(node, membership->members, membership->member_count, note);
    }
    if (e == OK && node->options.is_joining && !is_member) {
        e = meet(node, node->options.members, node->options.member_count, note);
    }
    return e;
}

static const char *address_in(const struct membership *membership, node_id id)
{
    const struct member *member = membership_find(membership, id);
    return member == NULL || member->peer_address[0] == '\0' ? NULL : member->peer_address;
}

/* Where this node listens for peers; NULL: it is alone and was not told to. */
static const char *peer_listen_address(const struct node *node, const struct membership *told)
{
    const char *listen = node->options.peer_listen;
    if (listen == NULL && told->member_count > 1) {
        listen = address_in(told, node->options.id);
    }
    if (listen == NULL && node->replica != NULL && node->replica->membership.member_count > 1) {
        listen = address_in(&node->replica->membership, node->options.id);
    }
    if (listen == NULL && node->replica != NULL && node->replica->repair.is_waiting) {
        listen = node->options.peer_default; /* it may have grown: that is what has to be asked */
    }
    return listen == NULL || listen[0] == '\0' ? NULL : listen;
}

/* Where the others reach this node: as they have it, or as it listens. */
static void find_own_address(struct node *node, const char *listen)
{
    const struct member *self = membership_find(&node->replica->membership, node->options.id);
    for (uint32_t i = 0; self == NULL && i < node->options.member_count; i++) {
        bool is_self = node->options.members[i].id == node->options.id;
        self = is_self ? &node->options.members[i] : NULL;
    }
    const char *address =
        self != NULL && self->peer_address[0] != '\0' ? self->peer_address : listen;
    (void)snprintf(node->peer_address, sizeof(node->peer_address), "%s", address);
}

static err open_net(struct node *node, const char *listen, struct err_note *note)
{
    find_own_address(node, listen);
    struct net_options options = {
        .env = node->env,
        .log = node->log,
        .cluster_id = node->identity.cluster_id,
        .id = node->identity.node,
        .instance = node->identity.instance,
        .listen_address = listen,
        .client_address = node->options.client_address,
        .peer_address = node->peer_address,
        .version = node->options.version,
        .queue_bytes_max = NET_QUEUE_BYTES_DEFAULT,
    };
    err e = net_open(&node->net, &options, &node_net_handler, node, note);
    if (e != OK) {
        return err_note_wrap(note, e, "peer listener");
    }
    return meet_peers(node, note);
}

void node_listen(struct node *node)
{
    struct membership nobody = {.member_count = 0};
    const char *listen = peer_listen_address(node, &nobody);
    struct err_note note = {.text = ""};
    if (node->net != NULL || listen == NULL) {
        return;
    }
    if (open_net(node, listen, &note) != OK) {
        LOG_WARN(node->log, "the other members cannot be reached yet", LOG_TEXT("why", note.text));
        net_close(node->net);
        node->net = NULL;
    }
}

static void fill_defaults(struct node_options *options)
{
    if (options->pending_bytes_max == 0) {
        options->pending_bytes_max = PENDING_BYTES_DEFAULT;
    }
    if (options->idempotency_age_ms == 0) {
        options->idempotency_age_ms = IDEMPOTENCY_AGE_MS_DEFAULT;
    }
    if (options->idempotency_count == 0) {
        options->idempotency_count = IDEMPOTENCY_COUNT_DEFAULT;
    }
    if (options->pending_count_max == 0) {
        options->pending_count_max = PENDING_COUNT_DEFAULT;
    }
    if (options->proposed_bytes_max == 0) {
        options->proposed_bytes_max = PROPOSED_BYTES_DEFAULT;
    }
    if (options->message_bytes_max == 0) {
        options->message_bytes_max = MESSAGE_BYTES_DEFAULT;
    }
    if (options->inflight_messages_max == 0) {
        options->inflight_messages_max = INFLIGHT_MESSAGES_DEFAULT;
    }
    if (options->history_bytes_max == 0) {
        options->history_bytes_max = HISTORY_BYTES_DEFAULT;
    }
    if (options->history_revisions_max == 0) {
        options->history_revisions_max = HISTORY_REVISIONS_DEFAULT;
    }
    if (options->history_age_ms_max == 0) {
        options->history_age_ms_max = HISTORY_AGE_MS_DEFAULT;
    }
    if (options->snapshot_chunk_bytes == 0) {
        options->snapshot_chunk_bytes = SNAPSHOT_CHUNK_DEFAULT;
    }
    if (options->log_keep_bytes_max == 0) {
        options->log_keep_bytes_max = LOG_KEEP_BYTES_DEFAULT;
    }
    if (options->log_keep_entries_max == 0) {
        options->log_keep_entries_max = LOG_KEEP_ENTRIES_DEFAULT;
    }
}

struct membership node_founders(const struct member *members, uint32_t count)
{
    struct membership founders = {.member_count = 0};
    for (uint32_t i = 0; i < count; i++) {
        bool is_added = id_set_add(&founders.conf.voters, members[i].id) &&
                        membership_put(&founders, &members[i]);
        ASSERT(is_added); /* main has checked number and ids */
    }
    return founders;
}

static void refuse_stream(void *ctx, struct env_stream *stream)
{
    (void)ctx;
    env_stream_close(stream);
}

/* A port that is taken must not leave a data directory behind that was just made: look first. */
static err try_listening(const struct node *node, const char *address, struct err_note *note)
{
    struct env_listener *listener = NULL;
    err e = env_listen(node->env, address, refuse_stream, NULL, &listener, note);
    env_listener_close(listener);
    return e == OK ? OK : err_note_wrap(note, e, "peer listener");
}

static err open_all(struct node *node, struct err_note *note)
{
    const struct node_options *options = &node->options;
    /* The first members, or those to ask. */
    struct membership told = node_founders(options->members, options->member_count);
    ASSERT(options->is_joining || membership_find(&told, options->id) != NULL);
    struct membership nobody = {.member_count = 0};
    const char *listen = peer_listen_address(node, &told);
    err e = listen == NULL ? OK : try_listening(node, listen, note);
    if (e == OK) {
        e = open_directory(node, &told, note);
    }
    if (e == OK) {
        e = node_open_storage(node, note);
    }
    if (e == OK) {
        bool has_joined = node->identity.founding == 0;
        e = replica_new(&node->replica, node, REGION_FIRST, has_joined ? &nobody : &told, note);
    }
    if (e == OK) {
        if (node->log_mend.mend == NULL) {
            startup_opened(node);
        }
        router_add(&node->router, SLICE_EMPTY, node->replica);
        listen = peer_listen_address(node, &told);
        e = listen == NULL ? OK : open_net(node, listen, note);
    }
    return e;
}

err node_open(struct node **out_node, const struct node_options *options, struct err_note *note)
{
    ASSERT(options->heartbeat_ms > 0 && options->election_timeout_ms > options->heartbeat_ms);
    struct node *node = mem_calloc(1, sizeof(*node));
    node->options = *options;
    node->env = options->env;
    node->log = options->log;
    fill_defaults(&node->options);
    drain_init(&node->drain);
    notices_init(&node->notices);
    snapshots_init(&node->snapshots, node->env, env_random(node->env));
    node->pace.bytes_per_second = options->snapshot_rate_bytes;
    startup_begin(node);
    ASSERT(!options->is_joining || options->cluster_id != 0);
    err e = open_all(node, note);
    if (e != OK) {
        node_close(node);
        return e;
    }
    node->turn.run = on_turn;
    env_turn_add(node->env, &node->turn);
    env_timer_init(node->env, &node->tick, on_tick);
    env_timer_start(&node->tick, node->options.heartbeat_ms, node->options.heartbeat_ms);
    env_turn_wake(node->env);
    if (node->options.metrics != NULL) {
        node_register_metrics(node);
    }
    *out_node = node;
    return OK;
}

void node_drain(struct node *node, struct node_drain *drain)
{
    ASSERT(drain->done != NULL);
    drain_begin(node, drain);
}

err node_undrain(struct node *node)
{
    return drain_undo(node);
}

const char *node_explain_draining(const struct node *node)
{
    return drain_explain(node);
}

void node_finish(struct node *node, void (*done)(void *ctx), void *ctx)
{
    finish_begin(node, done, ctx);
    env_turn_wake(node->env);
}

void node_close(struct node *node)
{
    if (node == NULL) {
        return;
    }
    if (node->turn.run != NULL) {
        env_turn_remove(node->env, &node->turn);
        env_timer_deinit(&node->tick);
    }
    drain_close(node);
    struct replica *replica = node->replica;
    /* From here on nothing that the disk or a peer still reports finds a replica. */
    node->replica = NULL;
    router_deinit(&node->router);
    replica_free(replica, ERR_DRAINING);
    net_close(node->net);
    snapshots_deinit(&node->snapshots);
    backups_close(node);
    log_mend_close(node);
    wal_close(node->wal);
    store_close(node->store);
    history_journal_close(node->history);
    outbox_deinit(&node->outbox);
    writer_deinit(&node->scratch);
    env_lock_release(node->lock);
    mem_free(node);
}

struct replica *node_replica(struct node *node, region_id region)
{
    return node->replica != NULL && node->replica->region == region ? node->replica : NULL;
}

/* ---- requests ---- */

/* OK, or why a request that needs a quorum cannot even be queued. */
static err admit(const struct node *node, const struct replica *replica)
{
    if (node->drain.is_over) {
        return ERR_DRAINING;
    }
    if (!divergence_is_trusted(replica)) {
        return ERR_DIVERGED;
    }
    return replica->members.is_removed ? ERR_NO_LEADER : OK;
}

static bool is_over_count(const struct replica *replica)
{
    return replica->writes.count >= replica->node->options.pending_count_max;
}

/* One write is taken however large it is. */
static bool is_over_bytes(const struct replica *replica, uint64_t more)
{
    const struct writes *writes = &replica->writes;
    return writes->count > 0 && writes->bytes + more > replica->node->options.pending_bytes_max;
}

static err admit_write(const struct node *node, const struct replica *replica,
                       const struct node_write *write)
{
    err e = admit(node, replica);
    if (e != OK) {
        return e;
    }
    if (is_over_count(replica) || is_over_bytes(replica, write->command->size)) {
        return ERR_OVERLOADED;
    }
    return replica->role == RAFT_LEADER ? store_health(node->store) : OK;
}

const char *node_explain_overload(const struct node *node)
{
    const struct replica *replica = node->replica;
    if (replica != NULL && is_over_count(replica)) {
        return "as many writes wait as may (--max-pending-requests): it was not applied; try "
               "again a little later, with fewer at a time";
    }
    if (replica != NULL && replica->role == RAFT_LEADER && store_health(node->store) != OK) {
        return "the checkpoint does not keep up, and twice --tail-bytes of changes are in memory: "
               "it was not applied; try again a little later, the disk is too slow for this load";
    }
    return "more bytes of writes wait than the nodes' disks take in time, here or at the leader "
           "(--max-pending-bytes): it was not applied; try again a little later, with fewer at a "
           "time";
}

void node_write(struct node *node, struct slice key, struct node_write *write)
{
    ASSERT(write->command != NULL && write->deadline_ms > 0);
    struct replica *replica = router_find(&node->router, key);
    ASSERT(replica != NULL);
    err e = admit_write(node, replica, write);
    if (e != OK) {
        struct command_result refusal = {.e = e};
        counter_add(&replica->writes.overloaded, e == ERR_OVERLOADED ? 1 : 0);
        buf_drop(&write->command);
        write->done(write, &refusal);
        return;
    }
    replica_write(replica, write);
    env_turn_wake(node->env);
}

void node_read(struct node *node, struct node_read *read)
{
    struct replica *replica = router_find(&node->router, read->key);
    ASSERT(replica != NULL && read->done != NULL);
    read->replica = replica;
    if (read->consistency == READ_BOUNDED) {
        bool is_fresh = freshness_is_within(replica, read->staleness_ms_max);
        read->consistency = is_fresh ? READ_STALE : READ_LINEARIZABLE;
    }
    bool is_stale = read->consistency == READ_STALE;
    bool is_local = is_stale && !replica->repair.is_waiting && divergence_is_trusted(replica);
    if (is_local && read->revision_min <= node_revision(node)) {
        reads_answer(read, node->store);
        return;
    }
    err e = is_local ? OK : admit(node, replica);
    if (e == OK && is_stale && !is_local) {
        e = ERR_NO_LEADER; /* repair.h, G1: there is nothing to answer from */
    }
    if (e == OK && replica->reads.count >= node->options.pending_count_max) {
        e = ERR_OVERLOADED;
        counter_add(&replica->reads.overloaded, 1);
    }
    if (e != OK) {
        read->done(read, e, NULL);
        return;
    }
    ASSERT(read->deadline_ms > 0);
    replica_read(replica, read);
    env_turn_wake(node->env);
}

void node_change_membership(struct node *node, struct node_change *change)
{
    ASSERT(change->done != NULL && change->deadline_ms > 0);
    replica_change(node->replica, change);
    env_turn_wake(node->env);
}

void node_admin(struct node *node, struct node_admin *request)
{
    ASSERT(request->done != NULL && request->deadline_ms > 0);
    admin_requests_begin(node->replica, request);
    env_turn_wake(node->env);
}

err node_transfer_leader(struct node *node, node_id target)
{
    ASSERT(target != 0);
    env_turn_wake(node->env);
    return replica_transfer_leader(node->replica, target);
}

void node_forget_leader(struct node *node)
{
    env_turn_wake(node->env);
    replica_forget_leader(node->replica);
}

err node_campaign(struct node *node)
{
    env_turn_wake(node->env);
    return replica_campaign(node->replica);
}

/* ---- questions that every response asks ---- */

uint64_t node_revision(const struct node *node)
{
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    return state == NULL ? 0 : state->revision;
}

bool node_is_leader(const struct node *node)
{
    return replica_has_quorum(node->replica) && divergence_is_trusted(node->replica);
}

bool node_is_ready(const struct node *node, const char **out_why_not)
{
    const struct replica *replica = node->replica;
    *out_why_not = NULL;
    if (node->drain.is_begun) {
        *out_why_not = "draining";
    } else if (replica->members.is_removed) {
        *out_why_not = "removed from the cluster";
    } else if (replica->repair.is_waiting && node->identity.is_vote_lost) {
        *out_why_not = "its log was damaged, and not all members have told it their terms yet";
    } else if (replica->repair.is_waiting) {
        *out_why_not = "its data is damaged and is being rebuilt from a peer";
    } else if (replica->divergence.verdict == DIVERGENCE_DIVERGED) {
        *out_why_not = "its data is damaged, or differs from the majority's";
    } else if (replica->divergence.verdict == DIVERGENCE_DISPUTED) {
        *out_why_not = "the members' states differ and none has a majority";
    } else if (replica->leader == 0) {
        *out_why_not = "no leader is known";
    } else if (!replica_reaches_quorum(replica)) {
        *out_why_not =
            replica->role == RAFT_LEADER ? "no quorum is in contact" : "the leader is not reached";
    } else if (replica->hard_state.commit > replica->applied + READY_LAG_MAX) {
        *out_why_not = "still applying the log";
    }
    return *out_why_not == NULL;
}

struct history *node_history(const struct node *node)
{
    return node->replica->history;
}

struct watches *node_watches(const struct node *node)
{
    return node->replica->watches;
}

const struct wal_stats *node_wal_stats(const struct node *node)
{
    return wal_stats(node->wal);
}

const struct store_stats *node_store_stats(const struct node *node)
{
    return store_stats(node->store);
}

const char *node_store_path(const struct node *node)
{
    return store_path(node->store);
}
