/*
 * What the tests of the simulator's parts share: a small simulation without nodes, a loop that runs
 * its events as sim.c does, and a way to see a simulation fail.
 */
#ifndef SIM_TESTING_H
#define SIM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sim/admin.h"
#include "sim/checker.h"
#include "sim/clients.h"
#include "sim/faults.h"
#include "sim/network.h"
#include "sim/node_env.h"

#define TURN_NS 1000u
#define LATENCY_NS 100000u

/* No faults, no clients, one way of `LATENCY_NS` whatever happens; `host_count` hosts, down. */
static inline struct sim *testing_sim(uint32_t host_count)
{
    struct sim *sim = mem_calloc(1, sizeof(*sim));
    sim->out = stderr;
    sim->world = world_new(1);
    sim->plan = (struct plan){
        .founder_count = host_count,
        .turn_ns = TURN_NS,
        .latency_ns = LATENCY_NS,
        .delay_ns_max = SIM_MS,
        .write_ns = 1000,
        .sync_ns = 100000,
        .wall_skew_ms_max = 1,
        .fault_gap_ns = SIM_SECOND,
        .fault_length_ns = SIM_SECOND,
        .down_ns = SIM_SECOND,
        .think_ns = SIM_SECOND,
        .key_count = 8,
        .timeout_ms = 1000,
        .value_size_max = 100,
        .burst = 1,
    };
    sim->network = network_new(sim);
    sim->checker = checker_new(sim);
    sim->faults = faults_new(sim);
    sim->admin = admin_new(sim);
    sim->clients = clients_new(sim);
    for (uint32_t i = 1; i <= host_count; i++) {
        (void)host_new(sim, i);
    }
    return sim;
}

/* A life without a node: what the test runs by env_sim_call is its code. */
static inline struct env *testing_life(struct sim *sim, uint32_t number)
{
    struct host *host = sim->hosts[number];
    host->env = env_sim_new(host);
    host->state = HOST_RUNNING;
    host->lives++;
    return host->env;
}

/* Runs what is due until `until_ns`, as sim.c does. */
static inline void testing_run(struct sim *sim, uint64_t until_ns)
{
    for (struct world_event *event = world_peek(sim->world);
         event != NULL && event->at_ns <= until_ns; event = world_peek(sim->world)) {
        struct env *env = world_pop(sim->world)->env;
        if (env == NULL) {
            event->run(event);
        } else if (env->is_dead) {
            if (event->drop != NULL) {
                event->drop(event);
            }
        } else if (world_now_ns(sim->world) < env->held_until_ns) {
            world_schedule(sim->world, event, env->held_until_ns);
        } else {
            (void)env_sim_turn(env, event);
        }
    }
}

static inline void testing_nothing(struct world_event *event)
{
    (void)event;
}

/* ... and lets that much time pass, also if nothing is due. */
static inline void testing_run_for(struct sim *sim, uint64_t length_ns)
{
    uint64_t until_ns = world_now_ns(sim->world) + length_ns;
    struct world_event end = {.run = testing_nothing};
    world_schedule(sim->world, &end, until_ns);
    testing_run(sim, until_ns);
}

/* Runs `code` in a child, whose simulation has to end by sim_fail with `text` in what it tells. */
static inline void assert_fails(struct sim *sim, void (*code)(struct sim *sim), const char *text)
{
    int ends[2];
    char told[65536];
    size_t size = 0;
    int status = 0;
    (void)fflush(NULL);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        sim->out = fdopen(ends[1], "w");
        code(sim);
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t count = 1; count > 0 && size < sizeof(told) - 1; size += (size_t)count) {
        count = read(ends[0], told + size, sizeof(told) - 1 - size);
        assert_true(count >= 0);
    }
    told[size] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SIM_FAILED_STATUS);
    if (strstr(told, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, told);
    }
    assert_non_null(strstr(told, "FAILED: build/pontoon-sim --seed 1 --profile"));
    assert_non_null(strstr(told, sim_commit));
}

/* Instead of returning from main: what a simulation holds is never given back (host.h, H1), so its
 * leaks say nothing. */
static inline _Noreturn void testing_exit(int failed)
{
    (void)fflush(NULL);
    _exit(failed);
}

#endif
