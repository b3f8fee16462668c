/*
 * Who a data directory belongs to: a small text file, written once, checked at every start, so that
 * a wrong --data, --id or --cluster is refused instead of mixing two nodes' data (reliability:
 * operator error). Format in README.md.
 */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "base/hash.h"
#include "env/env.h"
#include "proto/membership.h"

struct identity_peer {
    node_id id;
    uint64_t instance;
};

struct identity {
    uint64_t cluster_id;
    uint64_t founding; /* hash of the cluster's name and first members: what the flags said; 0: it
                          has joined a cluster that was there */
    node_id node;
    uint64_t instance; /* random, not 0: tells two directories with one id apart */
    bool is_founded;   /* the log has begun: from now on an empty one is a lost one */
    bool is_removed;   /* it was a member, and will be none any more */
    bool is_restoring; /* a backup is being restored into it (restore.h): nobody starts on that */
    bool is_joining;   /* not taken in yet, as far as its own disk knows: it has to be told whom to
                          ask at each start */
    region_id installing_region; /* 0: no snapshot is being installed (install.h) */
    struct raft_pos installing;
    region_id lost_region;  /* 0: its log was not set aside (repair.h) */
    struct hard_state lost; /* the term and the vote that it had; `commit` is not used */
    bool is_vote_lost;      /* that is only the least it may have been in */
    uint32_t peer_count;
    struct identity_peer peers[MEMBERS_MAX]; /* met so far: another directory under one of these ids
                                                has lost what the first one promised */
};

/* What the flags say: whose directory this should be. Borrows both. */
struct identity_claim {
    node_id node;
    uint64_t joins; /* the id of the cluster that it is to join, or has joined; 0: it is founded */
    const char *cluster_name; /* this and the next: only if it does not join */
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

/* Reads DIRECTORY/identity, whosever it is. ERR_NO_FILE, ERR_VERSION, ERR_DAMAGED, ERR_IO,
 * ERR_PERMISSION, with a note. Blocks. */
MUST_USE err identity_read(struct env *env, const char *directory, struct identity *out_identity,
                           struct err_note *note);

/* ERR_IDENTITY, with a note: nobody starts on such a directory, whatever the flags say. */
MUST_USE err identity_check_use(const struct identity *found, const char *directory,
                                struct err_note *note);

/*
 * Writes it, durably, into blocks that were reserved before where the disk had any, and reserves
 * the next one's: ERR_IO, ERR_PERMISSION, ERR_NO_SPACE. Blocks: a few times in a node's life.
 */
MUST_USE err identity_save(struct env *env, const char *directory, const struct identity *identity,
                           struct err_note *note);

/*
 * The identity of a directory that a backup is restored into, founded as `claim` says; not saved.
 * The cluster's id depends on `seed` as well, so that it is none that the founders had before; one
 * that is alone gets a random one.
 */
struct identity identity_restoring(struct env *env, const struct identity_claim *claim,
                                   struct hash128 seed);

/* Notes whose directory `peer` is; true if that is news, to be saved. */
bool identity_meet(struct identity *identity, node_id peer, uint64_t instance);
/* By which instance `peer` was met; 0: it was not. */
uint64_t identity_instance_of(const struct identity *identity, node_id peer);
/* `peer` is no member any more: its id may come with another directory. True: to be saved. */
bool identity_forget(struct identity *identity, node_id peer);

#endif
