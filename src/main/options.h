/*
 * The settings of `pontoon serve`, from ONE table: name, type, default, range, help. The flag is
 * --NAME, the environment variable PONTOON_NAME, the line of the file "name = value".
 *
 * O1  A flag wins over the environment, that over the file, that over the default; setting by
 *     setting.
 * O2  What is unknown or bad is refused, with the place where it stands and, where one is near, the
 *     name or value that was meant. Nothing is ignored.
 * O3  After main_options_finish the settings fit each other; until then only the sources are there.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include <stdio.h>

#include "base/log.h"
#include "proto/membership.h"

#define OPTION_COUNT 36u

/* Where a setting comes from; a later one wins. */
enum option_origin {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_FLAG,
};

struct option_source {
    char *text; /* owned; NULL: no value */
    enum option_origin origin;
    unsigned line; /* ORIGIN_FILE: counted from 1 */
};

struct options {
    /*
     * The settings, in the order of the table. Texts are borrowed from `sources`; NULL: not given.
     */
    uint64_t id;
    const char *data;
    const char *listen;
    const char *advertise;
    const char *peer_listen;
    const char *cluster;
    const char *join;
    const char *cluster_name;
    uint64_t max_value_bytes;
    uint64_t max_txn_bytes;
    uint64_t max_connections;
    uint64_t max_pending_requests;
    uint64_t max_pending_bytes;
    uint64_t request_timeout_ms;
    uint64_t shutdown_timeout_ms;
    uint64_t heartbeat_interval_ms;
    uint64_t election_timeout_ms;
    uint64_t tail_bytes;
    uint64_t checkpoint_interval_ms;
    uint64_t segment_size_bytes;
    uint64_t log_keep_bytes;
    uint64_t log_keep_entries;
    uint64_t log_keep_age_ms;
    uint64_t max_watchers;
    uint64_t history_bytes;
    uint64_t history_revisions;
    uint64_t history_age_ms;
    uint64_t snapshot_rate_bytes;
    uint64_t quota_bytes;
    uint64_t idempotency_age_ms;
    uint64_t idempotency_keys;
    uint64_t scrub_rate_bytes;
    uint64_t log_level;  /* enum log_level */
    uint64_t log_format; /* enum log_format */
    bool access_log;
    const char *config;

    /* Worked out from them by main_options_finish. */
    struct member members[MEMBERS_MAX]; /* the first members, this node among them */
    uint32_t member_count;
    char peer_default[ADDRESS_SIZE_MAX + 1]; /* where peers reach it if nothing else is said; "":
                                                nowhere */
    bool is_loopback;                        /* --listen is */

    struct option_source sources[OPTION_COUNT];
    char *file_name; /* of the file that was read, for messages */
};

/* Prepares caller's storage: every setting has its default. */
void main_options_init(struct options *options);
void main_options_deinit(struct options *options);

/*
 * Takes the flags: --name VALUE, --name=VALUE, and --name alone for a switch. Borrows `arguments`
 * until it returns. ERR_BAD_REQUEST, with a note (O2), as the next two.
 */
MUST_USE err main_options_take_flags(struct options *options, int count, char *const *arguments,
                                     struct err_note *note);
/*
 * Takes every PONTOON_NAME=VALUE of `environment` (NULL-terminated). Names that are not ours are
 * left alone (orchestrators make some up: PONTOON_PORT), but a near miss of one of ours is refused.
 */
MUST_USE err main_options_take_environment(struct options *options, char *const *environment,
                                           struct err_note *note);
/* Takes the lines of a file; `name` is for messages. */
MUST_USE err main_options_take_file(struct options *options, const char *name, struct slice text,
                                    struct err_note *note);
/* The file named by --config or PONTOON_CONFIG, or NULL. */
const char *main_options_file(const struct options *options);
/* Once, after the sources: parses every setting and checks them against each other. Same error. */
MUST_USE err main_options_finish(struct options *options, struct err_note *note);

/* Whether the setting `name`, which there is, was given anywhere. */
bool main_options_is_given(const struct options *options, const char *name);

/* Prints the table, a line a setting, for --help. */
void main_options_print(FILE *out);

#endif
