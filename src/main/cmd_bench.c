/* pontoon bench: what a running cluster does a second, and how long each request takes. */
#include <inttypes.h>
#include <json-c/json_object.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/document.h"
#include "api/text.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/uv.h"
#include "main/bench.h"
#include "main/bench_progress.h"
#include "main/bench_report.h"
#include "main/bench_work.h"
#include "main/client.h"
#include "main/client_text.h"
#include "main/process.h"

#define CONNECTIONS_MAX 4096u
#define KEYS_MAX 10000000u
#define DURATION_MS_MIN 100u
#define DURATION_MS_MAX (UINT64_C(24) * 3600 * 1000)
#define IN_FLIGHT_MAX (UINT64_C(1) << 30) /* bytes of values: they are in memory */
#define FILES_BESIDES 64u                 /* open ones that are no connection */
#define SECOND_MS 1000u

static const char text[] =
    "pontoon bench measures a running cluster: requests a second, and how long each takes.\n"
    "\n"
    "  pontoon bench http://127.0.0.1:3000\n"
    "  pontoon bench 10.0.0.1:3000,10.0.0.2:3000 --duration 30s --connections 256\n"
    "  pontoon bench --operation get --consistency stale -o json\n"
    "\n"
    "It fills in --keys keys first and removes them at the end, also after Ctrl-C (a second one\n"
    "ends it at once). They are under a prefix that each run makes anew, so that no other key is\n"
    "touched. --operation all is three loads, one after the other: puts, gets, and mixed, nine\n"
    "gets to a put, each for --duration. It is load on the cluster: others that use it will\n"
    "notice.\n"
    "\n"
    "What the numbers are:\n"
    "  requests   that succeeded: their status was right, and a get found a value of its key\n"
    "  s, /s      from the beginning to the last answer; requests by that\n"
    "  MB/s       of values alone, in millions of bytes\n"
    "  min … max  a request's time, from before it is sent until all of its answer is there, of\n"
    "             those that succeeded; quantiles are at most 0.4 % beside the true ones. Each\n"
    "             connection has one request at a time and sends the next when it is answered: a\n"
    "             server that halts delays what would have come meanwhile, and that does not show\n"
    "  <= T ms    the share that took no longer, but longer than the row above says\n"
    "  failed     attempts that did not succeed, by status, or why there was no answer. The\n"
    "             connection then rests as long as Retry-After says, or else 20 ms to a second;\n"
    "             what may be repeated is. Not among the requests, nor in their times\n"
    "\n"
    "It has one thread, which takes about 17 us of a core for a request of 256 bytes: above some\n"
    "50000 a second it measures itself. It says so when it took 90 % of a core or more. On the\n"
    "servers' own machine it takes that from them.\n"
    "\n"
    "Status 0: all that was measured succeeded; 1: some failed; 5: the keys could not be filled\n"
    "in, or removed. After Ctrl-C it ends by that signal.\n";

enum choice {
    CHOICE_ALL,
    CHOICE_PUT,
    CHOICE_GET,
    CHOICE_MIXED,
};

struct settings {
    struct bench_settings bench;
    uint64_t operation; /* enum choice */
    uint64_t consistency;
    bool keeps;
};

static const char *const operations[] = {"all", "put", "get", "mixed", NULL};
static const char *const consistencies[] = {"linearizable", "stale", NULL};

