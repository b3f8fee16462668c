/*
 * What a watch sends (docs/api.md, section 7), byte by byte: as events of text/event-stream, or as
 * lines of JSON. Pure: what goes in decides what comes out, so that many can share one encoding.
 *
 * F1  One event is one line of data, whatever is in keys and values.
 * F2  Only what a client may go on behind has an id: the last event of a revision, and marks.
 */
#ifndef API_WATCH_FORMAT_H
#define API_WATCH_FORMAT_H

#include "base/codec.h"
#include "node/history.h"

enum watch_form {
    WATCH_FORM_SSE,
    WATCH_FORM_NDJSON,
};

struct watch_style {
    enum watch_form form;
    bool has_prev; /* what was replaced is told, too */
};

/* Appends the change; `is_last` of its revision. */
void api_watch_format_change(struct writer *out, struct watch_style style,
                             const struct history_entry *entry, bool is_last);
/* Appends what stands under `key` already: a put without an id. */
void api_watch_format_state(struct writer *out, struct watch_style style, struct slice key,
                            const struct store_record *record);

enum watch_mark {
    WATCH_PROGRESS, /* everything up to the revision was sent */
    WATCH_SYNCED,   /* what was there at the revision was sent */
    WATCH_RESET,    /* what comes does not go on from what was: the oldest revision there is */
};

/* Appends a mark. */
void api_watch_format_mark(struct writer *out, enum watch_form form, enum watch_mark mark,
                           uint64_t revision);
/* What a stream begins with, and what keeps it open while there is nothing to say; may be empty. */
struct slice api_watch_format_begin(enum watch_form form);
struct slice api_watch_format_heartbeat(enum watch_form form);

#endif
