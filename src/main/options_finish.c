/* From the sources' texts to values, and the checks of values against each other (O3). */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "api/guard.h"
#include "api/units.h"
#include "base/assert.h"
#include "env/address.h"
#include "main/endpoints.h"
#include "main/members.h"
#include "main/options_int.h"
#include "node/pace.h"

#define HEARTBEATS_PER_ELECTION_MIN 3u
#define PLACE_SIZE 256u

/* Sets the note to "WHERE: FORMAT…", where the setting `name` stands. */
static err PRINTF_LIKE(4, 5) refuse(const struct options *options, const char *name,
                                    struct err_note *note, const char *format, ...)
{
    const struct option_row *row = main_options_find(slice_from_text(name));
    char place[PLACE_SIZE];
    ASSERT(row != NULL);
    main_options_place(options, row, place, sizeof(place));
    char what[ERR_NOTE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_note_set(note, ERR_BAD_REQUEST, "%s: %s", place, what);
}

/* ---- one setting ---- */

static void format_number(const struct option_row *row, uint64_t value,
                          char target[UNITS_TEXT_SIZE])
{
    if (row->type == OPTION_SIZE) {
        api_units_format_size(value, target);
    } else if (row->type == OPTION_DURATION) {
        api_units_format_duration(value, target);
    } else {
        (void)snprintf(target, UNITS_TEXT_SIZE, "%" PRIu64, value);
    }
}

static err parse_number(struct options *options, const struct option_row *row, const char *text,
                        uint64_t *out_value, struct err_note *note)
{
    static const char *const forms[] = {[OPTION_U64] = "a number",
                                        [OPTION_SIZE] = "a size like 4096, 64KiB or 8MiB",
                                        [OPTION_DURATION] = "a duration like 500ms, 5s or 2m"};
    struct slice slice = slice_from_text(text);
    err e = row->type == OPTION_SIZE       ? api_units_parse_size(slice, out_value)
            : row->type == OPTION_DURATION ? api_units_parse_duration(slice, out_value)
                                           : api_units_parse_u64(slice, out_value);
    if (e != OK) {
        return refuse(options, row->name, note, "\"%s\" is not %s", text, forms[row->type]);
    }
    if (*out_value < row->min || *out_value > row->max) {
        char min[UNITS_TEXT_SIZE];
        char max[UNITS_TEXT_SIZE];
        format_number(row, row->min, min);
        format_number(row, row->max, max);
        return refuse(options, row->name, note, "%s is out of range: %s to %s", text, min, max);
    }
    return OK;
}

static err parse_choice(struct options *options, const struct option_row *row, const char *text,
                        uint64_t *out_index, struct err_note *note)
{
    char known[PLACE_SIZE] = "";
    size_t size = 0;
    for (uint64_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *out_index = i;
            return OK;
        }
        int added = snprintf(known + size, sizeof(known) - size, "%s%s", i > 0 ? ", " : "",
                             row->choices[i]);
        ASSERT(added > 0 && (size_t)added < sizeof(known) - size);
        size += (size_t)added;
    }
    return refuse(options, row->name, note, "\"%s\" is not one of %s", text, known);
}

static err parse_bool(struct options *options, const struct option_row *row, const char *text,
                      bool *out_value, struct err_note *note)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return refuse(options, row->name, note, "\"%s\" is neither true nor false", text);
    }
    *out_value = text[0] == 't';
    return OK;
}

static err parse_text(struct options *options, const struct option_row *row, const char *text,
                      const char **out_value, struct err_note *note)
{
    struct env_address address;
    struct err_note why;
    if (text != NULL && row->type == OPTION_ADDRESS &&
        env_address_parse(text, &address, &why) != OK) {
        return refuse(options, row->name, note, "%s", why.text);
    }
    *out_value = text;
    return OK;
}

static err parse_setting(struct options *options, const struct option_row *row,
                         struct err_note *note)
{
    const char *text = options->sources[row - main_options_table].text;
    void *field = (char *)options + row->offset;
    switch (row->type) {
    case OPTION_U64:
    case OPTION_SIZE:
    case OPTION_DURATION:
        return parse_number(options, row, text, field, note);
    case OPTION_CHOICE:
        return parse_choice(options, row, text, field, note);
    case OPTION_BOOL:
        return parse_bool(options, row, text, field, note);
    case OPTION_ADDRESS:
    case OPTION_TEXT:
        return parse_text(options, row, text, field, note);
    default:
        UNREACHABLE();
    }
}

/* ---- all of them together ---- */

static bool is_wildcard(const char *address)
{
    struct env_address parsed;
    err e = env_address_parse(address, &parsed, NULL);
    ASSERT(e == OK);
    return strcmp(parsed.host, "0.0.0.0") == 0 || strcmp(parsed.host, "::") == 0 ||
           parsed.port_number == 0;
}

