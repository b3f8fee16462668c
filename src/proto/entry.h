/* A log entry: what Raft replicates, the log stores and the state machine applies. */
#ifndef PROTO_ENTRY_H
#define PROTO_ENTRY_H

#include "base/codec.h"

typedef uint64_t node_id;   /* positive; 0 is "none" */
typedef uint64_t region_id; /* positive; 0 is "the node itself" */

/* A position in a region's log. Index 0 with term 0 is before the first entry. */
struct raft_pos {
    uint64_t term;
    uint64_t index;
};

/* The values stand on disk and on the wire. */
enum entry_type {
    ENTRY_NORMAL = 0,      /* a command (proto/command.h), or empty: the no-op at a term's start */
    ENTRY_CONF_CHANGE = 1, /* one simple change (struct conf_change_single) */
    ENTRY_CONF_CHANGE_V2 = 2, /* several changes, perhaps through a joint configuration */
    ENTRY_BOOTSTRAP = 3,      /* the first membership of a region: its log's first entry */
};

struct entry {
    struct raft_pos pos;
    enum entry_type type;
    struct buf *data; /* one reference, or NULL when empty */
};

static inline size_t entry_size(const struct entry *entry)
{
    return entry->data == NULL ? 0 : entry->data->size;
}

/* The least that an encoded entry takes: term, index, type, size. */
#define ENTRY_ENCODED_MIN 21u

/* Appends it as it travels in a frame (README.md). */
void entry_encode(const struct entry *entry, struct writer *out);
/* Reads one; its data is the caller's. False: it is malformed, and nothing was filled. */
MUST_USE bool entry_decode(struct reader *in, struct entry *out_entry);

struct hard_state {
    uint64_t term;
    node_id vote;    /* whom this node voted for in `term`, or 0 */
    uint64_t commit; /* highest index known to be committed */
};

#endif
