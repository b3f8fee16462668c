#include "main/client.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "api/params.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/mem.h"
#include "main/client_text.h"
#include "main/endpoints.h"

#define CONNECT_TIMEOUT_MS_MAX 3000u
#define POLL_MS 1000u
#define PAUSE_MS_MIN 100u
#define TIMEOUT_SHARE_OF_WAY 5u /* this part of an attempt's time is for the way there and back */
#define TIMEOUT_MS_MAX (UINT64_C(24) * 3600 * 1000)
#define ENVIRONMENT_NAME "PONTOON_ENDPOINTS="

/* Its row in the table below. */
#define TIMEOUT_NAME "timeout"
#define TIMEOUT_HELP "how long a node may take to answer"

static const char *const outputs[] = {"text", "json", "table", NULL};

const struct flag main_client_flags[] = {
    {"endpoints", 'e', FLAG_TEXT, offsetof(struct client_settings, endpoints), NULL, "A,B,C",
     "nodes to ask, the next if one cannot (" ENDPOINTS_DEFAULT ")"},
    {"output", 'o', FLAG_CHOICE, offsetof(struct client_settings, output), outputs,
     "text|json|table", "how the result is printed (text)"},
    {TIMEOUT_NAME, 0, FLAG_DURATION, offsetof(struct client_settings, timeout_ms), NULL, "TIME",
     TIMEOUT_HELP},
    {"show-curl", 0, FLAG_SWITCH, offsetof(struct client_settings, show_curl), NULL, NULL,
     "tell on standard error how curl would do it"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

void main_client_each_flag(uint64_t timeout_ms, void (*each)(void *ctx, const struct flag *flag),
                           void *ctx)
{
    char help[sizeof(TIMEOUT_HELP) + 32];
    ASSERT(timeout_ms % 1000 == 0);
    (void)snprintf(help, sizeof(help), TIMEOUT_HELP " (%" PRIu64 "s)", timeout_ms / 1000);
    for (const struct flag *row = main_client_flags; row->name != NULL; row++) {
        struct flag flag = *row;
        flag.help = strcmp(row->name, TIMEOUT_NAME) == 0 ? help : row->help;
        each(ctx, &flag);
    }
}

struct client {
    const struct client_settings *settings;
    struct endpoints endpoints;
    size_t first; /* Q3 */
    CURL *curl;
    CURLM *multi;
    const struct client_listener *listener; /* NULL: none */
    char curl_error[CURL_ERROR_SIZE];
    /* The request at work. */
    const struct client_request *request;
    bool is_handed_on; /* Q2 */
    bool is_too_large;
    bool is_stopped;   /* by `piece` or the listener */
    bool may_be_done;  /* an attempt that came to nothing may have done it */
    uint64_t spent_ms; /* on all attempts so far, and between them */
    uint64_t attempt_ms;
    uint64_t told_ms; /* what the node is told that it has */
    /* The last answer. */
    int status;
    const char *address; /* of `endpoints` */
    struct writer url;
    struct writer body;
};

/* ---- from open to close ---- */

static const char *endpoints_of(const struct client_settings *settings, char *const *environment)
{
    if (settings->endpoints != NULL) {
        return settings->endpoints;
    }
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, ENVIRONMENT_NAME, strlen(ENVIRONMENT_NAME)) == 0) {
            return *environment + strlen(ENVIRONMENT_NAME);
        }
    }
    return ENDPOINTS_DEFAULT;
}

err main_client_endpoints(const struct client_settings *settings, char *const *environment,
                          struct endpoints *out_endpoints, struct err_note *note)
{
    if (settings->timeout_ms == 0 || settings->timeout_ms > TIMEOUT_MS_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--timeout is 1ms to 24h");
    }
    return main_endpoints_parse(endpoints_of(settings, environment), out_endpoints, note);
}

err main_client_open(struct client **out_client, const struct client_settings *settings,
                     char *const *environment, struct err_note *note)
{
    struct client *client = mem_calloc(1, sizeof(*client));
    client->settings = settings;
    err e = main_client_endpoints(settings, environment, &client->endpoints, note);
    if (e != OK) {
        mem_free(client);
        return e;
    }
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(code == CURLE_OK);
    client->curl = curl_easy_init();
    ASSERT(client->curl != NULL);
    client->multi = curl_multi_init();
    ASSERT(client->multi != NULL);
    *out_client = client;
    return OK;
}

size_t main_client_endpoint_count(const struct client *client)
{
    return client->endpoints.count;
}

void main_client_close(struct client *client)
{
    if (client == NULL) {
        return;
    }
    curl_easy_cleanup(client->curl);
    (void)curl_multi_cleanup(client->multi);
    curl_global_cleanup();
    writer_deinit(&client->url);
    writer_deinit(&client->body);
    mem_free(client);
}

