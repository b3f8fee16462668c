/* A broken invariant, told so that a person can begin with it. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "node/node_int.h"
#include "sim/checker.h"
#include "sim/clients.h"
#include "sim/sim.h"

/* Of each node's events, and of the world's. */
#define TOLD_LINES 25u

static void tell_line(void *ctx, const struct trace_line *line)
{
    struct sim *sim = ctx;
    if (strncmp(line->what, "MsgHeartbeat", 12) == 0) {
        return; /* there are many, and they tell little */
    }
    (void)fprintf(sim->out, "    %12.6f s  %s %" PRIu64 " %" PRIu64 "\n", (double)line->at_ns / 1e9,
                  line->what, line->a, line->b);
}

static const char *state_text(const struct host *host)
{
    static const char *const texts[] = {
        [HOST_DOWN] = "down",
        [HOST_RUNNING] = "up",
        [HOST_REFUSES] = "refuses to start",
        [HOST_GONE] = "gone for good",
    };
    return texts[host->state];
}

static void tell_members(struct sim *sim, const struct raft *raft)
{
    static const char *const states[] = {"probe", "replicate", "snapshot"};
    struct raft_status status;
    raft_status(raft, &status);
    (void)fprintf(sim->out, "    log from %" PRIu64 " to %" PRIu64 ", committed %" PRIu64 "\n",
                  status.first_index, status.last_index, status.hard_state.commit);
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct raft_member_status *member = &status.members[i];
        (void)fprintf(sim->out,
                      "    of %" PRIu64 ": %s%s, match %" PRIu64 ", next %" PRIu64
                      ", %u under way%s%s\n",
                      member->id, member->is_learner ? "learner, " : "", states[member->state],
                      member->match, member->next, member->inflight_count,
                      member->is_paused ? ", paused" : "", member->recent_active ? "" : ", silent");
    }
}

static void tell_ids(FILE *out, const char *what, const struct id_set *ids)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        (void)fprintf(out, "%s %" PRIu64, i == 0 ? what : "", ids->ids[i]);
    }
}

/* A cluster that cannot agree is understood by who thinks that who votes. */
static void tell_configuration(struct sim *sim, const struct replica *replica)
{
    const struct conf_state *conf = &replica->membership.conf;
    (void)fprintf(sim->out, "    as applied:");
    tell_ids(sim->out, " voters", &conf->voters);
    tell_ids(sim->out, "; outgoing", &conf->voters_outgoing);
    tell_ids(sim->out, "; learners", &conf->learners);
    tell_ids(sim->out, "; learners next", &conf->learners_next);
    (void)fprintf(sim->out, "\n");
}

static void tell_host(struct sim *sim, const struct host *host)
{
    (void)fprintf(sim->out, "  node %u: %s, life %" PRIu64, host->number, state_text(host),
                  host->lives);
    const struct replica *replica = host_replica(host);
    if (replica != NULL) {
        static const char *const roles[] = {"follower", "pre-candidate", "candidate", "leader"};
        (void)fprintf(sim->out, ", %s of term %" PRIu64 ", applied %" PRIu64 ", leader %" PRIu64,
                      roles[replica->role], replica->term, replica->applied, replica->leader);
    }
    (void)fprintf(sim->out, "\n");
    if (replica != NULL && replica->raft != NULL) {
        tell_configuration(sim, replica);
        tell_members(sim, replica->raft);
    }
    if (host->last_words[0] != '\0') {
        (void)fprintf(sim->out, "    last words: %s\n", host->last_words);
    }
    world_trace_last(sim->world, host->number, TOLD_LINES, tell_line, sim);
    uint64_t begin =
        host->log_line_count > HOST_LOG_LINES ? host->log_line_count - HOST_LOG_LINES : 0;
    for (uint64_t i = begin; i < host->log_line_count; i++) {
        (void)fprintf(sim->out, "    log: %s\n", host->log_lines[i % HOST_LOG_LINES]);
    }
}

void sim_tell_seed(FILE *out, const struct sim_options *options, bool is_verified)
{
    (void)fprintf(out, "FAILED: build/pontoon-sim --seed %" PRIu64 " --profile %s", options->seed,
                  plan_profile_name(options->profile));
    if (options->simulated_ns_max > 0) { /* another length is another run */
        (void)fprintf(out, " --seconds %" PRIu64, options->simulated_ns_max / SIM_SECOND);
    }
    (void)fprintf(out, "%s  # commit %s\n", is_verified ? " --verify" : "", sim_commit);
}

static void tell_this_seed(struct sim *sim)
{
    const struct sim_options options = {
        .seed = world_seed(sim->world),
        .profile = sim->plan.profile,
        .simulated_ns_max = sim->simulated_ns_max,
    };
    sim_tell_seed(sim->out, &options, false);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    tell_this_seed(sim);
    (void)fprintf(sim->out, "broken at %.6f s: ", (double)world_now_ns(sim->world) / 1e9);
    va_list args;
    va_start(args, format);
    (void)vfprintf(sim->out, format, args);
    va_end(args);
    (void)fprintf(sim->out,
                  "\nthe last events of each node (numbers: index and term, or as named)\n");
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        tell_host(sim, sim->hosts[i]);
    }
    (void)fprintf(sim->out, "  operations under way: %" PRIu64 "\n", clients_pending(sim->clients));
    clients_tell(sim->clients, sim->out);
    (void)fprintf(sim->out, "  the world\n");
    world_trace_last(sim->world, 0, TOLD_LINES, tell_line, sim);
    (void)fflush(NULL);
    _exit(SIM_FAILED_STATUS);
}
