/*
 * What the files http_*.c share: the structs of a server, its connections and their requests.
 * Nobody outside of this directory and its tests includes it.
 *
 * Who owns whom: a server lists its live connections; a connection owns its requests, in the order
 * in which they came. A connection that is gone lives on until its last request is answered (H2),
 * and a server that is closed lives on until its last connection is freed.
 */
#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include "base/list.h"
#include "env/address.h"
#include "env/uv.h"
#include "http/http.h"
#include "http/http_arena.h"
#include "http/http_date.h"
#include "http/http_parser.h"

#define HTTP_RECEIVE_SIZE (64u << 10)  /* what one recv takes at most, beside a body's own room */
#define HTTP_BODY_STEP_MIN (64u << 10) /* a body's first block: a longer one must earn its memory */
#define HTTP_SKIP_SIZE_MAX                                                                         \
    (64u << 10) /* an unread body up to this is skipped, a longer one drops
                                             the connection */
#define HTTP_STREAM_SIZE_MAX                                                                       \
    (256u << 10)             /* queued bytes of a stream at which its writer must wait */
#define HTTP_LINGER_MS 5000u /* how long, and */
#define HTTP_LINGER_SIZE_MAX (32u << 20) /* how much is thrown away after the last answer */
#define HTTP_SWEEP_MS 250u               /* how often timeouts are looked at */
#define HTTP_REFUSED_CONNECTIONS_MAX                                                               \
    64u /* beyond the limit: get a 503, the others a closed socket */

/* ---- what is sent: http_output.c ---- */

/* A run of bytes on its way to the kernel. */
struct http_part {
    struct http_part *next;
    struct slice bytes; /* what is left of it */
    struct buf
        *owner;  /* a reference on what holds the bytes; NULL: the request's arena, or static */
    void *block; /* goes when this part is sent: heap memory of it and parts before it, or NULL */
};

struct http_output {
    struct http_part *first;
    struct http_part *last;
    uint64_t size;
};

/* ---- a request and its answer: http_request.c, http_response.c, http_stream.c ---- */

struct http_stream {
    const struct http_stream_handler *handler;
    void *ctx;
    bool is_chunked;
    bool is_bodiless;  /* the answer to HEAD: what is written is dropped */
    bool is_blocked;   /* http_stream_write said false; `writable` is due */
    uint64_t size_max; /* queued bytes at which the writer must wait; 0: the usual */
};

/* READING -> AT_WORK -> ANSWERED, each of which may be skipped; or STREAMING before ANSWERED. */
enum http_request_state {
    HTTP_REQUEST_READING,   /* the head is there, the body is not; the handler has seen begin */
    HTTP_REQUEST_AT_WORK,   /* the handler has seen ready or refuse */
    HTTP_REQUEST_STREAMING, /* the answer has begun */
    HTTP_REQUEST_ANSWERED,  /* the handler is through with it; it waits to be sent */
};

struct http_request {
    struct list link; /* in conn->requests, or in server->pool */
    struct http_conn *conn;
    enum http_request_state state;
    bool keep_alive; /* what the client asks for; false for a refused one */
    bool is_http_1_0;
    bool wants_continue; /* "100 Continue" is due as soon as it is this request's turn */
    bool is_last;        /* nothing is sent on the connection after its answer */
    bool must_cut;       /* the answer cannot be completed: the connection goes without an end */
    enum http_method method;
    uint64_t number;
    uint64_t started_ns;
    uint64_t content_length;
    uint64_t body_limit;
    const uint8_t *bytes; /* the head; NULL for a refused one */
    const struct http_head_field *fields;
    uint32_t field_count;
    struct http_span path;
    struct http_span query;
    uint64_t names; /* HTTP_NAME_BIT of each field's. Most look-ups end here */
    void *user;
    struct buf *body; /* its size is the memory, not the content, until the request is complete */
    size_t body_size;
    struct http_output out;
    struct http_part head_part;
    struct http_part content_part;
    struct http_part continue_part;
    struct http_stream stream;
    struct http_arena arena;
};

