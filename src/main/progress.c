#include "main/progress.h"

#include <inttypes.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define PLAIN_SECONDS 10u /* between lines */
#define MIB (UINT64_C(1) << 20)

static uint64_t interval_ns(const struct progress *progress)
{
    return progress->is_terminal ? SECOND_NS : PLAIN_SECONDS * SECOND_NS;
}

void main_progress_begin(struct progress *progress, struct env *env, FILE *out, const char *work,
                         const char *unit)
{
    int fd = fileno(out);
    *progress = (struct progress){
        .env = env,
        .out = out,
        .work = work,
        .unit = unit,
        .is_terminal = fd >= 0 && isatty(fd) != 0,
        .begun_ns = env_now_ns(env),
    };
    progress->next_ns = progress->begun_ns + interval_ns(progress);
}

static void print_amount(const struct progress *progress, uint64_t amount)
{
    if (progress->unit != NULL) {
        (void)fprintf(progress->out, "%" PRIu64, amount);
    } else {
        (void)fprintf(progress->out, "%" PRIu64, amount / MIB);
    }
}

static void print(struct progress *progress, uint64_t now_ns, uint64_t done, uint64_t total)
{
    FILE *out = progress->out;
    uint64_t seconds = (now_ns - progress->begun_ns) / SECOND_NS;
    (void)fprintf(out, "%s%s: ", progress->is_terminal ? "\r\033[K" : "", progress->work);
    print_amount(progress, done);
    if (total != 0) {
        (void)fputs(" of ", out);
        print_amount(progress, total);
    }
    (void)fprintf(out, " %s, ", progress->unit == NULL ? "MiB" : progress->unit);
    print_amount(progress, seconds == 0 ? done : done / seconds);
    (void)fprintf(out, "/s, %" PRIu64 " s%s", seconds, progress->is_terminal ? "" : "\n");
    (void)fflush(out);
    progress->is_line_open = progress->is_terminal;
}

void main_progress_tell(struct progress *progress, uint64_t done, uint64_t total)
{
    uint64_t now_ns = env_now_ns(progress->env);
    if (now_ns >= progress->next_ns) {
        print(progress, now_ns, done, total);
        progress->next_ns = now_ns + interval_ns(progress);
    }
}

void main_progress_end(struct progress *progress)
{
    if (progress->is_line_open) {
        (void)fputs("\r\033[K", progress->out);
        (void)fflush(progress->out);
        progress->is_line_open = false;
    }
}
