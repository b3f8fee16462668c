#include "api/ttl.h"

#include <inttypes.h>

#include "api/text.h"
#include "api/units.h"
#include "base/decimal.h"
#include "proto/txn.h"

#define ECHO_SIZE_MAX 48u

static struct slice cut(struct slice text)
{
    return (struct slice){text.data, text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX};
}

static err refuse(struct slice text, const char *what, struct problem *problem)
{
    return api_problem_set(
        problem, ERR_BAD_REQUEST,
        "%s is a duration with its unit, such as 500ms, 30s or 2h, up to %" PRIu64
        "s; 0 for none; not \"%.*s\"",
        what, TXN_TTL_MS_MAX / 1000, SLICE_ARGS(cut(text)));
}

err api_ttl_parse(struct slice text, const char *what, uint64_t *out_ms, struct problem *problem)
{
    uint64_t ms = 0;
    bool is_zero = slice_equal(text, SLICE_LITERAL("0"));
    if ((!is_zero && api_units_parse_duration(text, &ms) != OK) || ms > TXN_TTL_MS_MAX) {
        return refuse(text, what, problem);
    }
    *out_ms = ms;
    return OK;
}

/* Up to three digits behind the point. */
static bool parse_fraction(struct slice digits, uint64_t *out_ms)
{
    uint64_t ms = 0;
    uint64_t unit = 100;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || unit == 0) {
            return false;
        }
        ms += unit * (uint64_t)(digits.data[i] - '0');
        unit /= 10;
    }
    *out_ms = ms;
    return digits.size > 0;
}

err api_ttl_parse_seconds(struct slice text, const char *what, uint64_t *out_ms,
                          struct problem *problem)
{
    struct slice rest = text;
    struct slice whole = api_text_split(&rest, '.');
    uint64_t seconds;
    uint64_t ms = 0;
    if (api_units_parse_u64(whole, &seconds) != OK) {
        return api_ttl_parse(text, what, out_ms, problem);
    }
    bool has_point = whole.size < text.size;
    if ((has_point && !parse_fraction(rest, &ms)) || seconds > TXN_TTL_MS_MAX / 1000) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s is a number of seconds, such as 30 or 0.5, or a duration with "
                               "its unit, such as 500ms; not \"%.*s\"",
                               what, SLICE_ARGS(cut(text)));
    }
    *out_ms = seconds * 1000 + ms;
    return OK;
}

size_t api_ttl_write(char target[TTL_TEXT_SIZE], uint64_t ms)
{
    size_t size = decimal_write(target, ms / 1000);
    target[size] = '.';
    target[size + 1] = (char)('0' + ms % 1000 / 100);
    decimal_write_pair(target + size + 2, (unsigned)(ms % 100));
    return size + 4;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

err api_lease_parse(struct slice text, uint64_t *out_lease, struct problem *problem)
{
    uint64_t lease = 0;
    bool is_good = text.size > 0 && text.size <= LEASE_TEXT_SIZE;
    for (size_t i = 0; is_good && i < text.size; i++) {
        int digit = hex_digit(text.data[i]);
        is_good = digit >= 0;
        lease = lease << 4 | (uint64_t)(unsigned)(digit & 15);
    }
    if (!is_good || lease == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a lease's id is up to %u hex digits, as POST /leases gives it, not "
                               "\"%.*s\"",
                               LEASE_TEXT_SIZE, SLICE_ARGS(cut(text)));
    }
    *out_lease = lease;
    return OK;
}
