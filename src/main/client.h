/*
 * What commands ask running nodes: one HTTP request at a time, waited for, on libcurl.
 *
 * Q1  Nothing is done twice. Another endpoint is asked only if the last one cannot have carried the
 *     request out: no connection came about, or it says so (503, 429). A GET or HEAD changes
 *     nothing, and a write with an Idempotency-Key is carried out once however often it comes: for
 *     these a broken connection, silence, 500, 502 and 504 are also reasons.
 * Q2  Once a piece of the body has been handed on, no other endpoint is asked: it would begin anew.
 * Q3  The next request goes first to the endpoint that answered the last one.
 */
#ifndef MAIN_CLIENT_H
#define MAIN_CLIENT_H

#include "base/buf.h"
#include "main/command.h"
#include "main/flags.h"

#define CLIENT_ANSWER_SIZE_MAX (64u << 20)

enum client_output {
    CLIENT_OUTPUT_TEXT,
    CLIENT_OUTPUT_JSON,
    CLIENT_OUTPUT_TABLE, /* text, and its columns have a head where there are several */
};

/* What main_client_flags sets; begin with CLIENT_SETTINGS_DEFAULT. */
struct client_settings {
    const char *endpoints; /* NULL: PONTOON_ENDPOINTS, else 127.0.0.1:3000 */
    uint64_t timeout_ms;
    bool show_curl;
    uint64_t output; /* enum client_output */
};

#define CLIENT_TIMEOUT_MS 10000u     /* of a command that has no other */
#define CLIENT_DATA_TIMEOUT_MS 5000u /* of those on keys, locks and leases */
#define CLIENT_SETTINGS_DEFAULT ((struct client_settings){.timeout_ms = CLIENT_TIMEOUT_MS})

/* -e, -o, --timeout, --show-curl: the flags that all commands of clients have. */
extern const struct flag main_client_flags[];
/* Calls `each` with them, borrowed until it returns: of a command whose --timeout is `timeout_ms`,
 * whole seconds, unless it is given. */
void main_client_each_flag(uint64_t timeout_ms, void (*each)(void *ctx, const struct flag *flag),
                           void *ctx);

struct client;
struct endpoints;

/* The nodes that `settings` name, or PONTOON_ENDPOINTS; as main_client_open. */
MUST_USE err main_client_endpoints(const struct client_settings *settings, char *const *environment,
                                   struct endpoints *out_endpoints, struct err_note *note);

/*
 * A client for `settings`; `environment` (NULL-terminated) is where PONTOON_ENDPOINTS may stand.
 * Borrows both until closed. ERR_BAD_REQUEST, with a note: an endpoint or a timeout that cannot be.
 */
MUST_USE err main_client_open(struct client **out_client, const struct client_settings *settings,
                              char *const *environment, struct err_note *note);
/* How many nodes it may ask. */
size_t main_client_endpoint_count(const struct client *client);
/* NULL: no-op. */
void main_client_close(struct client *client);

struct client_request {
    const char *method;         /* "GET" */
    const char *path;           /* with the query, percent-encoded: "/kv/a%20b?timeout=2s" */
    struct slice body;          /* of PUT, POST, PATCH; data NULL: none */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *body_file;      /* where the body was read, for --show-curl; NULL: nowhere */
    size_t answer_size_max;     /* 0: CLIENT_ANSWER_SIZE_MAX; not for pieces */
    bool is_repeatable;         /* it has an Idempotency-Key (Q1) */
    /* --timeout is for all attempts together, and each node is told what it has (?timeout=). */
    bool shares_timeout;
    uint64_t wait_ms; /* the path asks the node to wait that long; beside --timeout */
    /*
     * Gets the body of a 2xx in pieces, which it borrows, instead of the answer; false: stop, which
     * ends in EXIT_FAILED. The timeout is then on silence, not on the whole. NULL: not wanted.
     */
    bool (*piece)(void *ctx, struct slice bytes);
    void *ctx;
    uint64_t silence_ms; /* how long pieces may stay away; 0: --timeout */
};

/* The last answer, whatever its status; borrowed until the next request. */
struct client_answer {
    int status;               /* 0: nobody answered */
    const char *url;          /* which was asked last */
    const char *address;      /* the HOST:PORT of it; "": none was asked */
    const char *content_type; /* "" if none */
    struct slice body;
};

/* What else a client heeds while it waits. */
struct client_listener {
    const int *fds; /* readable: `ready` is called */
    size_t fd_count;
    bool (*ready)(void *ctx); /* false: break the waiting off */
    void *ctx;
};

#define CLIENT_LISTENER_FDS_MAX 4u

/* From now on; borrowed until the client is closed. */
void main_client_listen(struct client *client, const struct client_listener *listener);
/* Waits up to `ms`, or until the listener was called. False: it broke that off. */
bool main_client_wait(struct client *client, uint64_t ms);

/*
 * Asks, with fail-over (Q1). EXIT_OK: a 2xx. Otherwise the note tells why, of each endpoint that
 * was asked, and what it is:
 * EXIT_NOT_FOUND (404), EXIT_PRECONDITION (412, 423); EXIT_UNAVAILABLE: nobody could, nothing was
 * done; EXIT_UNKNOWN: it may have been done; EXIT_FAILED: refused, an answer that is too large, or
 * the listener broke it off.
 */
enum exit_status main_client_ask(struct client *client, const struct client_request *request,
                                 struct err_note *note);
/* The next request goes first to the endpoint behind that which answered the last one. */
void main_client_turn(struct client *client);
struct client_answer main_client_answer(const struct client *client);
/* The last answer's header, or NULL. Borrowed until the next request. */
const char *main_client_header(const struct client *client, const char *name);

#endif
