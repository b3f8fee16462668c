#include "api/standing.h"

#include <string.h>

#include "api/api_int.h"
#include "base/assert.h"
#include "base/decimal.h"

static const char fixed[] = "X-Content-Type-Options: nosniff\r\n"
                            "Content-Security-Policy: sandbox\r\n"
                            "Cache-Control: no-cache\r\n"
                            "Vary: Accept, Accept-Encoding\r\n"
                            "Accept-Ranges: bytes\r\n";

static const char *const consistencies[STANDING_KINDS] = {
    [STANDING_PLAIN] = "",
    [STANDING_LINEARIZABLE] = "KV-Consistency: linearizable\r\n",
    [STANDING_STALE] = "KV-Consistency: stale\r\n",
};

static void add_text(struct standing *lines, const char *text)
{
    size_t size = strlen(text);
    ASSERT(size <= STANDING_TEXT_SIZE - lines->size);
    memcpy(lines->text + lines->size, text, size);
    lines->size += size;
}

/* "NAME: 42". */
static void add_u64(struct standing *lines, const char *name, uint64_t value)
{
    add_text(lines, name);
    ASSERT(DECIMAL_SIZE_MAX + 2 <= STANDING_TEXT_SIZE - lines->size);
    lines->size += decimal_write(lines->text + lines->size, value);
    add_text(lines, "\r\n");
}

static void make(struct standing *lines, enum standing_kind kind, const struct node_standing *of)
{
    lines->of = *of;
    lines->size = 0;
    add_text(lines, fixed);
    lines->fixed_size = lines->size;
    add_text(lines, consistencies[kind]);
    if (of->leader != 0) {
        add_u64(lines, "KV-Leader: ", of->leader);
    }
    add_u64(lines, "KV-Term: ", of->term);
    if (of->staleness_ms != NODE_STALENESS_UNKNOWN) {
        add_u64(lines, "KV-Staleness-Ms: ", of->staleness_ms);
    }
}

struct slice api_standing_lines(struct api *api, enum standing_kind kind, bool is_success)
{
    ASSERT(kind < STANDING_KINDS);
    struct standing *lines = &api->standings[kind];
    struct node_standing now;
    node_standing(api->node, &now);
    if (UNLIKELY(lines->size == 0 || now.staleness_ms != lines->of.staleness_ms ||
                 now.term != lines->of.term || now.leader != lines->of.leader)) {
        make(lines, kind, &now);
    }
    size_t skipped = is_success ? 0 : lines->fixed_size;
    return (struct slice){(const uint8_t *)lines->text + skipped, lines->size - skipped};
}
