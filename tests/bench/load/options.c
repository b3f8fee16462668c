#include "options.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/compiler.h"

#define MS_MAX UINT64_C(86400000) /* a day */

const char options_help[] =
    "usage: bench-load --address HOST:PORT [--name value]...\n"
    "  --api NAME        pontoon (default), etcd (its JSON gateway), plain (GET /), redis, "
    "zookeeper\n"
    "  --operation NAME  put (default), get, mixed (90 % get), fill (each key once, then ends)\n"
    "  --connections N   64\n"
    "  --pipeline N      1: requests on their way, a connection\n"
    "  --warm-up S       0.5: seconds before the clock starts\n"
    "  --seconds S       3: requests sent for so long are measured\n"
    "  --count N         0: ends after so many requests; all are measured\n"
    "  --keys N          10000\n"
    "  --value-bytes N   256: at least 12, since a value begins with its key\n"
    "  --replicas N      0: Redis waits for so many behind each put\n"
    "  --seed N          1\n";

/* Digits and at most three more behind a point, as thousandths. */
static bool parse_thousandths(const char *text, uint64_t *out_number)
{
    uint64_t number = 0;
    unsigned decimals = 0;
    bool has_point = false;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == '.' && !has_point && i > 0) {
            has_point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || decimals == 3 || number > UINT64_MAX / 100000) {
            return false;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
        decimals += has_point ? 1 : 0;
    }
    for (unsigned i = decimals; i < 3; i++) {
        number *= 10;
    }
    *out_number = number;
    return text[0] != '\0' && (!has_point || decimals > 0);
}

static bool parse_address(const char *text, struct sockaddr_in *out_address)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    uint64_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
        !parse_thousandths(colon + 1, &port) || port % 1000 != 0 || port > UINT64_C(65535000)) {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(port / 1000))};
    if (port == 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return false;
    }
    *out_address = address;
    return true;
}

static bool parse_operation(const char *text, enum operation *out_operation)
{
    static const char *const names[] = {"fill", "put", "get", "mixed"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out_operation = (enum operation)i;
            return true;
        }
    }
    return false;
}

struct number {
    const char *name;
    uint64_t *target;
    uint64_t min;
    uint64_t max;
    bool is_seconds;
};

/* False: the option is none of these, or its value is out of range. */
static bool set_number(struct options *options, const char *name, const char *value)
{
    const struct number numbers[] = {
        {"--connections", &options->connection_count, 1, CONNECTIONS_MAX, false},
        {"--pipeline", &options->pipeline, 1, PIPELINE_MAX, false},
        {"--warm-up", &options->warm_up_ms, 0, MS_MAX, true},
        {"--seconds", &options->duration_ms, 1, MS_MAX, true},
        {"--count", &options->count, 0, UINT64_MAX / 1000000, false},
        {"--keys", &options->key_count, 1, WORK_KEYS_MAX, false},
        {"--value-bytes", &options->value_size, WORK_KEY_SIZE, WORK_VALUE_SIZE_MAX, false},
        {"--replicas", &options->replica_count, 0, 9, false},
        {"--seed", &options->seed, 0, UINT64_MAX / 1000000, false},
    };
    uint64_t number;
    if (!parse_thousandths(value, &number)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        const struct number *found = &numbers[i];
        if (strcmp(found->name, name) != 0) {
            continue;
        }
        if (!found->is_seconds && number % 1000 != 0) {
            return false;
        }
        number /= found->is_seconds ? 1 : 1000;
        *found->target = number;
        return number >= found->min && number <= found->max;
    }
    return false;
}

static bool set(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--address") == 0) {
        return parse_address(value, &options->address);
    }
    if (strcmp(name, "--api") == 0) {
        options->protocol = protocol_find(value);
        return options->protocol != NULL;
    }
    if (strcmp(name, "--operation") == 0) {
        return parse_operation(value, &options->operation);
    }
    return set_number(options, name, value);
}

bool options_read(int count, char **arguments, struct options *out_options,
                  struct writer *out_problem)
{
    struct options options = {
        .protocol = protocol_find("pontoon"),
        .operation = OPERATION_PUT,
        .connection_count = 64,
        .pipeline = 1,
        .warm_up_ms = 500,
        .duration_ms = 3000,
        .key_count = 10000,
        .value_size = 256,
        .seed = 1,
    };
    for (int i = 1; i < count; i += 2) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (!set(&options, arguments[i], value)) {
            writer_format(out_problem, "no such option, or not a value for it: %s %s", arguments[i],
                          value);
            return false;
        }
    }
    if (options.address.sin_family != AF_INET) {
        writer_format(out_problem, "--address HOST:PORT is needed, HOST in numbers");
        return false;
    }
    *out_options = options;
    return true;
}
