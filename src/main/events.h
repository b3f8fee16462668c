/*
 * A stream of server-sent events (WHATWG HTML, "Server-sent events"), as it comes in: from pieces
 * of any size to whole events.
 */
#ifndef MAIN_EVENTS_H
#define MAIN_EVENTS_H

#include "base/codec.h"

/* Borrowed until `event` returns. */
struct event {
    const char *name; /* "message" if it has none */
    const char *id;   /* "": it has none of its own */
    struct slice data;
};

/* All zero but for the first three is the beginning of a stream. */
struct events {
    bool (*event)(void *ctx, const struct event *event); /* false: no more of it */
    void *ctx;
    size_t size_max;   /* of an event */
    uint64_t retry_ms; /* as the stream told; 0: it did not */
    struct writer line;
    bool is_behind_return; /* a line's feed may follow */
    struct writer name;
    struct writer id;
    struct writer data;
    bool has_data;
    bool is_too_large;
};

/* Takes the next bytes. False: the handler wants no more, or an event is too large. */
bool main_events_take(struct events *events, struct slice bytes);
/* A new stream begins; what of the last one was not whole is forgotten. */
void main_events_begin(struct events *events);
/* Frees what is held. */
void main_events_deinit(struct events *events);

#endif