static err check_timing(struct options *options, struct err_note *note)
{
    uint64_t least = options->heartbeat_interval_ms * HEARTBEATS_PER_ELECTION_MIN;
    if (options->election_timeout_ms >= least) {
        return OK;
    }
    char timeout[UNITS_TEXT_SIZE];
    char interval[UNITS_TEXT_SIZE];
    char needed[UNITS_TEXT_SIZE];
    api_units_format_duration(options->election_timeout_ms, timeout);
    api_units_format_duration(options->heartbeat_interval_ms, interval);
    api_units_format_duration(least, needed);
    return refuse(options, "election-timeout", note,
                  "%s is less than %u heartbeat intervals of %s: one late heartbeat would start an "
                  "election; take at least %s, or a shorter --heartbeat-interval",
                  timeout, HEARTBEATS_PER_ELECTION_MIN, interval, needed);
}

/* --cluster, or this node alone, which then needs no address for peers. */
static err resolve_members(struct options *options, struct err_note *note)
{
    if (options->cluster == NULL) {
        struct member *self = &options->members[0];
        self->id = options->id;
        (void)snprintf(self->peer_address, sizeof(self->peer_address), "%s",
                       options->peer_listen != NULL ? options->peer_listen : "");
        options->member_count = 1;
        return OK;
    }
    struct err_note why;
    err e = main_members_parse(options->cluster, options->members, &options->member_count, &why);
    if (e != OK) {
        return refuse(options, "cluster", note, "%s", why.text);
    }
    if (main_members_find(options->members, options->member_count, options->id) == NULL) {
        return refuse(options, "cluster", note,
                      "this node's id %" PRIu64
                      " is not among the members %s; say which of them it "
                      "is with --id",
                      options->id, options->cluster);
    }
    return OK;
}

#define PEER_PORT_OFFSET 1000

/* A port further than that of clients, on the same host: so a node that was alone, or that joins,
 * needs no address for peers. */
static void find_peer_default(struct options *options)
{
    const char *base = options->advertise[0] != '\0' ? options->advertise : options->listen;
    struct env_address address;
    if (options->peer_listen != NULL && !is_wildcard(options->peer_listen)) {
        (void)snprintf(options->peer_default, sizeof(options->peer_default), "%s",
                       options->peer_listen);
    } else if (!is_wildcard(base) && env_address_parse(base, &address, NULL) == OK) {
        int port = address.port_number + PEER_PORT_OFFSET;
        port = port > UINT16_MAX ? address.port_number - PEER_PORT_OFFSET : port;
        bool is_ipv6 = strchr(address.host, ':') != NULL;
        int size = snprintf(options->peer_default, sizeof(options->peer_default),
                            is_ipv6 ? "[%s]:%d" : "%s:%d", address.host, port);
        if (size < 0 || (size_t)size >= sizeof(options->peer_default)) {
            options->peer_default[0] = '\0';
        }
    }
}

/* A slower one would be given up as broken, in the middle of a large value. */
static err check_rate(struct options *options, struct err_note *note)
{
    uint64_t rate = options->snapshot_rate_bytes;
    return rate == 0 || rate >= PACE_RATE_LEAST
               ? OK
               : refuse(options, "snapshot-rate-bytes", note,
                        "a snapshot would never get to its end; take at least 4MiB, or 0 for no "
                        "limit");
}

static err check_join(struct options *options, struct err_note *note)
{
    if (options->join == NULL) {
        return OK;
    }
    if (options->cluster != NULL) {
        return refuse(options, "join", note,
                      "--cluster names the first members of a new cluster, --join asks to be taken "
                      "into one that is there: give one of them");
    }
    if (options->peer_default[0] == '\0') {
        return refuse(options, "join", note,
                      "the other members have to be told where they reach this node: add "
                      "--peer-listen HOST:PORT, or --advertise");
    }
    struct endpoints endpoints;
    struct err_note why;
    return main_endpoints_parse(options->join, &endpoints, &why) == OK
               ? OK
               : refuse(options, "join", note, "%s", why.text);
}

static err resolve_advertise(struct options *options, struct err_note *note)
{
    if (options->advertise != NULL) {
        return is_wildcard(options->advertise)
                   ? refuse(options, "advertise", note,
                            "nobody can connect to %s; name an address that clients reach",
                            options->advertise)
                   : OK;
    }
    if (!is_wildcard(options->listen)) {
        options->advertise = options->listen;
        return OK;
    }
    if (options->member_count > 1) {
        return refuse(
            options, "listen", note,
            "%s is no address that clients of the other members could be told; add --advertise "
            "HOST:PORT with one that they can reach",
            options->listen);
    }
    options->advertise = ""; /* a node alone has nobody to tell */
    return OK;
}

err main_options_finish(struct options *options, struct err_note *note)
{
    ASSERT(options->member_count == 0);
    err e = OK;
    for (size_t i = 0; i < OPTION_COUNT && e == OK; i++) {
        e = parse_setting(options, &main_options_table[i], note);
    }
    if (e == OK && options->data[0] == '\0') {
        e = refuse(options, "data", note, "it names no directory");
    }
    if (e == OK) {
        e = check_timing(options, note);
    }
    if (e == OK) {
        e = check_rate(options, note);
    }
    if (e == OK) {
        e = resolve_members(options, note);
    }
    if (e == OK) {
        e = resolve_advertise(options, note);
    }
    if (e == OK) {
        find_peer_default(options);
        e = check_join(options, note);
    }
    if (e == OK) {
        options->is_loopback = api_guard_is_loopback_name(slice_from_text(options->listen));
    }
    return e;
}
