#include "main/bench_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/document.h"
#include "base/assert.h"

#define BAR_WIDTH 40u
#define US 1e3 /* nanoseconds */
#define MS 1e6
#define SECOND 1e9

/* ---- what both say ---- */

static const struct {
    const char *text;
    const char *json;
    double share;
} quantiles[] = {
    {"p50", "p50", 0.5}, {"p90", "p90", 0.9}, {"p99", "p99", 0.99}, {"p99.9", "p999", 0.999}};

static double seconds_of(const struct bench_result *result)
{
    return (double)(result->end_ns - result->begin_ns) / SECOND;
}

static double by(double amount, double divisor)
{
    return divisor > 0 ? amount / divisor : 0;
}

static double tool_share(const struct bench_result *result)
{
    return by(result->cpu_seconds, seconds_of(result));
}

static double tool_us(const struct bench_result *result)
{
    return by(result->cpu_seconds * 1e6,
              (double)(main_bench_good(result) + main_bench_failed(result)));
}

/* A row of the histogram: how many took longer than the last one's `to_ns` and no longer than its
 * own. */
struct row {
    uint64_t to_ns;
    uint64_t count;
    uint64_t count_to;
};

/* The next row: 1, 2, 5, 10 … microseconds. Begin with zeros. */
static struct row row_after(const struct latency *latency, struct row row)
{
    uint64_t to_ns = 1000;
    while (to_ns <= row.to_ns) {
        uint64_t power = 1000;
        while (power * 10 <= to_ns) {
            power *= 10;
        }
        to_ns = to_ns / power == 1 ? power * 2 : to_ns / power == 2 ? power * 5 : power * 10;
    }
    uint64_t count_to = main_latency_count_to(latency, to_ns);
    return (struct row){to_ns, count_to - row.count_to, count_to};
}

/* ---- text ---- */

static void write_time(struct writer *out, uint64_t ns)
{
    if (ns < 10 * (uint64_t)MS) {
        writer_format(out, "%.3f ms", (double)ns / MS);
    } else if (ns < (uint64_t)SECOND) {
        writer_format(out, "%.1f ms", (double)ns / MS);
    } else {
        writer_format(out, "%.2f s", (double)ns / SECOND);
    }
}

static void write_latency(struct writer *out, const struct latency *latency)
{
    writer_format(out, "       min ");
    write_time(out, latency->min_ns);
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
        writer_format(out, ", %s ", quantiles[i].text);
        write_time(out, main_latency_quantile(latency, quantiles[i].share));
    }
    writer_format(out, ", max ");
    write_time(out, latency->max_ns);
    writer_format(out, "\n");
}

static void write_row(struct writer *out, const struct row *row, uint64_t count)
{
    static const char bar[] = "########################################";
    _Static_assert(sizeof(bar) - 1 == BAR_WIDTH, "a whole one is all of them");
    double share = (double)row->count / (double)count;
    int width = (int)(share * BAR_WIDTH + 0.5);
    writer_format(out, "       <= %6g ms |%-*.*s| %5.1f %%\n", (double)row->to_ns / MS,
                  (int)BAR_WIDTH, width, bar, share * 100);
}

static void write_histogram(struct writer *out, const struct latency *latency)
{
    struct row row = {0, 0, 0};
    while (row.count_to < latency->count) {
        row = row_after(latency, row);
        if (row.count_to > 0) {
            write_row(out, &row, latency->count);
        }
    }
}

static void write_tally(struct writer *out, const char *name, const struct bench_tally *tally,
                        double seconds)
{
    uint64_t count = tally->latency.count;
    writer_format(out, "%-6s %" PRIu64 " requests in %.1f s: %.0f/s, %.2f MB/s\n", name, count,
                  seconds, by((double)count, seconds), by((double)tally->bytes / 1e6, seconds));
    if (count > 0) {
        write_latency(out, &tally->latency);
        write_histogram(out, &tally->latency);
    }
    for (size_t i = 0; i < tally->cause_count; i++) {
        writer_format(out, "       failed: %" PRIu64 " times %s\n", tally->causes[i].count,
                      tally->causes[i].text);
    }
}