/* ---- one endpoint ---- */

static int status_of(const struct client *client)
{
    long status = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static bool is_success(int status)
{
    return status >= 200 && status <= 299;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t received(char *data, size_t one, size_t count, void *ctx)
{
    struct client *client = ctx;
    const struct client_request *request = client->request;
    struct slice bytes = {(const uint8_t *)data, one * count};
    if (request->piece != NULL && is_success(status_of(client))) {
        client->is_handed_on = true;
        client->is_stopped = !request->piece(request->ctx, bytes);
        return client->is_stopped ? 0 : bytes.size;
    }
    size_t size_max =
        request->answer_size_max == 0 ? CLIENT_ANSWER_SIZE_MAX : request->answer_size_max;
    if (bytes.size > size_max - client->body.size) {
        client->is_too_large = true;
        return 0;
    }
    writer_bytes(&client->body, bytes);
    return bytes.size;
}

static void set_body(struct client *client, const struct client_request *request)
{
    bool is_head = strcmp(request->method, "HEAD") == 0;
    (void)curl_easy_setopt(client->curl, CURLOPT_NOBODY, is_head ? 1L : 0L);
    /* These have a length even when they have no body. */
    if (request->body.data != NULL || request->method[0] == 'P') {
        const void *bytes = request->body.data == NULL ? "" : (const void *)request->body.data;
        (void)curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)request->body.size);
        (void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, bytes);
    }
}

static void set_limits(struct client *client, const struct client_request *request)
{
    uint64_t attempt_ms = client->attempt_ms;
    uint64_t connect_ms = attempt_ms < CONNECT_TIMEOUT_MS_MAX ? attempt_ms : CONNECT_TIMEOUT_MS_MAX;
    (void)curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (request->piece == NULL) {
        (void)curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS,
                               (long)(attempt_ms + request->wait_ms));
        return;
    }
    uint64_t silence_ms = request->silence_ms == 0 ? attempt_ms : request->silence_ms;
    (void)curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, (long)(silence_ms + 999) / 1000);
}

/* The caller frees the list, after the request. */
static struct curl_slist *set_headers(struct client *client, const struct client_request *request)
{
    /* What curl would add to a body without being asked; an empty value takes it away. */
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type:");
    for (const char *const *header = request->headers; header != NULL && *header != NULL;
         header++) {
        list = curl_slist_append(list, *header);
    }
    ASSERT(list != NULL);
    (void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, list);
    return list;
}

/* Waits for an event of the request, a listener's, or `ms`. */
static void poll_once(struct client *client, uint64_t ms)
{
    const struct client_listener *listener = client->listener;
    struct curl_waitfd fds[CLIENT_LISTENER_FDS_MAX];
    unsigned count = 0;
    for (size_t i = 0; listener != NULL && i < listener->fd_count; i++) {
        fds[count++] = (struct curl_waitfd){.fd = listener->fds[i], .events = CURL_WAIT_POLLIN};
    }
    (void)curl_multi_poll(client->multi, fds, count, (int)ms, NULL);
    for (unsigned i = 0; i < count; i++) {
        if (fds[i].revents != 0) {
            client->is_stopped = !listener->ready(listener->ctx) || client->is_stopped;
            return;
        }
    }
}

static CURLcode perform(struct client *client)
{
    int running = 1;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    CURLMcode added = curl_multi_add_handle(client->multi, client->curl);
    ASSERT(added == CURLM_OK);
    while (running > 0 && !client->is_stopped) {
        CURLMcode done = curl_multi_perform(client->multi, &running);
        ASSERT(done == CURLM_OK);
        if (running > 0 && !client->is_stopped) {
            poll_once(client, POLL_MS);
        }
    }
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(client->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        code = message->data.result;
    }
    (void)curl_multi_remove_handle(client->multi, client->curl);
    return code;
}

/* Behind the path: what the node has, which is less than it is waited for here. So it does not go
 * on with what nobody waits for any more, and its own answer is heard, which knows more. */
static void write_timeout(struct client *client, const struct client_request *request)
{
    bool has_query = strchr(request->path, '?') != NULL;
    writer_format(&client->url, "%ctimeout=%" PRIu64 "ms", has_query ? '&' : '?', client->told_ms);
}

