/* pontoon-sim: simulated clusters from seeds, each in a process of its own, several at a time. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/sim.h"

/* NOLINTBEGIN(concurrency-mt-unsafe): one thread, and children that are forked */

#define JOBS_MAX 256
#define CLEAR_BLOCK_SIZE (256 << 10)
/* A seed that takes longer in real time hangs. */
#define SEED_SECONDS_MAX 600u

struct options {
    uint64_t seed;
    bool has_seed;
    uint64_t count;   /* seeds; 0: until `hours` are full */
    double hours;     /* of cluster time; 0: `count` alone */
    uint64_t seconds; /* of each seed, at most, before its end; 0: as it draws */
    uint32_t jobs;
    enum plan_profile profile;
    bool is_traced;
    bool is_verified; /* each seed twice */
    bool prints_hashes;
    bool wants_all_faults;
    bool is_quiet;
};

/* A seed at work. */
struct job {
    pid_t process; /* 0: idle */
    uint64_t seed;
    bool is_second; /* of --verify */
    uint64_t first_hash;
    FILE *out;
};

struct campaign {
    struct options options;
    struct sim_result *results; /* shared with the children, one a job */
    struct job jobs[JOBS_MAX];
    uint64_t next_seed;
    uint64_t started;
    uint64_t finished;
    uint64_t failed;
    uint64_t simulated_ns;
    uint64_t operations;
    uint64_t counts[SIM_COUNT_COUNT];
    struct timespec begin;
};

static const char help[] =
    "pontoon-sim: whole clusters over a simulated clock, network and disk\n"
    "\n"
    "  pontoon-sim --seed N              one seed, as often as you like the same\n"
    "  pontoon-sim --hours H             new seeds until they sum to H hours of a cluster's time\n"
    "  pontoon-sim --seed N --count C    the seeds from N on\n"
    "\n"
    "  --jobs J        so many at a time (default: as many as there are processors)\n"
    "  --profile P     swarm (default), quiet, crash, network, disk, membership\n"
    "  --seconds S     at most so many simulated seconds of faults a seed (default: as it draws)\n"
    "  --trace         print every event; with --seed\n"
    "  --verify        run each seed twice and compare the traces\n"
    "  --hashes        print each seed's trace hash\n"
    "  --all-faults    fail if some kind of fault never happened\n"
    "  --quiet         no table of what happened\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all held, 1 a seed failed, 2 wrong usage. A failing seed prints the line that\n"
    "shows it again, the invariant that broke first and each node's last events.\n";

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* ---- one seed, in a child ---- */

/* Another heap than the first time, at other addresses and with other bytes in what nobody has
 * written yet: a child is a copy of this process, and would not show what depends on them. */
static void disturb_heap(void)
{
    (void)mallopt(M_PERTURB, 0xA5);
    for (size_t i = 0; i < 64; i++) {
        (void)memset(mem_alloc(24 + 56 * i), 0x5A, 24);
    }
}

static struct sim_options options_of(const struct campaign *campaign, const struct job *job)
{
    return (struct sim_options){
        .seed = job->seed,
        .profile = campaign->options.profile,
        .simulated_ns_max = campaign->options.seconds * SIM_SECOND,
        .is_traced = campaign->options.is_traced,
        .out = job->out,
    };
}

static _Noreturn void run_child(const struct campaign *campaign, const struct job *job,
                                struct sim_result *result)
{
    /* What a dead node held is never given back (host.h, H1): a limit instead of a leak check. */
    struct sim_options options = options_of(campaign, job);
    if (job->is_second) {
        disturb_heap();
    }
    /* LMDB clears two megabytes whenever it opens: let the kernel have them clear already. */
    (void)mallopt(M_MMAP_THRESHOLD, CLEAR_BLOCK_SIZE);
    (void)alarm(SEED_SECONDS_MAX);
    sim_run(&options, result);
    (void)fflush(NULL);
    _exit(EXIT_SUCCESS);
}

static void start_job(struct campaign *campaign, struct job *job, uint64_t seed)
{
    size_t number = (size_t)(job - campaign->jobs);
    job->seed = seed;
    rewind(job->out);
    if (ftruncate(fileno(job->out), 0) != 0) {
        perror("pontoon-sim: a temporary file");
        exit(EXIT_FAILURE);
    }
    (void)fflush(NULL);
    job->process = fork();
    if (job->process < 0) {
        perror("pontoon-sim: fork");
        exit(EXIT_FAILURE);
    }
    if (job->process == 0) {
        run_child(campaign, job, &campaign->results[number]);
    }
}

/* ---- the campaign ---- */

