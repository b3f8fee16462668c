/*
 * What the files of /kv share: route_list.c (what is asked, pages), list_count.c, list_stream.c,
 * list_delete.c, list_queue.c; * and route_export.c, whose export is a list in another form.
 *
 * L1  A list is read at one revision, in pieces of one turn each: nothing that is applied between
 *     two pieces shows. Where that cannot be it says so, or ends in a way that shows.
 * L2  A piece is bounded, in keys and in bytes, so is what one list holds, and so is the number of
 *     pieces in a turn.
 */
#ifndef API_LIST_INT_H
#define API_LIST_INT_H

#include "api/export_format.h"
#include "api/kv_int.h"
#include "api/list_walk.h"

#define LIST_PIECE_KEYS 4096u /* looked at in one piece: 2 ms at most */

struct key_list {
    struct exchange *x; /* until it is answered */
    struct api *api;
    struct node *node;
    struct node_read read;
    struct list_params params;
    uint8_t *texts; /* of `params` */
    struct list_walk walk;
    uint64_t revision;   /* L1; 0: that of the moment when it may be read */
    uint64_t count;      /* of items so far */
    uint64_t piece_max;  /* list_count.c: keys of one piece */
    bool is_census_next; /* list_count.c: the next step is the census's, not the walk's */
    /* The state may be read, and the revision is there: answers, now or later. */
    void (*ready)(struct key_list *list);
    /* list_count.c: `count` is how many there are, at `revision`; the walk is over. */
    void (*counted)(struct key_list *list);
    bool is_export; /* the lines are an export's */
    struct export_sums sums;
    struct hash128 state_hash; /* of all keys, at `revision` */
    struct writer out;
    struct http_stream *stream; /* list_stream.c */
    struct list link;           /* list_queue.c: in api->list_pieces, while it waits */
    void (*piece)(struct key_list *list);
};

/*
 * A list of what `params` says, to be answered to `x`; copies the texts. Caller gives it to one of
 * the ends below. ERR_BAD_REQUEST: the cursor is none of this list's.
 */
MUST_USE err api_list_new(struct exchange *x, const struct list_params *params,
                          struct key_list **out_list);
/* Reads: calls `ready` when the state may be read, or refuses. */
void api_list_read(struct key_list *list, void (*ready)(struct key_list *list));
/* Begins at the first key again, at the revision that there is now. */
void api_list_restart(struct key_list *list);
/* Frees all of it. */
void api_list_free(struct key_list *list);

/*
 * The list goes on by `piece`, in a later turn: until then it waits, and may be freed. At the end
 * of the server, what waits to be answered is refused.
 */
void api_list_later(struct key_list *list, void (*piece)(struct key_list *list));

/* The scan that goes on where the list is. As node_scan_open. */
MUST_USE err api_list_open_scan(struct key_list *list, struct node_scan *out_scan);
/* Appends `item` in the list's format, where it needs no comma. Errors of node_scan_record. */
MUST_USE err api_list_put(struct key_list *list, struct node_scan *scan,
                          const struct list_item *item);

/* ---- ends: `list` is gone afterwards ---- */

/* Answers with the problem that `e` is. `key` (empty: none) is the one whose record is damaged. */
void api_list_refuse(struct key_list *list, err e, struct slice key);
/* Counts what is left of it, over as many turns as that takes, and calls `counted`, or refuses. */
void api_list_count(struct key_list *list, void (*counted)(struct key_list *list));
/* Answers with that count. */
void api_list_respond_count(struct key_list *list);
/* Answers with all that is left of it, however long, in pieces. */
void api_list_stream(struct key_list *list);

/* Deletes what x->op.list says, and answers x. */
void api_list_delete(struct exchange *x);

/* What every answer about keys says of itself: revision, ETag, consistency, content type. */
void api_list_add_fields(struct key_list *list, const char *content_type);

#endif