static bool is_used(const struct bench_tally *tally)
{
    return tally->latency.count + tally->failed > 0;
}

static void write_name(char target[32], enum bench_phase phase, enum bench_operation operation)
{
    bool is_one = phase == BENCH_PUT || phase == BENCH_GET;
    (void)snprintf(target, 32, "%s%s%s", is_one ? "" : main_bench_phase_name(phase),
                   is_one ? "" : " ", main_bench_operation_name(operation));
}

void main_bench_report_text(const struct bench_result *result, struct writer *out)
{
    for (size_t i = 0; i < BENCH_OPERATION_COUNT; i++) {
        char name[32];
        write_name(name, result->phase, (enum bench_operation)i);
        if (is_used(&result->tallies[i])) {
            write_tally(out, name, &result->tallies[i], seconds_of(result));
        }
    }
    if (tool_share(result) >= BENCH_TOOL_SHARE_MAX) {
        writer_format(out,
                      "       the tool itself was the limit: it took %.0f %% of a core; the "
                      "servers may be able to do more\n",
                      tool_share(result) * 100);
    }
}

/* ---- JSON ---- */

/* With three places, which is what they are good for. */
static void add_number(struct json_object *document, const char *name, double value)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "%.3f", value);
    api_document_add(document, name, json_object_new_double_s(value, text));
}

static struct json_object *json_latency(const struct latency *latency)
{
    struct json_object *document = json_object_new_object();
    add_number(document, "min", (double)latency->min_ns / US);
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
        add_number(document, quantiles[i].json,
                   (double)main_latency_quantile(latency, quantiles[i].share) / US);
    }
    add_number(document, "max", (double)latency->max_ns / US);
    return document;
}

static struct json_object *json_histogram(const struct latency *latency)
{
    struct json_object *rows = json_object_new_array();
    struct row row = {0, 0, 0};
    while (row.count_to < latency->count) {
        row = row_after(latency, row);
        if (row.count_to > 0) {
            struct json_object *document = json_object_new_object();
            api_document_add_u64(document, "to_us", row.to_ns / 1000);
            api_document_add_u64(document, "count", row.count);
            (void)json_object_array_add(rows, document);
        }
    }
    return rows;
}

static struct json_object *json_tally(const struct bench_tally *tally, double seconds)
{
    struct json_object *document = json_object_new_object();
    struct json_object *causes = json_object_new_object();
    api_document_add_u64(document, "requests", tally->latency.count);
    add_number(document, "rate", by((double)tally->latency.count, seconds));
    add_number(document, "mb_per_second", by((double)tally->bytes / 1e6, seconds));
    api_document_add(document, "latency_us", json_latency(&tally->latency));
    api_document_add(document, "histogram", json_histogram(&tally->latency));
    api_document_add_u64(document, "failed", tally->failed);
    for (size_t i = 0; i < tally->cause_count; i++) {
        api_document_add_u64(causes, tally->causes[i].text, tally->causes[i].count);
    }
    api_document_add(document, "failures", causes);
    return document;
}

struct json_object *main_bench_report_json(const struct bench_result *result)
{
    struct json_object *document = json_object_new_object();
    api_document_add_text(document, "phase", main_bench_phase_name(result->phase));
    add_number(document, "seconds", seconds_of(result));
    add_number(document, "tool_cpu_share", tool_share(result));
    add_number(document, "tool_cpu_us_per_request", tool_us(result));
    api_document_add_bool(document, "is_tool_the_limit",
                          tool_share(result) >= BENCH_TOOL_SHARE_MAX);
    for (size_t i = 0; i < BENCH_OPERATION_COUNT; i++) {
        if (is_used(&result->tallies[i])) {
            api_document_add(document, main_bench_operation_name((enum bench_operation)i),
                             json_tally(&result->tallies[i], seconds_of(result)));
        }
    }
    return document;
}