static void print_out(FILE *out)
{
    char line[4096];
    rewind(out);
    while (fgets(line, sizeof(line), out) != NULL) {
        (void)fputs(line, stdout);
    }
}

static void job_failed(struct campaign *campaign, struct job *job, int status)
{
    campaign->failed++;
    print_out(job->out);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != SIM_FAILED_STATUS) {
        struct sim_options options = options_of(campaign, job);
        sim_tell_seed(stdout, &options, false);
        if (WIFSIGNALED(status)) {
            (void)printf("the simulator died of signal %d%s\n", WTERMSIG(status),
                         WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
        }
    }
    (void)fflush(stdout);
}

static void job_passed(struct campaign *campaign, struct job *job, const struct sim_result *result)
{
    campaign->simulated_ns += result->simulated_ns;
    campaign->operations += result->operations;
    for (size_t i = 0; i < SIM_COUNT_COUNT; i++) {
        campaign->counts[i] += result->counts[i];
    }
    if (campaign->options.prints_hashes) {
        (void)printf("seed %" PRIu64 " hash %016" PRIx64 "\n", job->seed, result->trace_hash);
    }
}

/* Whether the same seed has to be run once more. */
static bool verify(struct campaign *campaign, struct job *job, const struct sim_result *result)
{
    if (!campaign->options.is_verified) {
        return false;
    }
    if (!job->is_second) {
        job->is_second = true;
        job->first_hash = result->trace_hash;
        return true;
    }
    job->is_second = false;
    if (job->first_hash != result->trace_hash) {
        campaign->failed++;
        struct sim_options options = options_of(campaign, job);
        sim_tell_seed(stdout, &options, true);
        (void)printf("the same seed twice, and not the same trace: %016" PRIx64 ", %016" PRIx64
                     "\n",
                     job->first_hash, result->trace_hash);
    }
    return false;
}

static bool wants_more(const struct campaign *campaign)
{
    const struct options *options = &campaign->options;
    if (campaign->failed > 0) {
        return false;
    }
    if (options->count > 0 && campaign->started >= options->count) {
        return false;
    }
    return options->hours <= 0 || (double)campaign->simulated_ns < options->hours * 3600e9;
}

static void reap(struct campaign *campaign)
{
    int status;
    pid_t process = waitpid(-1, &status, 0);
    if (process < 0) {
        return;
    }
    for (uint32_t i = 0; i < campaign->options.jobs; i++) {
        struct job *job = &campaign->jobs[i];
        if (job->process != process) {
            continue;
        }
        const struct sim_result *result = &campaign->results[i];
        job->process = 0;
        bool is_again = false;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
            job_failed(campaign, job, status);
        } else {
            is_again = verify(campaign, job, result);
            if (!is_again) {
                job_passed(campaign, job, result);
            }
        }
        if (is_again) {
            start_job(campaign, job, job->seed);
        } else {
            campaign->finished++;
        }
    }
}

static void open_jobs(struct campaign *campaign)
{
    for (uint32_t i = 0; i < campaign->options.jobs; i++) {
        campaign->jobs[i].out = tmpfile();
        if (campaign->jobs[i].out == NULL) {
            perror("pontoon-sim: a temporary file");
            exit(EXIT_FAILURE);
        }
    }
}

static void close_jobs(struct campaign *campaign)
{
    for (uint32_t i = 0; i < campaign->options.jobs; i++) {
        (void)fclose(campaign->jobs[i].out);
    }
}

static void run_campaign(struct campaign *campaign)
{
    uint32_t busy = 0;
    open_jobs(campaign);
    do {
        busy = 0;
        for (uint32_t i = 0; i < campaign->options.jobs; i++) {
            struct job *job = &campaign->jobs[i];
            if (job->process == 0 && wants_more(campaign)) {
                start_job(campaign, job, campaign->next_seed++);
                campaign->started++;
            }
            busy += job->process != 0 ? 1 : 0;
        }
        if (busy > 0) {
            reap(campaign);
        }
    } while (busy > 0);
    close_jobs(campaign);
}

/* ---- the report ---- */

static bool is_missing(const struct campaign *campaign, size_t count)
{
    return count < SIM_FAULTS_END && campaign->counts[count] == 0;
}

static void print_counts(const struct campaign *campaign)
{
    for (size_t i = 0; i < SIM_COUNT_COUNT; i++) {
        uint64_t count = campaign->counts[i];
        (void)printf("  %-44s %12" PRIu64 "%s\n", sim_count_text((enum sim_count)i), count,
                     is_missing(campaign, i) ? "  (never)" : "");
    }
}

