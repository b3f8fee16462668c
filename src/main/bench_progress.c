#include "main/bench_progress.h"

#include <inttypes.h>

#define PLAIN_SECONDS 5u /* between lines */

void main_bench_progress_begin(struct bench_progress *progress)
{
    progress->seconds = 0;
    progress->done = 0;
}

static void print(struct bench_progress *progress, const struct bench_result *result, uint64_t done,
                  uint64_t rate)
{
    FILE *out = progress->out;
    uint64_t failed = main_bench_failed(result);
    (void)fprintf(out, "%s%s: ", progress->is_terminal ? "\r\033[K" : "",
                  main_bench_phase_name(result->phase));
    if (result->phase == BENCH_FILL || result->phase == BENCH_REMOVE) {
        (void)fprintf(out, "%" PRIu64 " of %" PRIu64 " keys", done, progress->keys);
    } else if (main_bench_is_over_time(result->phase)) {
        (void)fprintf(out, "%" PRIu64 " s of %" PRIu64 " s", progress->seconds,
                      (progress->duration_ms + 999) / 1000);
    } else {
        (void)fprintf(out, "%" PRIu64 " s", progress->seconds);
    }
    (void)fprintf(out, ", %" PRIu64 "/s", rate);
    if (failed > 0) {
        (void)fprintf(out, ", %" PRIu64 " failed", failed);
    }
    (void)fprintf(out, progress->is_terminal ? "" : "\n");
    (void)fflush(out);
    progress->is_line_open = progress->is_terminal;
}

void main_bench_progress_tick(struct bench_progress *progress, const struct bench_result *result)
{
    uint64_t step = progress->is_terminal ? 1 : PLAIN_SECONDS;
    progress->seconds++;
    if (progress->seconds % step == 0) {
        uint64_t done = main_bench_good(result);
        print(progress, result, done, (done - progress->done) / step);
        progress->done = done;
    }
}

void main_bench_progress_clear(struct bench_progress *progress)
{
    if (progress->is_line_open) {
        (void)fprintf(progress->out, "\r\033[K");
        (void)fflush(progress->out);
        progress->is_line_open = false;
    }
}
