/*
 * Who a data directory belongs to: a small text file, written once, checked at every start, so that
 * a wrong --data, --id or --cluster is refused instead of mixing two nodes' data (reliability:
 * operator error). Format in README.md.
 */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "env/env.h"
#include "proto/membership.h"

struct identity {
    uint64_t cluster_id;
    uint64_t founding; /* hash of the cluster's name and first members: what the flags said */
    node_id node;
    uint64_t instance; /* random: tells two directories with one id apart */
};

/* What the flags say: whose directory this should be. Borrows both. */
struct identity_claim {
    node_id node;
    const char *cluster_name;
    const struct membership *founders;
};

/*
 * Reads DIRECTORY/identity, or makes it if there is none: the cluster id is then the founding hash,
 * which every first member works out alike; a cluster of one takes a random one. Blocks (start-up).
 *
 * Errors, with a note: ERR_IDENTITY (another node's or cluster's directory), ERR_VERSION,
 * ERR_DAMAGED, ERR_IO, ERR_PERMISSION, ERR_NO_SPACE.
 */
MUST_USE err identity_open(struct env *env, const char *directory,
                           const struct identity_claim *claim, struct identity *out_identity,
                           struct err_note *note);

#endif
