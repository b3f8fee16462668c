/*
 * Server-sent events (WHATWG HTML, section 9.2): a stream of named events, each with one line of
 * data. Comments keep proxies from taking it for dead.
 */
#ifndef API_EVENT_STREAM_H
#define API_EVENT_STREAM_H

#include "api/exchange.h"

/* As api_exchange_respond_stream, with the header fields that event streams have. */
struct http_stream *api_event_stream_begin(struct exchange *x,
                                           const struct http_stream_handler *handler, void *ctx);
/* One event; `data` has no line ends. False: as http_stream_write. */
bool api_event_stream_write(struct http_stream *stream, const char *event, struct slice data);
/* A comment. False: as http_stream_write. */
bool api_event_stream_beat(struct http_stream *stream);

#endif
