/*
 * Counters, gauges and histograms, and their Prometheus text. A metric is a field of the struct
 * that counts; the registry only knows where it is and what it is called.
 *
 * M1  Loop thread only. What a worker measures travels back with its job's result.
 * M2  Histograms have fixed, exponential bucket bounds: an observation is a shift and an increment.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/codec.h"

struct counter {
    uint64_t value;
};

struct gauge {
    int64_t value;
};

/* Bucket i counts observations of less than 2^i units (microseconds, bytes, entries…). */
#define HISTOGRAM_BUCKETS 28
struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS]; /* the last one: everything larger too */
    uint64_t count;
    uint64_t sum;
};

static inline void counter_add(struct counter *counter, uint64_t amount)
{
    counter->value += amount;
}

/* Counts `value`, which is in the histogram's unit. */
void histogram_observe(struct histogram *histogram, uint64_t value);
/* An upper bound of the q-quantile (0 < q < 1) in the histogram's unit, less than twice the true
 * one unless that fell into the last bucket; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

/* A value that is worked out when the page is asked for. */
typedef double metrics_read_fn(void *ctx);

struct metrics;

/* An empty registry. Caller frees. */
struct metrics *metrics_new(void);
/* Frees the registry, not the metrics; accepts NULL. */
void metrics_free(struct metrics *metrics);

/*
 * Registers a metric; `name`, `help` and `labels` (like `route="kv"`, or NULL) are borrowed for the
 * registry's life, and so is the metric. Metrics of one name must be registered with one type and
 * help. `scale` multiplies values on output: 1e-6 turns microseconds into seconds.
 */
void metrics_add_counter(struct metrics *metrics, const char *name, const char *help,
                         const char *labels, const struct counter *counter);
void metrics_add_gauge(struct metrics *metrics, const char *name, const char *help,
                       const char *labels, const struct gauge *gauge);
void metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                           const char *labels, const struct histogram *histogram, double scale);
void metrics_add_read(struct metrics *metrics, const char *name, const char *help, bool is_counter,
                      metrics_read_fn *read, void *ctx);

/* Appends the exposition, text format 0.0.4, to `out`. */
void metrics_render(const struct metrics *metrics, struct writer *out);

#endif