/*
 * A request at the end of the list of `conn`. `head` and `bytes` are copied; a NULL head is that of
 * a request that was refused before it had one.
 */
struct http_request *http_request_new(struct http_conn *conn, const struct http_head *head,
                                      struct slice bytes);
/* Takes it out of its connection and gives its memory back. */
void http_request_free(struct http_request *request);
/* Frees what a server keeps of them. */
void http_request_free_pool(struct http_server *server);
/* Checks that the state may follow on the one before, and enters it. */
void http_request_move(struct http_request *request, enum http_request_state state);
/* The handler is through with it: its body goes, and ANSWERED. */
void http_request_finish(struct http_request *request);
/* Room for more of the body: *out_room bytes, at least one, at *out_target. ERR_OVERLOADED. */
MUST_USE err http_request_body_room(struct http_request *request, uint8_t **out_target,
                                    size_t *out_room);
/* Appends a piece. ERR_TOO_LARGE, ERR_OVERLOADED. */
MUST_USE err http_request_body_append(struct http_request *request, struct slice piece);
/* The body is whole: its block shrinks to its size. */
void http_request_body_end(struct http_request *request);
/* Gives the body back. */
void http_request_body_drop(struct http_request *request);

/* Writes the head of an answer into the request's arena and queues it. */
void http_response_queue_head(struct http_request *request, const struct http_response *response,
                              bool is_stream);

/* Ends a stream that cannot go on: tells its handler, which must not touch it afterwards. */
void http_stream_close(struct http_request *request);
/* Tells a blocked stream's handler that there is room again, if there is. */
void http_stream_resume(struct http_request *request);

/* ---- a connection: http_conn.c, http_output.c ---- */

enum http_conn_phase {
    HTTP_CONN_OPEN,
    HTTP_CONN_LAST,   /* no request is read any more; ends when the last answer is sent */
    HTTP_CONN_LINGER, /* our side is shut; what still comes in is thrown away */
    HTTP_CONN_GONE,   /* the socket is closed */
};

/* What the sweep waits for. */
enum http_conn_wait {
    HTTP_WAIT_NOTHING, /* it is our turn, not the client's */
    HTTP_WAIT_REQUEST, /* keep-alive: nothing is going on */
    HTTP_WAIT_HEAD,    /* a head has begun */
    HTTP_WAIT_BODY,
    HTTP_WAIT_END, /* LINGER */
};

struct http_conn {
    struct list link;       /* in server->conns until it is GONE */
    struct list flush_link; /* in server->flush when something changed in this turn */
    struct list wait_link;  /* in server->waiting while it is readable and has to wait */
    struct list requests;
    struct http_server *server;
    uint32_t request_count;
    int fd;
    enum http_conn_phase phase;
    enum http_conn_wait wait;
    bool is_paused;      /* requests or replies outrun their bound: no further request is read */
    bool is_skipping;    /* the message being read was answered already: its body is dropped */
    bool keep_alive;     /* what the message being read says */
    bool has_eof;        /* the client has shut its side */
    bool has_hung_up;    /* the same, where nothing more is read that could tell */
    bool is_blocked;     /* the kernel takes no more: waiting for writability */
    bool is_poll_closed; /* libuv has given the handle back */
    int polled;          /* what uv_poll is started with */
    struct http_parser parser;
    struct http_request *reading; /* its body is coming in; NULL: none, or is_skipping */
    uint8_t *held; /* received, not parsed: the front of a head, or more than we take */
    size_t held_size;
    uint64_t wait_since_ms;
    uint64_t progress_ms;   /* when the kernel last took bytes, or they began to wait */
    uint64_t message_bytes; /* WAIT_BODY: bytes of it so far; WAIT_END: bytes thrown away */
    uint64_t started_ns;    /* when the first byte of the message being read came */
    uint64_t received_ns;   /* when bytes last came */
    uint64_t queued_bytes;  /* in all requests' output */
    uv_poll_t poll;
    char peer[ENV_ADDRESS_TEXT_SIZE];
};

