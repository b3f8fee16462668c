/*
 * Many PUTs at a time, each until it is done, pipelined over a few kept connections: what `pontoon
 * import` writes with.
 *
 * I1  Only for what may be done twice and in any order: a PUT whose answer did not come, or told to
 *     try again (408, 429, 500, 502, 503, 504), is sent again, to the next endpoint if there is
 *     one, for as long as --timeout. Anything else that is no success is final.
 * I2  After the first that is final nothing is begun or sent again.
 */
#ifndef MAIN_PUT_POOL_H
#define MAIN_PUT_POOL_H

#include "env/env.h"
#include "main/client.h"

struct put_pool;

struct put {
    uint64_t number;  /* for the caller: of its line */
    const char *path; /* "/kv/a%20b" */
    struct slice body;
    struct slice content_type; /* fit for a header field; empty: none */
};

/* As main_client_open; turns the loop of `env` (env/uv.h) while it waits. */
MUST_USE err main_put_pool_open(struct put_pool **out_pool, struct env *env,
                                const struct client_settings *settings, char *const *environment,
                                struct err_note *note);
/* Breaks off what is on its way. NULL: no-op. */
void main_put_pool_close(struct put_pool *pool);
/*
 * Begins a PUT, of which it keeps a copy; waits while there is no room. EXIT_OK, or how one of
 * those that were begun has failed for good: then the note says why, and `out_number` which.
 */
enum exit_status main_put_pool_begin(struct put_pool *pool, const struct put *put,
                                     uint64_t *out_number, struct err_note *note);
/* Waits for all that was begun. As above. */
enum exit_status main_put_pool_finish(struct put_pool *pool, uint64_t *out_number,
                                      struct err_note *note);
/* How many were done, and how many attempts were repeated. */
uint64_t main_put_pool_done(const struct put_pool *pool);
uint64_t main_put_pool_retries(const struct put_pool *pool);

#endif