static const struct flag bench_flags[] = {
    {"connections", 'c', FLAG_U64, offsetof(struct settings, bench.connections), NULL, "N",
     "with one request at a time each (64)"},
    {"duration", 'd', FLAG_DURATION, offsetof(struct settings, bench.duration_ms), NULL, "TIME",
     "of each load (10s)"},
    {"operation", 0, FLAG_CHOICE, offsetof(struct settings, operation), operations,
     "all|put|get|mixed", "what is measured (all)"},
    {"value-bytes", 0, FLAG_SIZE, offsetof(struct settings, bench.value_bytes), NULL, "SIZE",
     "of each value (256)"},
    {"keys", 0, FLAG_U64, offsetof(struct settings, bench.keys), NULL, "N",
     "of which each request draws one (10000)"},
    {"prefix", 0, FLAG_TEXT, offsetof(struct settings, bench.prefix), NULL, "P",
     "what their prefix begins with (pontoon-bench/)"},
    {"consistency", 0, FLAG_CHOICE, offsetof(struct settings, consistency), consistencies,
     "linearizable|stale", "of gets (linearizable)"},
    {"keep", 0, FLAG_SWITCH, offsetof(struct settings, keeps), NULL, NULL, "leave the keys there"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_bench = {
    .synopsis = "[ENDPOINTS]",
    .text = text,
    .flags = bench_flags,
    .timeout_ms = CLIENT_TIMEOUT_MS,
};

/* ---- a run ---- */

struct run {
    struct env *env;
    const struct client_settings *client_settings;
    const struct settings *settings;
    struct endpoints endpoints;
    struct bench *bench;
    struct bench_result *result; /* of the phase that runs, or ran last */
    struct bench_progress progress;
    struct env_timer second;
    struct json_object *phases; /* that are over */
    uint64_t failed;            /* of what was measured */
    int signal;                 /* that came; 0: none */
};

static bool wants_json(const struct run *run)
{
    return run->client_settings->output == CLIENT_OUTPUT_JSON;
}

/* As other commands do: the shell sees that it was interrupted. */
static void end_by(int number)
{
    (void)fflush(stdout);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void on_signal(void *ctx, int number)
{
    struct run *run = ctx;
    if (run->signal != 0) {
        end_by(number);
    }
    run->signal = number;
    main_bench_progress_clear(&run->progress);
    (void)fprintf(stderr, "pontoon: interrupted%s\n",
                  run->settings->keeps ? "" : "; the keys are removed, once more ends it at once");
    if (run->result->phase != BENCH_REMOVE) {
        main_bench_stop(run->bench);
    }
}

static void on_second(struct env_timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, second);
    main_bench_progress_tick(&run->progress, run->result);
}

static void report(struct run *run)
{
    bool is_measured = main_bench_is_over_time(run->result->phase);
    uint64_t failed = main_bench_failed(run->result);
    run->failed += is_measured ? failed : 0;
    (void)json_object_array_add(run->phases, main_bench_report_json(run->result));
    if (!wants_json(run) && (is_measured || failed > 0)) {
        struct writer lines = {0};
        main_bench_report_text(run->result, &lines);
        (void)fwrite(lines.data, 1, lines.size, stdout);
        (void)fflush(stdout);
        writer_deinit(&lines);
    }
}

static enum exit_status run_phase(struct run *run, enum bench_phase phase, struct err_note *note)
{
    main_bench_progress_begin(&run->progress);
    env_timer_start(&run->second, SECOND_MS, SECOND_MS);
    enum exit_status status = main_bench_run(run->bench, phase, run->result, note);
    env_timer_stop(&run->second);
    main_bench_progress_clear(&run->progress);
    report(run);
    if (status != EXIT_OK) {
        (void)err_note_wrap(note, ERR_UNAVAILABLE, "%s", main_bench_phase_name(phase));
    }
    return status;
}

static enum exit_status measure(struct run *run, struct err_note *note)
{
    static const enum bench_phase all[] = {BENCH_PUT, BENCH_GET, BENCH_MIXED};
    enum exit_status status = run_phase(run, BENCH_FILL, note);
    /* Or a node that lags would rightly say of a key that it is not there. */
    if (status == EXIT_OK && run->signal == 0 && run->settings->bench.is_stale) {
        status = run_phase(run, BENCH_SETTLE, note);
    }
    for (size_t i = 0; i < ARRAY_COUNT(all) && status == EXIT_OK && run->signal == 0; i++) {
        bool is_wanted =
            run->settings->operation == CHOICE_ALL || run->settings->operation == i + CHOICE_PUT;
        status = is_wanted ? run_phase(run, all[i], note) : EXIT_OK;
    }
    return status;
}

/* Takes away what may be there, or says where it is. */
static enum exit_status clean_up(struct run *run, struct err_note *note)
{
    enum exit_status status = EXIT_OK;
    if (!run->settings->keeps && main_bench_keys_left(run->bench) > 0) {
        status = run_phase(run, BENCH_REMOVE, note);
    }
    uint64_t left = main_bench_keys_left(run->bench);
    if (left > 0) {
        (void)fprintf(stderr, "pontoon: up to %" PRIu64 " keys are left under \"%.*s\"\n", left,
                      SLICE_ARGS(main_bench_prefix(run->bench)));
    }
    return status;
}

/* ---- before and after ---- */

/* Whether anybody is there, and who. */
static enum exit_status ask_version(struct client *client, char version[64], struct err_note *note)
{
    const struct client_request request = {.method = "GET", .path = "/version"};
    enum exit_status status = main_client_ask(client, &request, note);
    if (status != EXIT_OK) {
        return status;
    }
    struct json_object *document = main_client_json(client, note);
    if (document == NULL) {
        return EXIT_FAILED;
    }
    struct json_object *value = json_object_object_get(document, "version");
    const char *told = value == NULL ? "?" : json_object_get_string(value);
    (void)snprintf(version, 64, "%s", told);
    (void)json_object_put(document);
    return EXIT_OK;
}

static void print_head(const struct run *run, const char *version)
{
    const struct bench_settings *bench = &run->settings->bench;
    for (size_t i = 0; i < run->endpoints.count; i++) {
        (void)printf("%s%s", i == 0 ? "" : ", ", run->endpoints.addresses[i]);
    }
    (void)printf(" (pontoon %s): %" PRIu64 " connections, %" PRIu64 " keys, values of %" PRIu64
                 " bytes, %s gets\n",
                 version, bench->connections, bench->keys, bench->value_bytes,
                 consistencies[run->settings->consistency]);
    (void)fflush(stdout);
}

static void print_json(struct run *run, const char *version)
{
    const struct bench_settings *bench = &run->settings->bench;
    struct json_object *document = json_object_new_object();
    struct json_object *endpoints = json_object_new_array();
    for (size_t i = 0; i < run->endpoints.count; i++) {
        (void)json_object_array_add(endpoints, json_object_new_string(run->endpoints.addresses[i]));
    }
    struct slice prefix = main_bench_prefix(run->bench);
    api_document_add(document, "endpoints", endpoints);
    api_document_add_text(document, "version", version);
    api_document_add_u64(document, "connections", bench->connections);
    api_document_add_u64(document, "keys", bench->keys);
    api_document_add_u64(document, "value_bytes", bench->value_bytes);
    api_document_add_text(document, "consistency", consistencies[run->settings->consistency]);
    api_document_add(document, "prefix",
                     json_object_new_string_len((const char *)prefix.data, (int)prefix.size));
    api_document_add_u64(document, "keys_left", main_bench_keys_left(run->bench));
    api_document_add_bool(document, "is_interrupted", run->signal != 0);
    api_document_add(document, "phases", json_object_get(run->phases));
    (void)printf("%s\n", json_object_to_json_string_ext(
                             document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(document);
}

static enum exit_status run_all(struct run *run, const char *version, struct err_note *note)
{
    struct err_note note_of_end = {""};
    enum exit_status status = measure(run, note);
    enum exit_status status_of_end = clean_up(run, &note_of_end);
    if (wants_json(run)) {
        print_json(run, version);
    }
    if (status == EXIT_OK && run->failed > 0) {
        status = EXIT_FAILED;
        (void)err_note_set(note, ERR_UNAVAILABLE, "%" PRIu64 " requests failed", run->failed);
    }
    if (status_of_end != EXIT_OK) {
        if (status != EXIT_OK) {
            (void)main_command_complain("bench", note, status);
        }
        status = status_of_end;
        *note = note_of_end;
    }
    return status;
}

static enum exit_status start(struct run *run, struct client *client, struct err_note *note)
{
    const struct settings *settings = run->settings;
    char version[64];
    enum exit_status status = ask_version(client, version, note);
    if (status != EXIT_OK) {
        return status;
    }
    uint64_t files = settings->bench.connections + FILES_BESIDES;
    if (main_process_raise_files(files) < files) {
        (void)err_note_set(note, ERR_BAD_REQUEST,
                           "--connections: %" PRIu64 " need %" PRIu64 " open files (ulimit -n)",
                           settings->bench.connections, files);
        return EXIT_USAGE;
    }
    run->bench = main_bench_open(run->env, &run->endpoints, &settings->bench);
    run->result = mem_calloc(1, sizeof(*run->result));
    run->phases = json_object_new_array();
    env_timer_init(run->env, &run->second, on_second);
    env_uv_on_signal(run->env, SIGINT, on_signal, run);
    env_uv_on_signal(run->env, SIGTERM, on_signal, run);
    if (!wants_json(run)) {
        print_head(run, version);
    }
    status = run_all(run, version, note);
    env_timer_deinit(&run->second);
    (void)json_object_put(run->phases);
    main_bench_close(run->bench);
    mem_free(run->result);
    if (run->signal != 0) {
        if (status != EXIT_OK) {
            (void)main_command_complain("bench", note, status);
        }
        end_by(run->signal);
    }
    return status;
}

static enum exit_status run_bench(struct env *env, const struct client_settings *client_settings,
                                  const struct settings *settings, struct err_note *note)
{
    struct client *client = NULL;
    struct run run = {
        .env = env,
        .client_settings = client_settings,
        .settings = settings,
        .progress = {.out = stderr,
                     .is_terminal = isatty(STDERR_FILENO) == 1,
                     .keys = settings->bench.keys,
                     .duration_ms = settings->bench.duration_ms},
    };
    if (main_client_endpoints(client_settings, environ, &run.endpoints, note) != OK ||
        main_client_open(&client, client_settings, environ, note) != OK) {
        return EXIT_USAGE;
    }
    enum exit_status status = start(&run, client, note);
    main_client_close(client);
    return status;
}

/* ---- what is asked for ---- */

static err check(const struct settings *settings, const struct client_settings *client_settings,
                 struct err_note *note)
{
    const struct bench_settings *bench = &settings->bench;
    if (client_settings->show_curl) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "--show-curl: this is many requests; each is a PUT, GET or DELETE of "
                            "a key");
    }
    if (bench->connections == 0 || bench->connections > CONNECTIONS_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--connections is 1 to %u", CONNECTIONS_MAX);
    }
    if (bench->duration_ms < DURATION_MS_MIN || bench->duration_ms > DURATION_MS_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--duration is 100ms to 24h");
    }
    if (bench->keys == 0 || bench->keys > KEYS_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--keys is 1 to %u", KEYS_MAX);
    }
    if (bench->value_bytes > VALUE_SIZE_CEILING) {
        return err_note_set(note, ERR_BAD_REQUEST, "--value-bytes is at most 64MiB");
    }
    if (bench->value_bytes * bench->connections > IN_FLIGHT_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "--value-bytes times --connections is at most 1GiB: they are in "
                            "memory");
    }
    if (strlen(bench->prefix) > BENCH_PREFIX_SIZE_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--prefix has at most %u bytes",
                            BENCH_PREFIX_SIZE_MAX);
    }
    if (settings->operation == CHOICE_PUT && bench->is_stale) {
        return err_note_set(note, ERR_BAD_REQUEST, "--consistency is of gets, and there are none");
    }
    return OK;
}

/* "URL,..." is another way to say -e, as people try it first. */
static err take_urls(const struct flag_words *words, struct client_settings *client_settings,
                     struct err_note *note)
{
    if (words->count == 0) {
        return OK;
    }
    if (client_settings->endpoints != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "\"%s\" beside -e: nodes are named once, by URL,... or by -e",
                            words->items[0]);
    }
    client_settings->endpoints = words->items[0];
    return OK;
}

enum exit_status main_cmd_bench(struct env *env, int count, char *const *arguments)
{
    struct client_settings client_settings = CLIENT_SETTINGS_DEFAULT;
    struct settings settings = {.bench = {.connections = 64,
                                          .duration_ms = 10000,
                                          .keys = 10000,
                                          .value_bytes = 256,
                                          .prefix = "pontoon-bench/"}};
    const struct flag_group groups[] = {
        {bench_flags, &settings}, {main_client_flags, &client_settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        settings.bench.timeout_ms = client_settings.timeout_ms;
        settings.bench.is_stale = settings.consistency == 1;
        if (take_urls(&words, &client_settings, &note) == OK &&
            check(&settings, &client_settings, &note) == OK) {
            status = run_bench(env, &client_settings, &settings, &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("bench", &note, status);
}
