#include "node/backups.h"

#include "base/assert.h"
#include "node/node_int.h"

static uint64_t age_ms(const struct node_backup *backup)
{
    return env_now_ms(backup->node->env) - backup->begun_ms;
}

/* It is not the node's any more. */
static void release(struct node_backup *backup)
{
    struct node *node = backup->node;
    ASSERT(node->backups.current == backup);
    node->backups.current = NULL;
    store_snapshot_close(backup->source);
    backup->source = NULL;
    backup->state = NULL;
}

static void refuse(struct node_backup *backup, err e)
{
    counter_add(&backup->node->backups.failed, 1);
    release(backup);
    backup->opened(backup, e);
}

/* ---- waiting ---- */

/* P1. ERR_UNAVAILABLE: not yet. */
static err open_source(struct node_backup *backup)
{
    struct node *node = backup->node;
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    if (state == NULL || state->checkpoint.index < backup->wanted_index) {
        store_checkpoint_soon(node->store);
        return ERR_UNAVAILABLE;
    }
    return store_snapshot_open(node->store, REGION_FIRST, &backup->source);
}

static void try_opening(struct node_backup *backup)
{
    err e = open_source(backup);
    if (e == OK) {
        backup->state = store_snapshot_state(backup->source);
        ASSERT(backup->state->applied.index >= backup->wanted_index);
        LOG_INFO(backup->node->log, "a backup begins",
                 LOG_U64("index", backup->state->applied.index),
                 LOG_U64("revision", backup->state->revision));
        backup->opened(backup, OK);
    } else if (e != ERR_UNAVAILABLE || age_ms(backup) > BACKUP_WAIT_MS_MAX) {
        refuse(backup, e);
    }
}

void node_backup_open(struct node *node, struct node_backup *backup)
{
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    err e = node->drain.is_begun ? ERR_DRAINING : node->backups.current != NULL ? ERR_BUSY : OK;
    if (e == OK && node->replica->repair.is_waiting) {
        e = ERR_UNAVAILABLE;
    } else if (e == OK && !divergence_is_trusted(node->replica)) {
        e = ERR_DIVERGED;
    }
    backup->node = node;
    backup->source = NULL;
    backup->state = NULL;
    if (e != OK) {
        backup->opened(backup, e);
        return;
    }
    node->backups.current = backup;
    backup->wanted_index = state == NULL ? 1 : state->applied.index;
    backup->begun_ms = env_now_ms(node->env);
    backup->read_bytes = 0;
    backup->due_us = 0;
    backup->is_whole = false;
    try_opening(backup);
}

/* ---- reading ---- */

static uint64_t now_us(const struct node_backup *backup)
{
    return env_now_ms(backup->node->env) * 1000;
}

uint64_t node_backup_delay_ms(const struct node_backup *backup)
{
    return pace_delay_ms(now_us(backup), backup->due_us);
}

err node_backup_read(struct node_backup *backup, struct writer *out, bool *out_is_last)
{
    struct backups *backups = &backup->node->backups;
    size_t before = out->size;
    ASSERT(backup->source != NULL);
    ASSERT(!backup->is_whole);
    err e = store_snapshot_read(backup->source, BACKUP_PIECE_SIZE, out, &backup->is_whole);
    if (e == OK) {
        backup->read_bytes += out->size - before;
        backup->due_us = pace_spend(&backup->node->pace, now_us(backup), out->size - before);
        counter_add(&backups->bytes, out->size - before);
        *out_is_last = backup->is_whole;
    }
    return e;
}

void node_backup_close(struct node_backup *backup)
{
    struct node *node = backup->node;
    ASSERT(backup->source != NULL);
    if (backup->is_whole) {
        counter_add(&node->backups.completed, 1);
        node->backups.completed_at_ms = env_wall_ms(node->env);
        LOG_INFO(node->log, "a backup was handed out", LOG_U64("revision", backup->state->revision),
                 LOG_U64("bytes", backup->read_bytes), LOG_U64("duration_ms", age_ms(backup)));
    } else {
        counter_add(&node->backups.failed, 1);
        LOG_WARN(node->log, "a backup was broken off", LOG_U64("bytes", backup->read_bytes),
                 LOG_U64("duration_ms", age_ms(backup)));
    }
    release(backup);
}

/* ---- ending ---- */

/* P2. */
static bool is_too_slow(const struct node_backup *backup)
{
    return age_ms(backup) > BACKUP_GRACE_MS + backup->read_bytes / BACKUP_RATE_MIN * 1000;
}

static void cut(struct node_backup *backup)
{
    node_backup_close(backup);
    backup->cut(backup);
}

void backups_turn(struct node *node)
{
    struct node_backup *backup = node->backups.current;
    if (backup == NULL) {
        return;
    }
    if (backup->source == NULL) {
        try_opening(backup);
    } else if (is_too_slow(backup) || !divergence_is_trusted(node->replica)) {
        cut(backup);
    }
}

void backups_close(struct node *node)
{
    struct node_backup *backup = node->backups.current;
    if (backup == NULL) {
        return;
    }
    if (backup->source == NULL) {
        refuse(backup, ERR_DRAINING);
    } else {
        cut(backup);
    }
}
