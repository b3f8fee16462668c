/*
 * The simulated environment of one life of a node, behind env/env.h. Files: env_file.c and
 * lmdb_calls.c; streams: network.c.
 *
 * E1  Events of a life run in turns: those that come in within the plan's turn_ns, then the hooks.
 * E2  A worker's job runs in one piece, after about as long as a write and a sync take: until then
 *     a crash finds nothing of it on the disk, and what is promised too early is lost. What its
 *     file calls take beyond that is added up and is when `done` comes. Nobody else can tell, since
 *     a job touches only what it owns; crashes inside of it are crashes between effects (E3).
 * E3  Every call that changes something outside of memory (a write, a sync, a rename, a frame) is
 *     an effect. A crash can come before any one of them.
 */
#ifndef SIM_NODE_ENV_H
#define SIM_NODE_ENV_H

#include <setjmp.h>

#include "env/env.h"
#include "sim/host.h"

struct env {
    struct host *host;
    struct sim *sim;
    bool is_dead;
    struct prng chance; /* env_random */
    struct prng timing; /* how long things take */
    struct list turns;  /* struct env_turn */
    struct world_event wake;
    uint64_t held_until_ns; /* busy, or stopped by SIGSTOP: nothing runs before */
    bool is_in_job;
    uint64_t spent_ns;            /* what the file calls of this job (or of start-up) have taken */
    uint64_t effects_until_crash; /* 0: none is planned */
    jmp_buf escape;               /* H2 */
};

/* A new life on `host`. Never freed (H1). */
struct env *env_sim_new(struct host *host);

/* Runs `code`; how it ended. Not nested. */
enum env_end env_sim_call(struct env *env, void (*code)(void *ctx), void *ctx);
/* The life whose code is running, or NULL. */
struct env *env_sim_running(void);

/* Runs the turn that begins with `event`, which has just been taken from the queue. */
enum env_end env_sim_turn(struct env *env, struct world_event *event);

/* Schedules an event of this life: at the turn that `at_ns` falls into (E1). */
void env_sim_schedule(struct env *env, struct world_event *event, uint64_t at_ns);

/* E3: about to change the world. Does not return if the crash is now. */
void env_sim_effect(struct env *env);
/* Time passes for whoever called: a job, or start-up. */
void env_sim_spend(struct env *env, uint64_t ns);
/* What a file call takes on this host's disk now. */
uint64_t env_sim_write_ns(struct env *env, size_t size);
uint64_t env_sim_sync_ns(struct env *env);
/* Whether the disk refuses to let the file grow up to `end`. */
bool env_sim_is_full(struct env *env, const struct inode *inode, uint64_t end);
/* Whether this sync is the one that fails. */
bool env_sim_sync_fails(struct env *env);

#endif