/* Takes `fd`, a connected non-blocking socket. */
struct http_conn *http_conn_open(struct http_server *server, int fd, const struct sockaddr *peer);
/* Refuses whatever the connection is about to say, and ends it. */
void http_conn_refuse(struct http_conn *conn, err e, const char *detail);
/*
 * Closes the socket at once; streams and half-read requests are told. Frees it if nothing is left.
 */
void http_conn_cut(struct http_conn *conn);
/*
 * The last answer is sent, or nothing is going on: ends the connection so that the client sees it.
 */
void http_conn_end(struct http_conn *conn);
/* Something is to be sent or looked at: http_conn_flush runs at the end of this turn. */
void http_conn_schedule(struct http_conn *conn);
/* Reads what the connection has sent. */
void http_conn_receive(struct http_conn *conn);
/* The turn's one send, then whatever became possible by it. */
void http_conn_flush(struct http_conn *conn);
/* Brings phase, wait and polling up to date; last in every event. */
void http_conn_settle(struct http_conn *conn);
/* `request` is about to be answered: if its body is still coming, decides what becomes of that. */
void http_conn_answer_begins(struct http_request *request);
/* Looks at the timeouts. */
void http_conn_check_time(struct http_conn *conn, uint64_t now_ms);
/* Frees a connection that is gone and has no requests left. */
void http_conn_release(struct http_conn *conn);
/* True as long as something can be sent. */
bool http_conn_is_writable(const struct http_conn *conn);
/* The client has shut its side. */
static inline bool http_conn_has_left(const struct http_conn *conn)
{
    return conn->has_eof || conn->has_hung_up;
}

/* Queues `part`, caller's storage that lives until it is sent, behind the request's others. */
void http_output_push(struct http_request *request, struct http_part *part, struct slice bytes);
/* Gives back everything that the request has queued. */
void http_output_drop(struct http_request *request);
/* One send of what is due; false: the connection failed. */
bool http_output_send(struct http_conn *conn);

/* ---- the server: http_server.c ---- */

struct http_server {
    struct http_options options; /* with the defaults filled in */
    struct http_parser_limits limits;
    struct http_handler handler;
    void *ctx;
    uint32_t ref_count; /* open, its listener's handle, each connection */
    struct list conns;
    struct list flush;
    struct list waiting; /* connections whose bytes the turn before had no room for */
    struct list pool;    /* requests to be used again */
    uint32_t pool_count;
    struct env_turn turn;
    struct env_timer sweep;
    uv_poll_t listen_poll;
    int listen_fd; /* -1: does not listen any more */
    bool is_accepting;
    bool is_open;
    bool is_draining;
    uint64_t accept_again_ms; /* accepting is paused until then */
    uint64_t drain_end_ms;
    void (*drained)(void *ctx); /* NULL: nobody waits */
    void *drained_ctx;
    uint32_t turn_requests; /* taken in since the last turn's end */
    uint64_t turn_bytes;
    uint64_t next_number;
    uint64_t body_bytes; /* memory of all bodies */
    uint64_t date_end_ms;
    struct http_stats stats;
    struct http_head head; /* scratch of the parsers */
    size_t receive_size;
    uint8_t *receive; /* scratch of the receivers: held bytes, then HTTP_RECEIVE_SIZE more */
    char date[HTTP_DATE_SIZE + 1];
    char address[ENV_ADDRESS_TEXT_SIZE];
};

/* Whether more may be taken in before this turn ends. */
bool http_server_has_turn(const struct http_server *server);
/* `conn` is to be read as soon as those before it have been. */
void http_server_wait(struct http_server *server, struct http_conn *conn);
/* The Date of now; borrowed until the next call. */
struct slice http_server_date(struct http_server *server);
/* Gives a reference back; frees with the last. */
void http_server_unref(struct http_server *server);

#endif
