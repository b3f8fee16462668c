/*
 * What the node stores: its store with the history beside it, its log, and what these tell while
 * they run.
 */
#include <stdio.h>

#include "base/assert.h"
#include "node/node_int.h"

/* ---- what they tell ---- */

static void on_persisted(void *ctx, uint64_t ticket)
{
    struct node *node = ctx;
    /* While recovery is under way nothing waits for the disk. */
    if (node->replica != NULL) {
        replica_persisted(node->replica, ticket);
    }
}

static void on_checkpointed(void *ctx)
{
    struct node *node = ctx;
    if (node->replica != NULL) {
        replica_compact(node->replica);
    }
}

static bool on_damaged(void *ctx, struct slice key, uint64_t revision)
{
    struct node *node = ctx;
    return node->replica != NULL && mends_found(node->replica, key, revision);
}

static void on_changed(void *ctx, region_id region, const struct store_change *change)
{
    struct node *node = ctx;
    ASSERT(node->replica != NULL && node->replica->region == region);
    history_changed(node->replica->history, change);
}

static void on_revised(void *ctx, region_id region, uint64_t revision)
{
    struct node *node = ctx;
    ASSERT(node->replica != NULL && node->replica->region == region);
    history_revised(node->replica->history, revision);
}

static void on_distrusted(void *ctx, const char *why)
{
    struct node *node = ctx;
    if (node->replica != NULL) {
        divergence_condemn(node->replica, why);
    }
}

static void on_system_changed(void *ctx, region_id region, struct slice key)
{
    struct node *node = ctx;
    (void)region;
    notices_note(&node->notices, key);
}

/* ---- opening ---- */

/* The first region's, as there is one. */
static err open_history(struct node *node, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/history", node->options.data_directory);
    const struct history_journal_options options = {
        .env = node->env,
        .log = node->log,
        .directory = path,
        .region = REGION_FIRST,
        .history = {.bytes_max = node->options.history_bytes_max,
                    .revisions_max = node->options.history_revisions_max,
                    .age_ms_max = node->options.history_age_ms_max},
    };
    err e = history_journal_open(&node->history, &options, note);
    return e == OK ? OK
                   : err_note_wrap(note, e,
                                   "history (if removed, watches and ?at= begin with this start)");
}

static err load_history(struct node *node, struct err_note *note)
{
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    err e = history_journal_load(node->history, state != NULL ? state->revision : 0);
    return e == OK ? OK : err_note_set(note, e, "history: %s", err_title(e));
}

static err open_store(struct node *node, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/store", node->options.data_directory);
    struct store_options options = {
        .env = node->env,
        .log = node->log,
        .directory = path,
        .tail_bytes_max = node->options.tail_bytes_max,
        .checkpoint_age_ms_max = node->options.checkpoint_age_ms_max,
        .scrub_rate = node->options.scrub_rate_bytes,
        .checkpointed = on_checkpointed,
        .damaged = on_damaged,
        .distrusted = on_distrusted,
        .changed = on_changed,
        .revised = on_revised,
        .system_changed = on_system_changed,
        .ctx = node,
        .companion = history_journal_companion(node->history),
    };
    err e = store_open(&node->store, &options, note);
    return e == OK ? OK : err_note_wrap(note, e, "store");
}

struct wal_options node_log_options(struct node *node, char path[NODE_PATH_SIZE])
{
    (void)snprintf(path, NODE_PATH_SIZE, "%s/wal", node->options.data_directory);
    return (struct wal_options){
        .env = node->env,
        .log = node->log,
        .directory = path,
        .cluster_id = node->identity.cluster_id,
        .node = node->identity.node,
        .segment_size_bytes = node->options.segment_size_bytes,
        .cache_bytes_max = node->options.entry_cache_bytes_max,
        .persisted = on_persisted,
        .ctx = node,
    };
}

/* A damaged log is mended, if it can be, or set aside (repair.h). */
static err open_wal(struct node *node, bool is_store_open, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    const struct wal_options options = node_log_options(node, path);
    node->wal = wal_new(&options);
    err e = repair_drop_log(node, note);
    e = e == OK ? wal_start(node->wal, note) : e;
    if (e == ERR_DAMAGED && is_store_open) {
        e = log_mend_begin(node, note);
        e = e == OK && node->log_mend.mend == NULL ? wal_start(node->wal, note) : e;
    }
    if (e == ERR_DAMAGED) {
        e = repair_set_log_aside(node, note);
        e = e == OK ? wal_start(node->wal, note) : e;
    }
    return e == OK ? OK : err_note_wrap(note, e, "log");
}

/* A damaged store is set aside where something can take its place: that the log knows. */
err node_open_storage(struct node *node, struct err_note *note)
{
    struct err_note log_note = {.text = ""};
    err e = open_history(node, note);
    e = e == OK ? open_store(node, note) : e;
    if (e != OK && e != ERR_DAMAGED) {
        return e;
    }
    err log_e = open_wal(node, e == OK, &log_note);
    if (log_e != OK) {
        bool is_worse = e == OK || log_e != ERR_DAMAGED; /* with both damaged, it is the store */
        *note = is_worse ? log_note : *note;
        return is_worse ? log_e : e;
    }
    if (e == ERR_DAMAGED) {
        e = repair_set_store_aside(node, note);
        e = e == OK ? open_store(node, note) : e;
    }
    e = e == OK ? load_history(node, note) : e;
    if (e != OK) {
        return e;
    }
    /*
     * The directories themselves must survive a power cut, too, before anything in them is
     * promised.
     */
    return node_sync_directories(node->env, node->options.data_directory, note);
}
