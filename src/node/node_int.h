/* What the files of src/node/ share: the node's own state. Private to this layer and its tests. */
#ifndef NODE_NODE_INT_H
#define NODE_NODE_INT_H

#include "net/net.h"
#include "node/backups.h"
#include "node/drain.h"
#include "node/finish.h"
#include "node/history_journal.h"
#include "node/identity.h"
#include "node/log_mend.h"
#include "node/node.h"
#include "node/notices.h"
#include "node/outbox.h"
#include "node/pace.h"
#include "node/replica.h"
#include "node/router.h"
#include "node/snapshots.h"
#include "node/startup.h"
#include "wal/wal.h"

struct node {
    struct node_options options; /* its texts are borrowed */
    struct env *env;
    struct log *log;
    struct env_lock *lock;
    struct identity identity;
    struct store *store;
    struct wal *wal;
    struct history_journal *history;         /* the first region's, as the replica below */
    char peer_address[ADDRESS_SIZE_MAX + 1]; /* where the others reach this node */
    struct net *net;                         /* NULL: this node is alone and listens for no peers */
    struct outbox outbox;
    struct snapshots snapshots; /* on their way to peers, and the one from a peer */
    struct backups backups;
    struct pace pace; /* of snapshots and backups together */
    struct router router;
    struct replica *replica; /* the first region's; more of them will hang on the router */
    struct writer scratch;   /* one frame's payload at a time */
    struct env_timer tick;
    struct env_turn turn;
    struct drain drain;
    struct log_mend log_mend; /* while `wal` is not open yet, for damage */
    bool is_store_from_log;   /* it was damaged, and the log alone made it anew (repair.h) */
    struct finish finish;
    struct startup startup;
    struct notices notices;
    uint32_t forwarded_count; /* writes that peers gave and that are not answered yet */
};

/* ---- node.c ---- */

#define NODE_PATH_SIZE 4096

/* Makes node->identity durable; ends the process if it cannot. */
void node_save_identity(struct node *node);
/* As net_peer_set, and expects the directory by which this peer was met (ADR 16; members.h, M7). */
MUST_USE err node_peer_set(struct node *node, node_id id, const char *address);

/* These members as the first ones of a cluster, all of them voters. */
struct membership node_founders(const struct member *members, uint32_t count);
/*
 * Makes the data directory if it is not there, and locks it. Caller releases the lock. Errors with
 * a note that says what to do: ERR_BUSY (another process has it), ERR_PERMISSION, ERR_NO_FILE,
 * ERR_IO, ERR_NO_SPACE. Blocks.
 */
MUST_USE err node_take_directory(struct env *env, const char *directory, struct env_lock **out_lock,
                                 struct err_note *note);
/* Makes the data directory's entries durable, and the one that it is itself. With a note. */
MUST_USE err node_sync_directories(struct env *env, const char *directory, struct err_note *note);

/* A node that was alone has members now: begins to listen for them, if it does not do so yet. */
void node_listen(struct node *node);

/* ---- node_storage.c ---- */

/* Opens history, store and log; damaged ones are set aside where something can take their place.
 * With a note; what was opened is closed with the node. Blocks. */
MUST_USE err node_open_storage(struct node *node, struct err_note *note);
/* Those of this node's log. They borrow the node and `path`, which is filled. */
struct wal_options node_log_options(struct node *node, char path[NODE_PATH_SIZE]);

/* ---- forward.c: writes that another node's client gave ---- */

/* Sends `write`'s command to `leader`; false if the connection did not take it. */
bool forward_send(struct node *node, region_id region, struct node_write *write, node_id leader);
/* A peer sends a write for us to propose: FRAME_WRITE. */
void forward_receive(struct node *node, node_id from, region_id region, struct slice payload);
/* The answer to one of ours: FRAME_WRITE_RESULT. */
void forward_receive_result(struct node *node, node_id from, region_id region,
                            struct slice payload);

/* ---- node_frames.c: what peers send ---- */

extern const struct net_handler node_net_handler;

/* The replica of `region` on this node, or NULL. */
struct replica *node_replica(struct node *node, region_id region);

/* ---- node_metrics.c ---- */

/* Registers with node->options.metrics, which then reads the node until it is closed. */
void node_register_metrics(struct node *node);

#endif
