/*
 * A parser's events as text, one a line, pieces of a body joined: what must not depend on how the
 * bytes were cut (P1). Shared by the unit test and the fuzz target.
 */
#ifndef HTTP_EVENT_LOG_H
#define HTTP_EVENT_LOG_H

#include <string.h>

#include "base/codec.h"
#include "http/http_parser.h"

struct event_log {
    struct http_parser_limits limits;
    struct http_parser parser;
    struct http_head head;
    struct writer held; /* what the parser wants to see again */
    struct writer text;
    bool is_in_body;
};

static inline void event_log_init(struct event_log *log, size_t head_size_max,
                                  size_t target_size_max)
{
    memset(log, 0, sizeof(*log));
    log->limits = (struct http_parser_limits){head_size_max, target_size_max};
    http_parser_init(&log->parser, &log->limits);
}

static inline void event_log_deinit(struct event_log *log)
{
    writer_deinit(&log->held);
    writer_deinit(&log->text);
}

static inline void event_log_span(struct event_log *log, struct slice bytes, struct http_span span)
{
    writer_bytes(&log->text, (struct slice){bytes.data + span.offset, span.size});
}

static inline void event_log_head(struct event_log *log, struct slice bytes)
{
    const struct http_head *head = &log->head;
    writer_format(&log->text, "%s ", http_method_name(head->method));
    event_log_span(log, bytes, head->path);
    writer_format(&log->text, "?");
    event_log_span(log, bytes, head->query);
    writer_format(&log->text, head->is_http_1_0 ? " 1.0" : " 1.1");
    writer_format(&log->text, head->keep_alive ? " keep" : " close");
    if (head->content_length == HTTP_LENGTH_CHUNKED) {
        writer_format(&log->text, " chunked");
    } else {
        writer_format(&log->text, " %llu", (unsigned long long)head->content_length);
    }
    writer_format(&log->text, head->expects_continue ? " expect" : "");
    for (uint32_t i = 0; i < head->field_count; i++) {
        writer_format(&log->text, " [");
        event_log_span(log, bytes, head->fields[i].name);
        writer_format(&log->text, "=");
        event_log_span(log, bytes, head->fields[i].value);
        writer_format(&log->text, "]");
    }
    writer_format(&log->text, "\n");
}

/* Returns false once the parser has refused. */
static inline bool event_log_feed(struct event_log *log, struct slice bytes)
{
    writer_bytes(&log->held, bytes);
    struct slice input = writer_slice(&log->held);
    enum http_event event;
    do {
        struct slice piece = SLICE_EMPTY;
        event = http_parser_next(&log->parser, &input, &log->head, &piece);
        if (event == HTTP_EVENT_HEAD) {
            event_log_head(log, piece);
        } else if (event == HTTP_EVENT_BODY) {
            writer_bytes(&log->text, piece);
            log->is_in_body = true;
        } else if (event == HTTP_EVENT_END) {
            writer_format(&log->text, log->is_in_body ? "\nend\n" : "end\n");
            log->is_in_body = false;
        } else if (event == HTTP_EVENT_REFUSED) {
            writer_format(&log->text, "%s: %s\n", err_name(log->parser.refusal),
                          log->parser.detail);
        }
    } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_REFUSED);
    memmove(log->held.data, input.data != NULL ? input.data : log->held.data, input.size);
    log->held.size = input.size;
    return event == HTTP_EVENT_MORE;
}

#endif
