/*
 * bench-lmdb DIRECTORY KEYS VALUE_BYTES: an LMDB file with the keys and values that bench-load
 * fills in, in the same order, and nothing else. Prints a line of JSON:
 *
 *   size_bytes  the file up to its last page
 *   used_bytes  pages in use
 *
 * The file is removed. It is not synced: how fast it is written does not matter here.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "work.h"

#define KEYS_A_TRANSACTION 200000u
#define MAP_SLACK (64u << 20)

static void check(int status, const char *what)
{
    if (status != 0) {
        (void)fprintf(stderr, "bench-lmdb: %s: %s\n", what, mdb_strerror(status));
        _exit(1);
    }
}

static uint64_t pages_of(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_stat stat;
    check(mdb_stat(txn, dbi, &stat), "mdb_stat");
    return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

static void put(MDB_txn *txn, MDB_dbi dbi, const struct writer *key, const struct writer *value)
{
    MDB_val mdb_key = {key->size, key->data};
    MDB_val mdb_value = {value->size, value->data};
    check(mdb_put(txn, dbi, &mdb_key, &mdb_value, 0), "mdb_put");
}

static void fill(MDB_env *env, struct work *work)
{
    struct writer key = {0};
    struct writer value = {0};
    struct request request;
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    while (work_next(work, &request)) {
        if (txn == NULL) {
            check(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
            check(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
        }
        writer_reset(&key);
        writer_reset(&value);
        work_write_key(request.key, &key);
        work_write_value(work, request.key, &value);
        put(txn, dbi, &key, &value);
        if (work->count % KEYS_A_TRANSACTION == 0) {
            check(mdb_txn_commit(txn), "mdb_txn_commit");
            txn = NULL;
        }
    }
    if (txn != NULL) {
        check(mdb_txn_commit(txn), "mdb_txn_commit");
    }
    writer_deinit(&key);
    writer_deinit(&value);
}

static void report(MDB_env *env)
{
    MDB_txn *txn;
    MDB_stat stat;
    MDB_envinfo info;
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
    check(mdb_env_stat(env, &stat), "mdb_env_stat");
    check(mdb_env_info(env, &info), "mdb_env_info");
    uint64_t pages = 2 + pages_of(txn, 0) + pages_of(txn, 1); /* the metas, free list, records */
    mdb_txn_abort(txn);
    (void)printf("{\"size_bytes\": %zu, \"used_bytes\": %lu}\n",
                 (info.me_last_pgno + 1) * stat.ms_psize, pages * stat.ms_psize);
}

/* A number from 1 to `max`, or 0. */
static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *end == '\0' && value <= max ? value : 0;
}

int main(int count, char **arguments)
{
    uint64_t keys = count == 4 ? number(arguments[2], WORK_KEYS_MAX) : 0;
    uint64_t value_size = count == 4 ? number(arguments[3], WORK_VALUE_SIZE_MAX) : 0;
    if (keys == 0 || value_size < WORK_KEY_SIZE) {
        (void)fprintf(stderr, "usage: bench-lmdb DIRECTORY KEYS VALUE_BYTES   (at least %u)\n",
                      WORK_KEY_SIZE);
        return 2;
    }
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/bench-lmdb-%d.mdb", arguments[1], (int)getpid());
    MDB_env *env;
    check(mdb_env_create(&env), "mdb_env_create");
    check(mdb_env_set_mapsize(env, 4 * keys * (value_size + 64) + MAP_SLACK),
          "mdb_env_set_mapsize");
    check(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600), path);
    if (unlink(path) != 0) {
        perror(path);
        return 1;
    }
    struct work work;
    work_init(&work, OPERATION_FILL, keys, value_size, 1);
    fill(env, &work);
    report(env);
    mdb_env_close(env);
    work_deinit(&work);
    return 0;
}
