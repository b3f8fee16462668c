/*
 * The last act of an orderly end, when everything is answered: what was applied goes into a
 * checkpoint, so that the next start has hardly a log to replay, and a node that was just taken in
 * notes that, so that it can be started without being told whom to ask (M4 in members.h).
 *
 * F1  It ends: a checkpoint that fails is not waited for, nor anything longer than
 *     FINISH_MS_MAX, nor the entry that makes this node a member longer than FINISH_JOIN_MS_MAX.
 *     Nothing is lost then: the log has it all.
 */
#ifndef NODE_FINISH_H
#define NODE_FINISH_H

#include "node/node.h"

#define FINISH_MS_MAX 10000u
#define FINISH_JOIN_MS_MAX 2000u

/* All zero at first. */
struct finish {
    bool is_begun;
    bool is_over;
    uint64_t index; /* the checkpoint is to have it */
    uint64_t begun_ms;
    uint64_t failures; /* of checkpoints, before */
    void (*done)(void *ctx);
    void *ctx;
};

/* As node_finish. */
void finish_begin(struct node *node, void (*done)(void *ctx), void *ctx);
/* Looks whether it is over. Every turn. */
void finish_check(struct node *node);

#endif
