#include "main/hold.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json_object.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "main/child.h"
#include "main/client_text.h"
#include "main/signals.h"

#define TEXT_SIZE (3 * KEY_SIZE_MAX + 64u) /* a name like a key, escaped, and a number */
#define AGAIN_MS 1000u                     /* after nobody could */
#define RENEW_SHARE 3u                     /* of the ttl */
#define RETRY_SHARE 10u
#define RETRY_MS_MIN 50u

struct hold {
    struct call *call;
    const struct hold_kind *kind;
    const struct hold_settings *settings;
    uint64_t timeout_ms; /* of the command line */
    struct signals signals;
    struct client_listener listener;
    int fds[2]; /* signals; the program's, or standard input */
    struct child child;
    bool has_child;
    bool has_ended;    /* the program did, or it was asked to be given back */
    int signal;        /* that asked for it; 0: none did */
    uint64_t since_ms; /* the last renewal that succeeded was asked for */
    char token[TEXT_SIZE];
    char fence[TEXT_SIZE];
    char lease[TEXT_SIZE];
};

static const char *name_of(const struct hold *hold)
{
    return hold->call->words.items[0];
}

static uint64_t now_ms(const struct hold *hold)
{
    return env_now_ns(hold->call->env) / 1000000; /* the loop does not turn here */
}

/* ---- what happens meanwhile ---- */

static void take_signals(struct hold *hold)
{
    struct signal_seen seen;
    while (main_signals_next(&hold->signals, &seen)) {
        if (hold->has_child) {
            if (hold->child.has_group || !seen.is_of_terminal) { /* else it has it already */
                main_child_signal(&hold->child, seen.number);
            }
        } else if (seen.number != SIGUSR1 && seen.number != SIGUSR2) {
            hold->has_ended = true;
            hold->signal = seen.number;
        }
    }
}

/* Whether standard input has come to its end. */
static bool has_input_ended(void)
{
    char bytes[4096];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));
    return size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN);
}

static bool on_ready(void *ctx)
{
    struct hold *hold = ctx;
    take_signals(hold);
    if (hold->has_child) {
        hold->has_ended = hold->has_ended || main_child_is_over(&hold->child);
    } else if (hold->listener.fd_count > 1) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        hold->has_ended = hold->has_ended || (poll(&input, 1, 0) > 0 && has_input_ended());
    }
    return !hold->has_ended;
}

/* ---- requests ---- */

static void draft_held(struct hold *hold)
{
    main_call_draft(hold->call, hold->kind->path);
    main_draft_segment(&hold->call->draft, name_of(hold));
    main_draft_field(&hold->call->draft, "KV-Fence", hold->fence);
}

static enum exit_status ask_to_acquire(struct hold *hold)
{
    const struct hold_settings *settings = hold->settings;
    struct call *call = hold->call;
    main_call_draft(call, hold->kind->path);
    main_draft_segment(&call->draft, name_of(hold));
    main_draft_param_ms(&call->draft, "ttl", settings->ttl_ms);
    main_draft_param_ms(&call->draft, "wait", settings->wait_ms);
    if (settings->limit != 0) {
        main_draft_param_u64(&call->draft, "limit", settings->limit);
    }
    main_draft_field_once(&call->draft, call->env);
    writer_reset(&call->body);
    writer_bytes(&call->body, slice_from_text(settings->body));
    hold->since_ms = now_ms(hold);
    return main_call_send_wait(call, "POST", true, settings->wait_ms + 1);
}

static enum exit_status acquire(struct hold *hold)
{
    for (;;) {
        enum exit_status status = ask_to_acquire(hold);
        bool is_held_by_another =
            status == EXIT_PRECONDITION && main_client_answer(hold->call->client).status == 423;
        bool may_go_on = is_held_by_another || status == EXIT_UNAVAILABLE || status == EXIT_UNKNOWN;
        if (!hold->kind->waits_on || !may_go_on || hold->has_ended) {
            return status;
        }
        if (!is_held_by_another) {
            (void)fprintf(stderr, "pontoon: %s; asking again\n", hold->call->note->text);
            (void)main_client_wait(hold->call->client, AGAIN_MS);
        }
        hold->call->note->text[0] = '\0';
        if (hold->has_ended) {
            return EXIT_FAILED;
        }
    }
}

