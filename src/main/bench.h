/*
 * The load of `pontoon bench`: many connections, each with one request at a time, in phases.
 *
 * B2  Fill, settle and remove have a number of requests, each of which is asked until it is done,
 *     for as long as --timeout; the first that is not ends the phase. A phase over time sends
 *     whatever is drawn until its time is over, counts what fails, and ends when the last answer is
 *     there.
 * B3  Every answer is checked: its status, and of a get the value (bench_work.h). What is not as it
 *     has to be is a failure; no failure is an operation.
 * B4  After a failure its connection rests: as long as Retry-After says, or else 20 ms, and twice
 *     as long each time, up to a second. What may be sent again then is.
 * B5  Connections begin at the endpoints in turns; one that its node refuses, or loses, goes on to
 *     the next.
 */
#ifndef MAIN_BENCH_H
#define MAIN_BENCH_H

#include "main/bench_tally.h"
#include "main/command.h"
#include "main/endpoints.h"

enum bench_phase {
    BENCH_FILL,   /* each key once */
    BENCH_SETTLE, /* one linearizable get a connection: its node has all that was filled in */
    BENCH_PUT,    /* keys by chance, for a time; as the next two */
    BENCH_GET,
    BENCH_MIXED,  /* nine gets to a put, as in docs/performance.md */
    BENCH_REMOVE, /* what may be there of the keys */
};

enum bench_operation {
    BENCH_OPERATION_PUT,
    BENCH_OPERATION_GET,
    BENCH_OPERATION_DELETE,
};

#define BENCH_OPERATION_COUNT 3u

struct bench_settings {
    uint64_t connections;
    uint64_t duration_ms;
    uint64_t timeout_ms;
    uint64_t keys;
    uint64_t value_bytes;
    const char *prefix;
    bool is_stale; /* gets */
};

/* Of one phase; it may be read while that runs. */
struct bench_result {
    enum bench_phase phase;
    uint64_t begin_ns;
    uint64_t end_ns;    /* of its last answer so far */
    double cpu_seconds; /* that this process took; once it is over */
    struct bench_tally tallies[BENCH_OPERATION_COUNT];
};

/* Whether it is put, get or mixed. */
bool main_bench_is_over_time(enum bench_phase phase);

struct bench;

/* Draws the prefix, and opens no connection yet. Borrows `endpoints`; copies `settings`, whose
 * values are in range. Turns the loop of `env` (env/uv.h) while it runs. Caller closes. */
struct bench *main_bench_open(struct env *env, const struct endpoints *endpoints,
                              const struct bench_settings *settings);
/* Breaks off what is on its way. NULL: no-op. */
void main_bench_close(struct bench *bench);
/*
 * Runs a phase to its end; fills `result`. EXIT_OK, also when requests over time have failed; or,
 * of another phase, how the first has failed for good, with a note.
 */
enum exit_status main_bench_run(struct bench *bench, enum bench_phase phase,
                                struct bench_result *result, struct err_note *note);
/* The phase that runs begins nothing more. For a signal's handler on the loop. */
void main_bench_stop(struct bench *bench);
/* What the keys begin with; as long as it is open. */
struct slice main_bench_prefix(const struct bench *bench);
/* How many keys may be there. */
uint64_t main_bench_keys_left(const struct bench *bench);
/* How many requests succeeded, and how many attempts failed. */
uint64_t main_bench_good(const struct bench_result *result);
uint64_t main_bench_failed(const struct bench_result *result);
/* "put"; of an operation too. Static storage. */
const char *main_bench_phase_name(enum bench_phase phase);
const char *main_bench_operation_name(enum bench_operation operation);

#endif
