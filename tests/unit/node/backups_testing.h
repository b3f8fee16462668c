/* A client of a node's backup: what the tests of backups and of restoring share. */
#ifndef NODE_BACKUPS_TESTING_H
#define NODE_BACKUPS_TESTING_H

#include "node/backups.h"
#include "node_testing.h"
#include "store/backup.h"

/* A client of one backup. */
struct taking {
    struct node_backup backup;
    bool is_answered;
    err e;
    unsigned cuts;
    struct writer bytes;
};

static inline void opened(struct node_backup *backup, err e)
{
    struct taking *taking = CONTAINER_OF(backup, struct taking, backup);
    assert_false(taking->is_answered);
    taking->is_answered = true;
    taking->e = e;
}

static inline void was_cut(struct node_backup *backup)
{
    CONTAINER_OF(backup, struct taking, backup)->cuts++;
}

static inline bool is_answered(void *ctx)
{
    return ((const struct taking *)ctx)->is_answered;
}

static inline void begin(struct cluster *cluster, struct taking *taking)
{
    *taking = (struct taking){.backup = {.opened = opened, .cut = was_cut}};
    node_backup_open(cluster->nodes[0], &taking->backup);
}

static inline void begin_well(struct cluster *cluster, struct taking *taking)
{
    begin(cluster, taking);
    assert_true(turn_until(cluster, is_answered, taking));
    assert_int_equal(taking->e, OK);
}

static inline void read_all(struct taking *taking)
{
    bool is_last = false;
    while (!is_last) {
        assert_int_equal(node_backup_read(&taking->backup, &taking->bytes, &is_last), OK);
    }
}

/* What it was, checked. */
static inline struct store_backup finish(struct taking *taking)
{
    struct store_backup_check check = {.size_bytes = 0};
    struct store_backup backup;
    node_backup_close(&taking->backup);
    assert_int_equal(store_backup_take(&check, writer_slice(&taking->bytes)), OK);
    assert_int_equal(store_backup_finish(&check, &backup), OK);
    store_backup_check_deinit(&check);
    writer_deinit(&taking->bytes);
    return backup;
}

#endif
