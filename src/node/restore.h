/*
 * A backup (store/backup.h) becomes the data directory of a node of a new cluster. Offline: nothing
 * runs on it.
 *
 * R1  The new cluster has an id of its own, so that no member of the old one is let in, and none of
 *     its log segments is taken. Several first members work it out alike, out of the file,
 *     --cluster and --cluster-name; one that is alone takes a random one.
 * R2  All first members that are restored from one file begin equal: the backup's records at the
 *     backup's place in the log, whose entries up to there are gone; the same membership.
 * R3  Revisions go on RESTORE_REVISION_STEP behind the backup's, so that none that the old cluster
 *     gave out after the backup is given out again.
 * R4  The directory says that it is being restored until everything in it is durable: a node
 *     refuses to start on one that a crash has left so.
 */
#ifndef NODE_RESTORE_H
#define NODE_RESTORE_H

#include "env/env.h"
#include "proto/membership.h"
#include "store/backup.h"

/* More than a hundred thousand writes a second for a day. */
#define RESTORE_REVISION_STEP UINT64_C(10000000000)

struct restore_options {
    struct env *env;
    const char *backup_path;
    const char *data_directory; /* not there, or empty */
    node_id id;
    const char *cluster_name;     /* as struct node_options has it; may be "" */
    const struct member *members; /* the first members of the new cluster, this node among them */
    uint32_t member_count;
};

/* What has become of it. */
struct restored {
    struct store_backup backup;
    uint64_t cluster_id;
    uint64_t revision; /* R3 */
};

/*
 * Checks the whole file, then makes the directory. Blocks. Borrows `options`. Errors, with a note:
 * of store_backup_read, before anything is made; ERR_EXISTS (the directory is not empty), ERR_BUSY
 * (a node runs on it), ERR_QUOTA (revisions have come to their end), ERR_NO_SPACE, ERR_PERMISSION,
 * ERR_IO. What an error has left of the directory is to be removed.
 */
MUST_USE err restore_data_directory(const struct restore_options *options,
                                    struct restored *out_restored, struct err_note *note);

#endif
