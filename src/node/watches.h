/*
 * Who watches one region's changes. A watch is a position in the history and a pattern: no events
 * are held for it, it reads the history when its owner has room for more. At the end of a turn each
 * watch that the turn's changes concern is told; how many there are costs nothing before.
 *
 *     IDLE ──a change that fits──> DUE ──ready()──> AT_WORK ──watch_rest──> IDLE
 *                                   ^                  │
 *                                   └── watch_again ───┘   (no room for now: stays AT_WORK)
 *
 * W1  A change costs one look-up by its key, and one by each length of prefix that is watched. All
 *     watches of one pattern hang on one topic, and become due at once, in one step.
 * W2  A topic knows the numbers of its last changes: who comes to them late need not look through
 *     those of others. Who is further behind does, in pieces. Who waits is not too late however old
 *     its position becomes, as long as nothing that fits has come.
 * W3  What falls due in a turn is served in pieces as well: writers do not wait for watchers.
 * W4  A watch sees whole revisions, in order, each change once, or is told that it is too late.
 */
#ifndef NODE_WATCHES_H
#define NODE_WATCHES_H

#include "base/err.h"
#include "base/list.h"
#include "base/metrics.h"
#include "env/env.h"
#include "node/history.h"

struct watches;
struct topic;

/* A field of its owner, which keeps it from watch_open until watch_close. */
struct watch {
    /* In: */
    struct slice pattern; /* a key; borrowed while it is open */
    bool is_prefix;       /* all keys that begin with it; then it may be empty */
    /*
     * From `position` on there may be something, or it has ended (watch_end). Not from within
     * watch_open. Calls watch_rest or watch_again, now or when it can take more; may close this
     * watch and no other. Returns how many bytes it has taken.
     */
    uint64_t (*ready)(struct watch *watch);
    /* Its own; `position` is moved by the owner: what lies before it was dealt with. */
    uint64_t position;
    struct watches *watches;
    struct list link;
    struct topic *topic;
};

/* None yet, of what `history` (borrowed) has. Caller frees, with all watches closed. */
struct watches *watches_new(struct env *env, struct history *history);
void watches_free(struct watches *watches); /* NULL: no-op */

/* The end of a turn: tells those whom this turn's changes concern, and some of those before. */
void watches_turn(struct watches *watches);
/*
 * From now on watches have ended because of `e` (ERR_DRAINING, ERR_DIVERGED), and each is told; OK:
 * they go on.
 */
void watches_end(struct watches *watches, err e);
/* OK, or why they have. */
MUST_USE err watches_ended(const struct watches *watches);
uint64_t watches_count(const struct watches *watches);
/* Events that were told in all; counted by their owners. */
struct counter *watches_told(struct watches *watches);

/*
 * Opens `watch` (pattern, is_prefix, ready set) at `position`, a number of the history. It is due
 * if that is not the end.
 */
void watch_open(struct watches *watches, struct watch *watch, uint64_t position);
void watch_close(struct watch *watch);

enum watch_found {
    WATCH_FOUND,
    WATCH_NOTHING, /* as yet */
    WATCH_LATER,   /* not so far: too much to look at for one turn */
    WATCH_GONE,    /* changes from `from` on are not there any more */
};

/*
 * The first change at or after `from` that fits: *out_number is its number; otherwise that from
 * which to go on.
 */
enum watch_found watch_find(const struct watch *watch, uint64_t from, uint64_t *out_number);
/* Whether the change of `key` is one that it watches. */
bool watch_fits(const struct watch *watch, struct slice key);
/* There is nothing left: tell it of the next one. Its position becomes the end. */
void watch_rest(struct watch *watch);
/* There may be more: tell it again, after the others. */
void watch_again(struct watch *watch);
/* It has dealt with all that there is for it, up to the end of the history. */
bool watch_is_level(const struct watch *watch);
/* OK, or why it has ended. */
MUST_USE err watch_ended(const struct watch *watch);

#endif
