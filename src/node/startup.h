/* What a node says of its start: what it opened, and how far it is with replaying its log. */
#ifndef NODE_STARTUP_H
#define NODE_STARTUP_H

#include "node/node.h"

/* All zero at first. */
struct startup {
    uint64_t begun_ns;
    uint64_t entries;       /* of the log behind the checkpoint */
    uint64_t until_index;   /* the last of them; 0: all is said */
    uint64_t told_ns;       /* the last line */
    uint64_t applied_index; /* as of then */
};

/* Before anything is opened. */
void startup_begin(struct node *node);
/* Store and log are open. */
void startup_opened(struct node *node);
/* Says how far it is, once a second, and the end. Every tick. */
void startup_tick(struct node *node);

#endif
