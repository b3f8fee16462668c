#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define CAPACITY_FIRST 64u

enum kind {
    KIND_COUNTER,
    KIND_GAUGE,
    KIND_HISTOGRAM,
    KIND_READ_COUNTER,
    KIND_READ_GAUGE,
};

struct metric {
    const char *name;
    const char *help;
    const char *labels; /* "" for none */
    enum kind kind;
    double scale;
    union {
        const struct counter *counter;
        const struct gauge *gauge;
        const struct histogram *histogram;
        metrics_read_fn *read;
    } source;
    void *ctx;
};

/* In the order of output: metrics of one name stand together, as the format wants it. */
struct metrics {
    struct metric *list;
    size_t count;
    size_t capacity;
};

/* ---- histograms ---- */

/* Bucket i holds the values of i significant bits. */
static size_t bucket_of(uint64_t value)
{
    size_t bits = value == 0 ? 0 : 64 - (size_t)__builtin_clzll(value);
    return bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that bucket i, not the last one, can hold. */
static uint64_t bucket_max(size_t i)
{
    ASSERT(i < HISTOGRAM_BUCKETS - 1);
    return (UINT64_C(1) << i) - 1;
}

void histogram_observe(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    ASSERT(q > 0);
    ASSERT(q < 1);
    if (histogram->count == 0) {
        return 0;
    }
    double rank = q * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += histogram->buckets[i];
        if ((double)seen >= rank) {
            return bucket_max(i);
        }
    }
    return histogram->sum; /* no value is larger than all of them together */
}

/* ---- registration ---- */

struct metrics *metrics_new(void)
{
    return mem_calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
    if (metrics != NULL) {
        mem_free(metrics->list);
        mem_free(metrics);
    }
}

static const char *type_name(enum kind kind)
{
    switch (kind) {
    case KIND_COUNTER:
    case KIND_READ_COUNTER:
        return "counter";
    case KIND_GAUGE:
    case KIND_READ_GAUGE:
        return "gauge";
    case KIND_HISTOGRAM:
        return "histogram";
    default:
        UNREACHABLE();
    }
}

static bool is_name(const char *text)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";
    return *text != '\0' && strchr("0123456789", *text) == NULL &&
           strspn(text, rest) == strlen(text);
}

/* Where the metric goes: after the last one of its name, else at the end. */
static size_t place_of(const struct metrics *metrics, const struct metric *metric)
{
    for (size_t i = metrics->count; i > 0; i--) {
        const struct metric *other = &metrics->list[i - 1];
        if (strcmp(other->name, metric->name) == 0) {
            ASSERT(strcmp(type_name(other->kind), type_name(metric->kind)) == 0);
            ASSERT(strcmp(other->help, metric->help) == 0);
            return i;
        }
    }
    return metrics->count;
}

static void add(struct metrics *metrics, const struct metric *metric)
{
    ASSERT(is_name(metric->name));
    ASSERT(strpbrk(metric->help, "\\\n") == NULL); /* would need escaping */
    if (metrics->count == metrics->capacity) {
        metrics->capacity = metrics->capacity > 0 ? metrics->capacity * 2 : CAPACITY_FIRST;
        metrics->list = mem_realloc(metrics->list, metrics->capacity, sizeof(*metrics->list));
    }
    size_t place = place_of(metrics, metric);
    memmove(&metrics->list[place + 1], &metrics->list[place],
            (metrics->count - place) * sizeof(*metrics->list));
    metrics->list[place] = *metric;
    if (metric->labels == NULL) {
        metrics->list[place].labels = "";
    }
    metrics->count++;
}

void metrics_add_counter(struct metrics *metrics, const char *name, const char *help,
                         const char *labels, const struct counter *counter)
{
    const struct metric metric = {.name = name,
                                  .help = help,
                                  .labels = labels,
                                  .kind = KIND_COUNTER,
                                  .source = {.counter = counter}};
    add(metrics, &metric);
}