/* At the end, where whoever reads the last lines of a long log sees it. */
static bool demand_all_faults(const struct campaign *campaign)
{
    bool is_complete = true;
    for (size_t i = 0; i < SIM_FAULTS_END; i++) {
        if (is_missing(campaign, i)) {
            (void)printf("a kind of fault that never happened: %s\n",
                         sim_count_text((enum sim_count)i));
            is_complete = false;
        }
    }
    return is_complete;
}

static int report(const struct campaign *campaign)
{
    double seconds = seconds_since(&campaign->begin);
    double hours = (double)campaign->simulated_ns / 3600e9;
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (!campaign->options.is_quiet) {
        print_counts(campaign);
    }
    (void)printf("%" PRIu64 " seeds from %" PRIu64 " on, %.2f cluster-hours in %.1f s: %.0f times "
                 "real time, %.0f a core; %" PRIu64 " operations checked\n",
                 campaign->finished, campaign->next_seed - campaign->started, hours, seconds,
                 hours * 3600 / seconds, cpu > 0 ? hours * 3600 / cpu : 0, campaign->operations);
    bool is_complete = !campaign->options.wants_all_faults || demand_all_faults(campaign);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", campaign->finished - campaign->failed,
                 campaign->failed);
    return campaign->failed > 0 || !is_complete ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the command line ---- */

static _Noreturn void usage(const char *problem, const char *what)
{
    (void)fprintf(stderr, "pontoon-sim: %s%s\n%s", problem, what, help);
    exit(2);
}

static uint64_t parse_number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        usage("not a number: ", text);
    }
    return number;
}

static double parse_hours(const char *text)
{
    char *end;
    double hours = strtod(text, &end);
    if (end == text || *end != '\0' || !(hours > 0)) {
        usage("not a number of hours: ", text);
    }
    return hours;
}

static void parse_option(struct options *options, int letter)
{
    switch (letter) {
    case 's':
        options->seed = parse_number(optarg);
        options->has_seed = true;
        break;
    case 'c':
        options->count = parse_number(optarg);
        break;
    case 'h':
        options->hours = parse_hours(optarg);
        break;
    case 'l':
        options->seconds = parse_number(optarg);
        break;
    case 'j':
        options->jobs = (uint32_t)parse_number(optarg);
        break;
    case 'p':
        if (!plan_profile_find(optarg, &options->profile)) {
            usage("no such profile: ", optarg);
        }
        break;
    case 't':
        options->is_traced = true;
        break;
    case 'v':
        options->is_verified = true;
        break;
    case 'x':
        options->prints_hashes = true;
        break;
    case 'a':
        options->wants_all_faults = true;
        break;
    case 'q':
        options->is_quiet = true;
        break;
    case '?':
        (void)fputs(help, stdout);
        exit(EXIT_SUCCESS);
    default:
        usage("", "what is meant?");
    }
}

static void parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"hours", required_argument, NULL, 'h'},
        {"jobs", required_argument, NULL, 'j'},
        {"profile", required_argument, NULL, 'p'},
        {"trace", no_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 'l'},
        {"verify", no_argument, NULL, 'v'},
        {"hashes", no_argument, NULL, 'x'},
        {"all-faults", no_argument, NULL, 'a'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, '?'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    int letter;
    int index = 0;
    while ((letter = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (letter == '?' && (optopt != 0 || strcmp(argv[optind - 1], "--help") != 0)) {
            usage("unknown or incomplete: ", argv[optind - 1]);
        }
        parse_option(options, letter);
    }
    if (optind < argc) {
        usage("what is this: ", argv[optind]);
    }
    if (options->jobs == 0) {
        options->jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    }
    if (options->jobs > JOBS_MAX) {
        options->jobs = JOBS_MAX;
    }
    if (options->hours <= 0 && options->count == 0) {
        options->count = 1;
    }
    if (!options->has_seed) {
        uint32_t seed = 0;
        (void)!getrandom(&seed, sizeof(seed), 0);
        options->seed = seed;
    }
}

int main(int argc, char **argv)
{
    static struct campaign campaign; /* large, and zero */
    parse(&campaign.options, argc, argv);
    size_t size = campaign.options.jobs * sizeof(*campaign.results);
    campaign.results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (campaign.results == MAP_FAILED) {
        perror("pontoon-sim: shared memory");
        return EXIT_FAILURE;
    }
    campaign.next_seed = campaign.options.seed;
    (void)clock_gettime(CLOCK_MONOTONIC, &campaign.begin);
    run_campaign(&campaign);
    return report(&campaign);
}

/* NOLINTEND(concurrency-mt-unsafe) */
