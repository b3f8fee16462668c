/*
 * One connection's bytes in, messages out: a pull parser that owns no memory.
 *
 * P1  The events of a connection depend on its bytes alone, not on how they were cut into pieces.
 * P2  A head is looked at line by line by the guard (http_guard.h); only a whole head that has
 *     passed is given to llhttp, in one piece, which splits it and judges its framing. Both must
 *     agree.
 * P3  Bodies are counted, not searched: so many bytes, or chunks whose size lines the guard has
 *     read.
 * P4  Once a message is refused, nothing after it is read: every further call says refused (H3).
 */
#ifndef HTTP_HTTP_PARSER_H
#define HTTP_HTTP_PARSER_H

#include "http/http.h"

#define HTTP_FIELDS_MAX 100u           /* header fields of a request: more are 431 */
#define HTTP_CHUNK_LINE_SIZE_MAX 256u  /* a chunk size with its extension */
#define HTTP_CHUNK_OVERHEAD_MAX 4096u  /* extensions and trailers of a message together */
#define HTTP_LENGTH_CHUNKED UINT64_MAX /* http_head.content_length: not known beforehand */

/* Part of a head, as offsets, so that it also fits a copy of that head. */
struct http_span {
    uint32_t offset;
    uint32_t size;
};

struct http_head_field {
    struct http_span name;
    struct http_span value; /* without the white space around it */
};

struct http_head {
    enum http_method method;
    bool is_http_1_0;
    bool keep_alive; /* what the client asks for */
    bool expects_continue;
    uint64_t content_length; /* or HTTP_LENGTH_CHUNKED */
    struct http_span path;   /* size 0: an absolute target without one, which means "/" */
    struct http_span query;  /* what follows '?' */
    uint32_t field_count;
    struct http_head_field fields[HTTP_FIELDS_MAX];
};

struct http_parser_limits {
    size_t head_size_max; /* request line, fields and the empty line; at least 256 */
    size_t target_size_max;
};

enum http_event {
    HTTP_EVENT_MORE,    /* show what is left of the input again, with more behind it */
    HTTP_EVENT_HEAD,    /* a head is complete */
    HTTP_EVENT_BODY,    /* a piece of the body */
    HTTP_EVENT_END,     /* the message is complete */
    HTTP_EVENT_REFUSED, /* P4; parser->refusal and ->detail say why */
};

enum http_parser_state {
    HTTP_PARSER_BETWEEN,
    HTTP_PARSER_HEAD,
    HTTP_PARSER_BODY,
    HTTP_PARSER_CHUNK_LINE,
    HTTP_PARSER_CHUNK_DATA,
    HTTP_PARSER_CHUNK_END,
    HTTP_PARSER_TRAILER,
    HTTP_PARSER_REFUSED,
};

/* In its owner's struct; read-only outside of http_parser.c. */
struct http_parser {
    const struct http_parser_limits *limits;
    enum http_parser_state state;
    bool blank_skipped;  /* the one empty line that may stand before a request line */
    uint32_t line_count; /* HEAD: lines checked so far */
    size_t checked;      /* HEAD: their size; they stand at the front of the input */
    uint64_t left;       /* BODY, CHUNK_DATA: bytes to come */
    size_t overhead;     /* bytes of extensions and trailers so far */
    err refusal;
    const char *detail; /* static storage */
};

/* Prepares a parser at the start of a connection. Borrows `limits` for its life. */
void http_parser_init(struct http_parser *parser, const struct http_parser_limits *limits);

/*
 * Reads on in *input and moves its front past what is done with. Call until it says MORE; it needs
 * no input to say END. After MORE, what is left in *input is the unfinished front of a line or a
 * head: at most limits->head_size_max bytes, which the caller keeps and shows again in one piece
 * with what comes next.
 *
 * HEAD: fills *head, whose spans count from *out_bytes, the bytes of the head in the input.
 * BODY: *out_bytes is the piece, in the input.
 */
enum http_event http_parser_next(struct http_parser *parser, struct slice *input,
                                 struct http_head *head, struct slice *out_bytes);

/* How much of a body may be read past the parser, straight to where it belongs: 0 when chunked. */
uint64_t http_parser_body_left(const struct http_parser *parser);
/* Tells that `size` bytes of http_parser_body_left were. */
void http_parser_body_taken(struct http_parser *parser, uint64_t size);

/* True between two messages, when not even the first byte of the next has been looked at. */
bool http_parser_is_between(const struct http_parser *parser);

#endif
