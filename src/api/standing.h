/*
 * What every answer under /kv says of the node that gave it: who leads, in which term, how long
 * ago this node heard from it, and how consistent a read is (docs/api.md, section 2). The lines are
 * made when something in them changes, not for each answer: on a leader nothing does.
 */
#ifndef API_STANDING_H
#define API_STANDING_H

#include "base/buf.h"
#include "node/node.h"

#define STANDING_TEXT_SIZE 384u

enum standing_kind {
    STANDING_PLAIN, /* no read */
    STANDING_LINEARIZABLE,
    STANDING_STALE,
    STANDING_KINDS
};

/* The lines of one kind, as they were made last. All zero: not yet. */
struct standing {
    struct node_standing of;
    size_t fixed_size; /* of what is the same in all: guards, caching */
    size_t size;
    char text[STANDING_TEXT_SIZE];
};

struct api;

/*
 * Whole header fields, each with its CR LF, for an answer that is made before the next call. With
 * `is_success` those that describe a value as well: nobody may take it for a page of this origin
 * (section 0), and it may change at any time. An error document has its own.
 */
struct slice api_standing_lines(struct api *api, enum standing_kind kind, bool is_success);

#endif