static enum exit_status renew(struct hold *hold)
{
    struct call *call = hold->call;
    uint64_t rest_ms = hold->since_ms + hold->settings->ttl_ms - now_ms(hold);
    call->client_settings.timeout_ms = rest_ms < hold->timeout_ms ? rest_ms : hold->timeout_ms;
    draft_held(hold);
    return main_call_send(call, "PUT", false);
}

/* EXIT_PRECONDITION: it was lost before, maybe while the program ran. Any other failure is told and
 * no more: it ends by itself once the ttl has passed. */
static enum exit_status give_back(struct hold *hold)
{
    struct err_note *note = hold->call->note;
    hold->call->client_settings.timeout_ms = hold->timeout_ms;
    hold->listener.fd_count = 0; /* a signal does not keep it from that */
    draft_held(hold);
    enum exit_status status = main_call_send(hold->call, "DELETE", false);
    if (status == EXIT_PRECONDITION) {
        (void)err_note_wrap(note, ERR_CONFLICT, "%s %s was lost before it was given back",
                            hold->kind->noun, name_of(hold));
        return status;
    }
    if (status != EXIT_OK) {
        (void)fprintf(stderr, "pontoon: %s %s was not given back, it ends by itself: %s\n",
                      hold->kind->noun, name_of(hold), note->text);
        note->text[0] = '\0';
    }
    return EXIT_OK;
}

/*
 * Where it was waited for, nobody here knows since when it is held: a renewal tells (H1).
 */
static enum exit_status confirm(struct hold *hold)
{
    uint64_t now = now_ms(hold);
    if (now - hold->since_ms <= hold->settings->ttl_ms / RETRY_SHARE) {
        return EXIT_OK;
    }
    hold->since_ms = now;
    return renew(hold);
}

/* ---- what came of the request ---- */

static void copy_member(struct json_object *document, const char *name, char *target)
{
    const char *value = json_object_get_string(json_object_object_get(document, name));
    (void)snprintf(target, TEXT_SIZE, "%s", value == NULL ? "" : value);
}

static enum exit_status take_answer(struct hold *hold)
{
    struct call *call = hold->call;
    struct json_object *document = main_client_json(call->client, call->note);
    if (document == NULL) {
        return EXIT_FAILED;
    }
    copy_member(document, "token", hold->token);
    copy_member(document, "lease", hold->lease);
    (void)json_object_put(document);
    const char *fence = main_client_header(call->client, "KV-Fence");
    if (fence != NULL && strlen(fence) < TEXT_SIZE) {
        (void)snprintf(hold->fence, TEXT_SIZE, "%s", fence);
        return EXIT_OK;
    }
    (void)err_note_set(call->note, ERR_MALFORMED, "the node's answer has no KV-Fence");
    return EXIT_FAILED;
}

/* ---- the program ---- */

static err start_program(struct hold *hold)
{
    char variables[4][TEXT_SIZE + 32];
    (void)snprintf(variables[0], sizeof(variables[0]), "PONTOON_FENCE=%s", hold->fence);
    (void)snprintf(variables[1], sizeof(variables[1]), "PONTOON_TOKEN=%s", hold->token);
    (void)snprintf(variables[2], sizeof(variables[2]), "PONTOON_LEASE=%s", hold->lease);
    (void)snprintf(variables[3], sizeof(variables[3]), "%s=%s", hold->kind->variable,
                   name_of(hold));
    const char *const list[] = {variables[0], variables[1], variables[2], variables[3], NULL};
    const struct child_order order = {
        .program = hold->call->program,
        .variables = list,
        .mask = &hold->signals.before,
    };
    err e = main_child_start(&hold->child, &order, hold->call->note);
    hold->has_child = e == OK;
    hold->fds[1] = hold->child.fd;
    return e;
}

/* H2. */
static void end_program(struct hold *hold)
{
    uint64_t end_ms = now_ms(hold) + hold->settings->grace_ms;
    main_child_signal(&hold->child, SIGTERM);
    while (!main_child_is_over(&hold->child)) {
        uint64_t now = now_ms(hold);
        if (now >= end_ms) {
            main_child_signal(&hold->child, SIGKILL);
            main_child_wait(&hold->child);
        } else {
            (void)main_client_wait(hold->call->client, end_ms - now);
        }
    }
}

