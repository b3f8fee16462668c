#include <stddef.h>
#include <string.h>

#include "api/suggest.h"
#include "base/assert.h"
#include "base/limits.h"
#include "main/options_int.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)

/* In the order of the enums of base/log.h. */
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
_Static_assert(LOG_LEVEL_DEBUG == 3 && LOG_FORMAT_JSON == 1, "choices are stored as their index");

#define FIELD(field) offsetof(struct options, field)

const struct option_row main_options_table[OPTION_COUNT] = {
    {"id", OPTION_U64, FIELD(id), "1", 1, NODE_ID_MAX, NULL, "N",
     "this node's number in --cluster"},
    {"data", OPTION_TEXT, FIELD(data), "./pontoon-data", 0, 0, NULL, "DIR",
     "where its log and its store are"},
    {"listen", OPTION_ADDRESS, FIELD(listen), "127.0.0.1:3000", 0, 0, NULL, "HOST:PORT",
     "where clients are served"},
    {"advertise", OPTION_ADDRESS, FIELD(advertise), NULL, 0, 0, NULL, "HOST:PORT",
     "where clients reach this node, if not at --listen (NAT, 0.0.0.0)"},
    {"peer-listen", OPTION_ADDRESS, FIELD(peer_listen), NULL, 0, 0, NULL, "HOST:PORT",
     "where peers connect (as in --cluster, or 1000 ports above --listen)"},
    {"cluster", OPTION_TEXT, FIELD(cluster), NULL, 0, 0, NULL, "1=HOST:PORT,2=...",
     "the first members and their peer addresses; the same on each of them"},
    {"join", OPTION_TEXT, FIELD(join), NULL, 0, 0, NULL, "URL,...",
     "nodes of a cluster to join; id and members come from there"},
    {"cluster-name", OPTION_TEXT, FIELD(cluster_name), "", 0, 0, NULL, "NAME",
     "tells clusters apart whose members have the same addresses"},
    {"max-value-bytes", OPTION_SIZE, FIELD(max_value_bytes), "8MiB", 1, VALUE_SIZE_CEILING, NULL,
     "SIZE", "the largest value that is taken; larger ones get 413"},
    {"max-txn-bytes", OPTION_SIZE, FIELD(max_txn_bytes), "8MiB", 1, VALUE_SIZE_CEILING, NULL,
     "SIZE", "the largest body of /txn and /batch that is taken; larger ones get 413"},
    {"max-connections", OPTION_U64, FIELD(max_connections), "10000", 1, 1000000, NULL, "N",
     "client connections at a time; more get 503"},
    {"max-pending-requests", OPTION_U64, FIELD(max_pending_requests), "16384", 1, 1000000, NULL,
     "N", "writes that may wait, and reads likewise; more get 503"},
    {"max-pending-bytes", OPTION_SIZE, FIELD(max_pending_bytes), "128MiB", MIB, TIB, NULL, "SIZE",
     "of writes that wait; more get 503"},
    {"request-timeout", OPTION_DURATION, FIELD(request_timeout_ms), "5s", 1, 60 * SECOND, NULL,
     "TIME", "how long a request may take that does not say ?timeout="},
    {"shutdown-timeout", OPTION_DURATION, FIELD(shutdown_timeout_ms), "10s", 0, DAY, NULL, "TIME",
     "how long requests may finish after SIGTERM"},
    {"heartbeat-interval", OPTION_DURATION, FIELD(heartbeat_interval_ms), "50ms", 1, 60 * SECOND,
     NULL, "TIME", "how often the leader tells that it is there"},
    {"election-timeout", OPTION_DURATION, FIELD(election_timeout_ms), "400ms", 3, 600 * SECOND,
     NULL, "TIME", "how long it may be silent before others stand for election"},
    {"tail-bytes", OPTION_SIZE, FIELD(tail_bytes), "64MiB", 64 * KIB, TIB, NULL, "SIZE",
     "changes kept in memory before they are checkpointed"},
    {"checkpoint-interval", OPTION_DURATION, FIELD(checkpoint_interval_ms), "60s", 100, DAY, NULL,
     "TIME", "the longest that changes wait for a checkpoint"},
    {"segment-size", OPTION_SIZE, FIELD(segment_size_bytes), "64MiB", 64 * KIB, UINT64_C(1) << 32,
     NULL, "SIZE", "the size of one file of the log"},
    {"log-keep-bytes", OPTION_SIZE, FIELD(log_keep_bytes), "1GiB", MIB, 1024 * TIB, NULL, "SIZE",
     "log kept on disk for a member that lags"},
    {"log-keep-entries", OPTION_U64, FIELD(log_keep_entries), "2000000", 1000, UINT32_MAX, NULL,
     "N", "entries of it, at about 60 bytes of memory each"},
    {"log-keep-age", OPTION_DURATION, FIELD(log_keep_age_ms), "24h", 0, 366 * DAY, NULL, "TIME",
     "how long it is kept; 0: no bound"},
    {"max-watchers", OPTION_U64, FIELD(max_watchers), "20000", 1, 1000000, NULL, "N",
     "watches open at a time; past it 503"},
    {"history-bytes", OPTION_SIZE, FIELD(history_bytes), "32MiB", 64 * KIB, TIB, NULL, "SIZE",
     "memory of the last changes, for watches and reads of the past"},
    {"history-revisions", OPTION_U64, FIELD(history_revisions), "100000", 1, UINT32_MAX, NULL, "N",
     "revisions of them"},
    {"history-age", OPTION_DURATION, FIELD(history_age_ms), "10m", 1000, 366 * DAY, NULL, "TIME",
     "how long they are kept, while there are writes"},
    {"snapshot-rate-bytes", OPTION_SIZE, FIELD(snapshot_rate_bytes), "32MiB", 0, TIB, NULL, "SIZE",
     "a second, for snapshots and backups that leave this node; 0: no limit"},
    {"quota-bytes", OPTION_SIZE, FIELD(quota_bytes), "0", 0, 1024 * TIB, NULL, "SIZE",
     "of keys and values; past it writes that grow get 507; 0: none"},
    {"idempotency-age", OPTION_DURATION, FIELD(idempotency_age_ms), "10m", SECOND, 366 * DAY, NULL,
     "TIME", "how long the answer to an Idempotency-Key is remembered"},
    {"idempotency-keys", OPTION_U64, FIELD(idempotency_keys), "1000000", 1, 1000000000, NULL, "N",
     "how many of them are; the oldest are forgotten first"},
    {"scrub-rate-bytes", OPTION_SIZE, FIELD(scrub_rate_bytes), "4MiB", 0, TIB, NULL, "SIZE",
     "of the store verified a second, in the background; 0: none"},
    {"log-level", OPTION_CHOICE, FIELD(log_level), "info", 0, 0, log_levels, "LEVEL",
     "how much is logged"},
    {"log-format", OPTION_CHOICE, FIELD(log_format), "logfmt", 0, 0, log_formats, "FORMAT",
     "how log lines look"},
    {"access-log", OPTION_BOOL, FIELD(access_log), "false", 0, 0, NULL, "",
     "log a line for every request"},
    {"config", OPTION_TEXT, FIELD(config), NULL, 0, 0, NULL, "FILE",
     "a file of lines like max-value-bytes = 8MiB"},
};