void metrics_add_gauge(struct metrics *metrics, const char *name, const char *help,
                       const char *labels, const struct gauge *gauge)
{
    const struct metric metric = {.name = name,
                                  .help = help,
                                  .labels = labels,
                                  .kind = KIND_GAUGE,
                                  .source = {.gauge = gauge}};
    add(metrics, &metric);
}

void metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                           const char *labels, const struct histogram *histogram, double scale)
{
    const struct metric metric = {.name = name,
                                  .help = help,
                                  .labels = labels,
                                  .kind = KIND_HISTOGRAM,
                                  .scale = scale,
                                  .source = {.histogram = histogram}};
    ASSERT(scale > 0);
    add(metrics, &metric);
}

void metrics_add_read(struct metrics *metrics, const char *name, const char *help, bool is_counter,
                      metrics_read_fn *read, void *ctx)
{
    const struct metric metric = {.name = name,
                                  .help = help,
                                  .kind = is_counter ? KIND_READ_COUNTER : KIND_READ_GAUGE,
                                  .source = {.read = read},
                                  .ctx = ctx};
    ASSERT(read != NULL);
    add(metrics, &metric);
}

/* ---- output ---- */

/* "NAME{LABELS} ", without braces where there are no labels. */
static void render_name(const struct metric *metric, const char *suffix, struct writer *out)
{
    const char *labels = metric->labels;
    if (*labels == '\0') {
        writer_format(out, "%s%s ", metric->name, suffix);
    } else {
        writer_format(out, "%s%s{%s} ", metric->name, suffix, labels);
    }
}

/* 15 digits are what a double holds for sure: 1e-06, not 9.9999999999999995e-07. */
static void render_double(double value, struct writer *out)
{
    if (isnan(value)) {
        writer_format(out, "NaN\n");
    } else if (isinf(value)) {
        writer_format(out, value > 0 ? "+Inf\n" : "-Inf\n");
    } else {
        writer_format(out, "%.15g\n", value);
    }
}

static void render_histogram(const struct metric *metric, struct writer *out)
{
    const struct histogram *histogram = metric->source.histogram;
    const char *comma = *metric->labels == '\0' ? "" : ",";
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += histogram->buckets[i];
        writer_format(out, "%s_bucket{%s%sle=\"%.15g\"} %" PRIu64 "\n", metric->name,
                      metric->labels, comma, (double)bucket_max(i) * metric->scale, seen);
    }
    writer_format(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name, metric->labels,
                  comma, histogram->count);
    render_name(metric, "_sum", out);
    render_double((double)histogram->sum * metric->scale, out);
    render_name(metric, "_count", out);
    writer_format(out, "%" PRIu64 "\n", histogram->count);
}

static void render_metric(const struct metric *metric, struct writer *out)
{
    switch (metric->kind) {
    case KIND_COUNTER:
        render_name(metric, "", out);
        writer_format(out, "%" PRIu64 "\n", metric->source.counter->value);
        break;
    case KIND_GAUGE:
        render_name(metric, "", out);
        writer_format(out, "%" PRId64 "\n", metric->source.gauge->value);
        break;
    case KIND_HISTOGRAM:
        render_histogram(metric, out);
        break;
    case KIND_READ_COUNTER:
    case KIND_READ_GAUGE:
        render_name(metric, "", out);
        render_double(metric->source.read(metric->ctx), out);
        break;
    default:
        UNREACHABLE();
    }
}

void metrics_render(const struct metrics *metrics, struct writer *out)
{
    for (size_t i = 0; i < metrics->count; i++) {
        const struct metric *metric = &metrics->list[i];
        if (i == 0 || strcmp(metric->name, metrics->list[i - 1].name) != 0) {
            writer_format(out, "# HELP %s %s\n", metric->name, metric->help);
            writer_format(out, "# TYPE %s %s\n", metric->name, type_name(metric->kind));
        }
        render_metric(metric, out);
    }
}
