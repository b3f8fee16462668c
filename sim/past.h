/*
 * What was when, by the log: each change of each key, in order, as the model of transactions makes
 * them (txn_model.h). It says what is wrong with what somebody was told of the past:
 *
 *   K13  Who watches is told exactly the changes under the watched prefix or key: each once, in
 *        order, with what stood there before; a revision's last change is known as that, so that
 *        whoever was cut off within one gets all of it again; and who is told "up to revision R"
 *        has been told all up to there. A list at a revision has what was there then, page by page,
 *        whatever came since.
 *
 * Within a revision changes stand in the order of their keys, and a key has at most one: from what
 * it was before to what it is after, whatever a transaction has done in between.
 */
#ifndef SIM_PAST_H
#define SIM_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/scan.h"

struct past;

/* Nothing was there. */
struct past *past_new(void);
void past_free(struct past *past);

/* The key is put at `revision`, which is not before the last one. Shares `value`. */
void past_put(struct past *past, uint64_t revision, struct slice key, struct buf *value);
/* ... and goes, by a DELETE or an EXPIRE. */
void past_remove(struct past *past, uint64_t revision, struct slice key,
                 enum store_change_kind kind);

/* Which keys: one, or all that begin so. */
struct past_pattern {
    struct slice text;
    bool is_prefix;
};

#define PAST_COMPLAINT_SIZE 320u

/* ---- watching ---- */

/* What a watcher was told. */
struct past_watch {
    const struct past *past;
    struct past_pattern pattern; /* its text is borrowed */
    uint64_t id;                 /* the last revision that was told whole */
    size_t next;                 /* change that it has not been told of */
    char complaint[PAST_COMPLAINT_SIZE];
};

/* A change, as it is told. */
struct past_event {
    uint64_t revision;
    enum store_change_kind kind;
    struct slice key;
    struct slice value;    /* of a PUT */
    struct slice replaced; /* if has_replaced */
    bool has_replaced;
    bool is_damaged; /* what it replaced: nobody knows what that was */
    bool is_last;    /* of its revision, for this watcher */
};

/* It is to be told from behind `revision` on: it begins, or was cut off and comes back. */
void past_watch_from(struct past_watch *watch, uint64_t revision);
/* NULL: it is told rightly. Else what is wrong. K13. */
const char *past_watch_told(struct past_watch *watch, const struct past_event *event);
/* It is told that this was all up to `revision`; likewise. */
const char *past_watch_level(struct past_watch *watch, uint64_t revision);
/* Whether there is nothing that it should still be told. */
bool past_watch_is_level(struct past_watch *watch);

/* ---- listing ---- */

/* What a list has told. */
struct past_list {
    const struct past *past;
    struct store_range range; /* borrowed */
    bool is_reverse;
    uint64_t revision;
    struct buf *last; /* the key that was told last; NULL: none was */
    char complaint[PAST_COMPLAINT_SIZE];
};

/* The next key of the list; as past_watch_told. */
const char *past_list_told(struct past_list *list, struct slice key, struct slice value,
                           uint64_t mod_revision);
/* That was all. */
const char *past_list_ended(struct past_list *list);
/* It begins at its beginning, at `revision`. */
void past_list_from(struct past_list *list, uint64_t revision);

#endif