static uint8_t dashed(uint8_t byte)
{
    return byte == '_' ? '-' : byte;
}

static bool is_name(struct slice name, const char *known)
{
    if (name.size != strlen(known)) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (dashed(name.data[i]) != (uint8_t)known[i]) {
            return false;
        }
    }
    return true;
}

const struct option_row *main_options_find(struct slice name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (is_name(name, main_options_table[i].name)) {
            return &main_options_table[i];
        }
    }
    return NULL;
}

static struct suggest suggest_for(struct slice name)
{
    struct suggest suggest = {.name = name};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        api_suggest_offer(&suggest, main_options_table[i].name);
    }
    return suggest;
}

static const struct option_row *row_of(const char *name)
{
    return name == NULL ? NULL : main_options_find(slice_from_text(name));
}

const struct option_row *main_options_nearest(struct slice name)
{
    return row_of(suggest_for(name).near);
}

const struct option_row *main_options_meant(struct slice name)
{
    struct suggest suggest = suggest_for(name);
    return row_of(api_suggest_meant(&suggest));
}

void main_options_environment_name(const struct option_row *row, char target[OPTION_NAME_SIZE_MAX])
{
    int size = snprintf(target, OPTION_NAME_SIZE_MAX, "PONTOON_%s", row->name);
    ASSERT(size > 0);
    ASSERT((size_t)size < OPTION_NAME_SIZE_MAX);
    for (char *byte = target; *byte != '\0'; byte++) {
        if (*byte == '-') {
            *byte = '_';
        } else if (*byte >= 'a' && *byte <= 'z') {
            *byte = (char)(*byte - 'a' + 'A');
        }
    }
}

void main_options_print(FILE *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &main_options_table[i];
        char variable[OPTION_NAME_SIZE_MAX];
        main_options_environment_name(row, variable);
        bool has_placeholder = row->placeholder[0] != '\0';
        (void)fprintf(out, "  --%s%s%s  (", row->name, has_placeholder ? " " : "",
                      row->placeholder);
        for (const char *const *choice = row->choices; choice != NULL && *choice != NULL;
             choice++) {
            (void)fprintf(out, "%s%s", *choice, choice[1] != NULL ? "|" : ", ");
        }
        if (row->standard != NULL && row->standard[0] != '\0') {
            (void)fprintf(out, "default %s, ", row->standard);
        }
        (void)fprintf(out, "%s)\n        %s\n", variable, row->help);
    }
}