/* ---- holding ---- */

static enum exit_status lose(struct hold *hold)
{
    (void)err_note_wrap(hold->call->note, ERR_CONFLICT, "%s %s was lost", hold->kind->noun,
                        name_of(hold));
    if (hold->has_child) {
        ASSERT(hold->call->program != NULL);
        (void)fprintf(stderr, "pontoon: %s; ending %s\n", hold->call->note->text,
                      hold->call->program[0]);
        hold->call->note->text[0] = '\0';
        end_program(hold);
    }
    return EXIT_PRECONDITION;
}

/* Renews until the end of the program. EXIT_PRECONDITION: it was lost before. */
static enum exit_status keep(struct hold *hold)
{
    uint64_t ttl_ms = hold->settings->ttl_ms;
    uint64_t next_ms = hold->since_ms + ttl_ms / RENEW_SHARE;
    while (!hold->has_ended) {
        uint64_t now = now_ms(hold);
        if (now >= hold->since_ms + ttl_ms) { /* H1 */
            return lose(hold);
        }
        uint64_t end_ms = hold->since_ms + ttl_ms;
        uint64_t wake_ms = next_ms < end_ms ? next_ms : end_ms;
        if (now < wake_ms) {
            (void)main_client_wait(hold->call->client, wake_ms - now);
            continue;
        }
        hold->call->note->text[0] = '\0';
        enum exit_status status = renew(hold);
        if (status == EXIT_OK) {
            hold->since_ms = now;
            next_ms = now + ttl_ms / RENEW_SHARE;
        } else if (status == EXIT_PRECONDITION || status == EXIT_NOT_FOUND) {
            return hold->has_ended ? EXIT_OK : lose(hold);
        } else {
            uint64_t pause_ms = ttl_ms / RETRY_SHARE;
            next_ms = now_ms(hold) + (pause_ms > RETRY_MS_MIN ? pause_ms : RETRY_MS_MIN);
        }
    }
    hold->call->note->text[0] = '\0'; /* of a renewal that was broken off */
    return EXIT_OK;
}

static enum exit_status hold_it(struct hold *hold, struct slice answer)
{
    struct call *call = hold->call;
    if (call->program != NULL) {
        if (start_program(hold) != OK) {
            (void)give_back(hold);
            return (enum exit_status)hold->child.status;
        }
    } else {
        if (main_call_wants_json(call)) {
            main_call_print_text(answer);
        } else {
            (void)puts(hold->token);
        }
        (void)fflush(stdout);
        hold->fds[1] = STDIN_FILENO;
    }
    hold->listener.fd_count = 2;
    enum exit_status status = keep(hold);
    if (status == EXIT_OK) {
        status = give_back(hold);
    }
    bool is_programs = status == EXIT_OK && hold->has_child;
    return is_programs ? (enum exit_status)hold->child.status : status;
}

enum exit_status main_hold(struct call *call, const struct hold_kind *kind,
                           const struct hold_settings *settings)
{
    struct hold hold = {
        .call = call,
        .kind = kind,
        .settings = settings,
        .timeout_ms = call->client_settings.timeout_ms,
        .child = {.fd = -1},
    };
    if (name_of(&hold)[0] == '\0' || settings->ttl_ms == 0) {
        return main_call_usage(call);
    }
    main_signals_open(&hold.signals);
    hold.fds[0] = hold.signals.fd;
    hold.listener =
        (struct client_listener){.fds = hold.fds, .fd_count = 1, .ready = on_ready, .ctx = &hold};
    main_client_listen(call->client, &hold.listener);
    enum exit_status status = acquire(&hold);
    if (hold.has_ended) {
        call->note->text[0] = '\0';
        status = (enum exit_status)(128 + hold.signal);
    } else if (status == EXIT_OK) {
        status = take_answer(&hold);
        struct writer answer = {0}; /* a renewal has another one */
        writer_bytes(&answer, main_client_answer(call->client).body);
        status = status == EXIT_OK ? confirm(&hold) : status;
        status = status == EXIT_OK ? hold_it(&hold, writer_slice(&answer)) : status;
        writer_deinit(&answer);
    }
    hold.listener.fd_count = 0;
    main_child_close(&hold.child);
    main_signals_close(&hold.signals);
    return status;
}