static CURLcode ask_one(struct client *client, const struct client_request *request,
                        const char *address)
{
    writer_reset(&client->url);
    writer_reset(&client->body);
    client->status = 0;
    client->address = address;
    client->curl_error[0] = '\0';
    writer_format(&client->url, "http://%s%s", address, request->path);
    if (request->shares_timeout && request->wait_ms == 0) {
        write_timeout(client, request);
    }
    writer_u8(&client->url, '\0');
    const char *url = (const char *)client->url.data;
    if (client->settings->show_curl) {
        struct writer line = {0};
        main_client_text_curl(&line, request, url);
        (void)fprintf(stderr, "%.*s\n", (int)line.size, (const char *)line.data);
        writer_deinit(&line);
    }
    CURL *curl = client->curl;
    curl_easy_reset(curl); /* options; connections stay */
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "pontoon/" PONTOON_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, received);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    /* curl repeats what a kept connection breaks under, whatever the method: never keep one (Q1) */
    (void)curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    set_body(client, request);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    set_limits(client, request);
    struct curl_slist *headers = set_headers(client, request);
    CURLcode code = perform(client);
    client->status = status_of(client);
    curl_off_t took_us = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &took_us);
    client->spent_ms += (uint64_t)took_us / 1000;
    /* The handle is read until the next request, but points to nothing that is gone. */
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code;
}

/* ---- what it means ---- */

/* Whether the request may have left: from then on it may have been done. */
static bool was_sent(const struct client *client)
{
    curl_off_t before_us = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_PRETRANSFER_TIME_T, &before_us);
    return before_us > 0;
}

static void explain_curl(const struct client *client, CURLcode code, struct writer *out)
{
    long os_error = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_error);
    if (client->is_too_large) {
        writer_format(out, "the answer is too large to be held");
    } else if (code == CURLE_COULDNT_CONNECT && os_error > 0 && os_error < INT_MAX) {
        writer_format(out, "%s", strerrordesc_np((int)os_error));
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        writer_format(out, "%s within %" PRIu64 " ms (--timeout)",
                      was_sent(client) ? "no answer" : "no connection",
                      client->attempt_ms + client->request->wait_ms);
    } else if (client->is_stopped) {
        writer_format(out, "broken off");
    } else {
        writer_format(out, "%s",
                      client->curl_error[0] != '\0' ? client->curl_error
                                                    : curl_easy_strerror(code));
    }
}

/* How the attempt ended, and whether another one may follow. */
struct verdict {
    enum exit_status status;
    bool may_ask_another;
};

static struct verdict judge_failure(const struct client *client, bool is_safe)
{
    if (client->is_too_large || client->is_stopped) {
        return (struct verdict){EXIT_FAILED, false};
    }
    if (!was_sent(client)) {
        return (struct verdict){EXIT_UNAVAILABLE, true};
    }
    return is_safe ? (struct verdict){EXIT_UNAVAILABLE, !client->is_handed_on}
                   : (struct verdict){EXIT_UNKNOWN, false};
}

static struct verdict judge_answer(int status, bool is_safe, bool is_unknown)
{
    switch (status) {
    case 404:
        return (struct verdict){EXIT_NOT_FOUND, false};
    case 412:
    case 423:
        return (struct verdict){EXIT_PRECONDITION, false};
    case 429:
    case 503:
        return (struct verdict){EXIT_UNAVAILABLE, true};
    case 500:
    case 502:
        if (is_safe) {
            return (struct verdict){EXIT_FAILED, true};
        }
        /* 502 is from something between us and the node. */
        return (struct verdict){is_unknown || status == 502 ? EXIT_UNKNOWN : EXIT_FAILED, false};
    case 504:
        return is_safe ? (struct verdict){EXIT_UNAVAILABLE, true}
                       : (struct verdict){EXIT_UNKNOWN, false};
    default:
        return (struct verdict){is_unknown ? EXIT_UNKNOWN : EXIT_FAILED, false};
    }
}

/* Appends to `why` what went wrong. */
static struct verdict judge(struct client *client, CURLcode code, bool is_safe, struct writer *why)
{
    if (code != CURLE_OK) {
        explain_curl(client, code, why);
        return judge_failure(client, is_safe);
    }
    if (is_success(client->status)) {
        return (struct verdict){EXIT_OK, false};
    }
    struct client_answer answer = main_client_answer(client);
    bool is_unknown;
    main_client_text_problem(why, &answer, &is_unknown);
    return judge_answer(client->status, is_safe, is_unknown);
}

/* Of one of `left` endpoints that may still be asked. */
static uint64_t share_of(const struct client *client, bool may_repeat, size_t left)
{
    uint64_t timeout_ms = client->settings->timeout_ms;
    if (!client->request->shares_timeout) {
        return timeout_ms;
    }
    uint64_t rest_ms = timeout_ms - client->spent_ms;
    uint64_t share_ms = may_repeat ? rest_ms / left : rest_ms;
    return share_ms > 0 ? share_ms : 1;
}

