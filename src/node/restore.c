#include "node/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "node/node_int.h"

#define PATH_SIZE 4096

/* ---- the directory ---- */

static void look_at(void *ctx, const char *name)
{
    bool *is_used = ctx;
    if (strcmp(name, "lock") != 0) { /* ours */
        *is_used = true;
    }
}

static err take_directory(const struct restore_options *options, struct env_lock **out_lock,
                          struct err_note *note)
{
    const char *directory = options->data_directory;
    err e = node_take_directory(options->env, directory, out_lock, note);
    if (e != OK) {
        return e;
    }
    bool is_used = false;
    e = env_dir_list(options->env, directory, look_at, &is_used);
    if (e != OK) {
        return err_note_set(note, e, "list %s: %s", directory, err_title(e));
    }
    return is_used ? err_note_set(note, ERR_EXISTS,
                                  "%s is not empty: a restore makes a new data directory; name "
                                  "another one with --data, or remove this one",
                                  directory)
                   : OK;
}

/* ---- what goes into it ---- */

/* wal_close waits for all of it. */
static void on_persisted(void *ctx, uint64_t ticket)
{
    (void)ctx;
    (void)ticket;
}

/* The log begins behind the backup's place, as behind an installed snapshot (R2). */
static err make_log(const struct restore_options *options, const struct identity *identity,
                    struct raft_pos pos, struct err_note *note)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/wal", options->data_directory);
    const struct wal_options wal_options = {
        .env = options->env,
        .directory = path,
        .cluster_id = identity->cluster_id,
        .node = identity->node,
        .persisted = on_persisted,
    };
    struct wal *wal;
    err e = wal_open(&wal, &wal_options, note);
    if (e != OK) {
        return err_note_wrap(note, e, "log");
    }
    const struct hard_state hard_state = {.term = pos.term, .commit = pos.index};
    const struct wal_append append = {.region = REGION_FIRST, .hard_state = &hard_state};
    wal_compact(wal, REGION_FIRST, pos);
    (void)wal_append(wal, &append);
    wal_close(wal); /* durable */
    return OK;
}

static err make_store(const struct restore_options *options, const struct restored *restored,
                      struct err_note *note)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/store", options->data_directory);
    struct store_region state = restored->backup.state;
    state.membership = node_founders(options->members, options->member_count);
    state.revision = restored->revision;
    return store_backup_restore(options->env, options->backup_path, path, &state, note);
}

static err fill(const struct restore_options *options, struct restored *restored,
                struct err_note *note)
{
    const struct membership founders = node_founders(options->members, options->member_count);
    const struct identity_claim claim = {
        .node = options->id, .cluster_name = options->cluster_name, .founders = &founders};
    struct identity identity = identity_restoring(options->env, &claim, restored->backup.whole);
    restored->cluster_id = identity.cluster_id;
    err e = identity_save(options->env, options->data_directory, &identity, note); /* R4 */
    if (e == OK) {
        e = make_store(options, restored, note);
    }
    if (e == OK) {
        e = make_log(options, &identity, restored->backup.state.applied, note);
    }
    if (e == OK) {
        e = node_sync_directories(options->env, options->data_directory, note);
    }
    if (e == OK) {
        identity.is_restoring = false;
        identity.is_founded = true;
        e = identity_save(options->env, options->data_directory, &identity, note);
    }
    return e;
}

static err check_backup(const struct restored *restored, const char *path, struct err_note *note)
{
    const struct store_region *state = &restored->backup.state;
    if (state->id != REGION_FIRST) {
        return err_note_set(note, ERR_DAMAGED, "%s is of region %" PRIu64 ", not of %" PRIu64, path,
                            state->id, REGION_FIRST);
    }
    if (state->revision > REVISION_MAX - RESTORE_REVISION_STEP) {
        return err_note_set(note, ERR_QUOTA, "%s: no revisions are left behind %" PRIu64, path,
                            state->revision);
    }
    return OK;
}

err restore_data_directory(const struct restore_options *options, struct restored *out_restored,
                           struct err_note *note)
{
    struct restored restored = {.cluster_id = 0};
    struct env_lock *lock = NULL;
    ASSERT(options->id != 0);
    err e = store_backup_read(options->env, options->backup_path, &restored.backup, note);
    if (e == OK) {
        e = check_backup(&restored, options->backup_path, note);
    }
    if (e == OK) {
        restored.revision = restored.backup.state.revision + RESTORE_REVISION_STEP;
        e = take_directory(options, &lock, note);
    }
    if (e == OK) {
        e = fill(options, &restored, note);
    }
    env_lock_release(lock);
    if (e == OK) {
        *out_restored = restored;
    }
    return e;
}
