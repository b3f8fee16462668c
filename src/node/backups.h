/*
 * Backups: the state of the first region on its way to whoever asked for it (node_backup_open). One
 * at a time, as each pins the pages of the state that it reads.
 *
 * P1  What is handed out has every entry that this node had applied when it was asked; a checkpoint
 *     is made for it if need be.
 * P2  It ends: it begins within BACKUP_WAIT_MS_MAX, and is cut off if it is read more slowly, on
 *     average, than BACKUP_RATE_MIN once BACKUP_GRACE_MS are over.
 * P3  It is handed out at node->pace, however fast the client: each piece holds up the loop, and
 *     with it everybody's requests.
 */
#ifndef NODE_BACKUPS_H
#define NODE_BACKUPS_H

#include "base/metrics.h"
#include "node/node.h"
#include "store/snapshot.h"

#define BACKUPS_MAX 1u
#define BACKUP_PIECE_SIZE (64u << 10)
#define BACKUP_WAIT_MS_MAX 30000u
#define BACKUP_GRACE_MS 60000u
#define BACKUP_RATE_MIN (256u << 10) /* bytes a second: a gigabyte may take 70 minutes */

/* All zero at first. */
struct backups {
    struct node_backup *current; /* NULL: none */
    struct counter completed;
    struct counter failed; /* not begun, broken off, cut off */
    struct counter bytes;
    uint64_t completed_at_ms; /* since the epoch; 0: none yet */
};

/* Begins what waits if its checkpoint is there, and ends what is too slow. Once a turn. */
void backups_turn(struct node *node);
/* Ends one that is left, before the store is closed. */
void backups_close(struct node *node);

#endif