/* An Idempotency-Key stands for one request: what comes again has to be the same to the letter. */
static void set_told(struct client *client, size_t attempt)
{
    if (attempt == 0 || !client->request->is_repeatable) {
        uint64_t told_ms = client->attempt_ms - client->attempt_ms / TIMEOUT_SHARE_OF_WAY;
        client->told_ms = told_ms < PARAMS_TIMEOUT_MS_MAX ? told_ms : PARAMS_TIMEOUT_MS_MAX;
    }
}

static bool has_time(const struct client *client)
{
    return !client->request->shares_timeout || client->spent_ms < client->settings->timeout_ms;
}

/* The first request with this Idempotency-Key is still at work: whether it was waited for what the
 * node says. */
static bool wait_for_first(struct client *client)
{
    const char *field = main_client_header(client, "Retry-After");
    uint64_t seconds = 0;
    if (client->status != 409 || !client->request->is_repeatable || field == NULL ||
        api_units_parse_u64(slice_from_text(field), &seconds) != OK) {
        return false;
    }
    client->may_be_done = true;
    uint64_t ms = seconds < TIMEOUT_MS_MAX / 1000 ? seconds * 1000 : TIMEOUT_MS_MAX;
    ms = ms > PAUSE_MS_MIN ? ms : PAUSE_MS_MIN;
    client->spent_ms += ms;
    if (!has_time(client) || !main_client_wait(client, ms)) {
        return false;
    }
    uint64_t rest_ms = client->settings->timeout_ms - client->spent_ms;
    client->attempt_ms = client->attempt_ms < rest_ms ? client->attempt_ms : rest_ms;
    return true;
}

static struct verdict attempt(struct client *client, size_t index, bool is_safe, struct writer *why)
{
    const char *address = client->endpoints.addresses[index];
    CURLcode code;
    do {
        code = ask_one(client, client->request, address);
    } while (code == CURLE_OK && wait_for_first(client));
    writer_format(why, "%s%s: ", why->size == 0 ? "" : "; ", address);
    struct verdict verdict = judge(client, code, is_safe, why);
    bool was_first_met = client->status == 409 && client->may_be_done;
    if (verdict.status == EXIT_UNKNOWN || was_first_met) {
        client->may_be_done = true;
        verdict.status = EXIT_UNKNOWN;
        verdict.may_ask_another = client->request->is_repeatable && !was_first_met;
    }
    if (!verdict.may_ask_another) {
        client->first = index;
    }
    return verdict;
}

enum exit_status main_client_ask(struct client *client, const struct client_request *request,
                                 struct err_note *note)
{
    ASSERT(request->path[0] == '/');
    bool is_safe = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    size_t count = client->endpoints.count;
    struct verdict verdict = {EXIT_UNAVAILABLE, true};
    struct writer why = {0};
    client->request = request;
    client->is_handed_on = false;
    client->is_too_large = false;
    client->is_stopped = false;
    client->may_be_done = false;
    client->spent_ms = 0;
    size_t first = client->first;
    for (size_t i = 0; i < count && verdict.may_ask_another && has_time(client); i++) {
        client->attempt_ms = share_of(client, is_safe || request->is_repeatable, count - i);
        set_told(client, i);
        verdict = attempt(client, (first + i) % count, is_safe, &why);
    }
    if (verdict.status == EXIT_UNAVAILABLE && client->may_be_done) {
        verdict.status = EXIT_UNKNOWN;
    }
    if (verdict.status != EXIT_OK) {
        (void)err_note_set(note, ERR_UNAVAILABLE, "%.*s", (int)why.size, (const char *)why.data);
    }
    writer_deinit(&why);
    return verdict.status;
}

void main_client_listen(struct client *client, const struct client_listener *listener)
{
    ASSERT(listener->fd_count <= CLIENT_LISTENER_FDS_MAX);
    client->listener = listener;
}

bool main_client_wait(struct client *client, uint64_t ms)
{
    client->is_stopped = false;
    poll_once(client, ms < TIMEOUT_MS_MAX ? ms : TIMEOUT_MS_MAX);
    return !client->is_stopped;
}

void main_client_turn(struct client *client)
{
    client->first = (client->first + 1) % client->endpoints.count;
}

struct client_answer main_client_answer(const struct client *client)
{
    const char *content_type = NULL;
    if (client->status != 0) {
        (void)curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &content_type);
    }
    return (struct client_answer){
        .status = client->status,
        .url = client->url.data == NULL ? "" : (const char *)client->url.data,
        .address = client->address == NULL ? "" : client->address,
        .content_type = content_type == NULL ? "" : content_type,
        .body = writer_slice(&client->body),
    };
}

const char *main_client_header(const struct client *client, const char *name)
{
    struct curl_header *header = NULL;
    CURLHcode code = curl_easy_header(client->curl, name, 0, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : NULL;
}
