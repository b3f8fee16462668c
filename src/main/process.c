#include "main/process.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"

#define STAT_SIZE_MAX 1024u
#define UNKNOWN ((double)NAN) /* NAN is a float */

/* The fields of /proc/self/stat as proc(5) counts them. */
enum stat_field {
    STAT_START_TICKS = 22,
    STAT_VIRTUAL_BYTES = 23,
    STAT_RESIDENT_PAGES = 24,
};

/* Reads a small file of /proc; the number of bytes, 0 if it cannot be read. */
static size_t read_small(const char *path, char *target, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t count = read(file, target, size);
    (void)close(file);
    return count > 0 ? (size_t)count : 0;
}

/* UNKNOWN if it cannot be read. */
static double read_stat(enum stat_field field)
{
    char text[STAT_SIZE_MAX];
    struct slice rest = {(const uint8_t *)text, read_small("/proc/self/stat", text, sizeof(text))};
    /* Field 2 is the program's name in parentheses and may hold spaces: count from its end. */
    const uint8_t *name_end = rest.size == 0 ? NULL : memrchr(rest.data, ')', rest.size);
    if (name_end == NULL) {
        return UNKNOWN;
    }
    rest.size -= (size_t)(name_end - rest.data);
    rest.data = name_end;
    struct slice value = api_text_split(&rest, ' ');
    for (int i = 2; i < (int)field; i++) {
        value = api_text_split(&rest, ' ');
    }
    uint64_t number;
    return api_units_parse_u64(value, &number) == OK ? (double)number : UNKNOWN;
}

static double resident_bytes(void *ctx)
{
    (void)ctx;
    return read_stat(STAT_RESIDENT_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

static double virtual_bytes(void *ctx)
{
    (void)ctx;
    return read_stat(STAT_VIRTUAL_BYTES);
}

/*
 * Seconds since the epoch: the kernel counts from the boot, whose time /proc/stat has as "btime".
 */
static double start_seconds(void *ctx)
{
    (void)ctx;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return UNKNOWN;
    }
    char line[STAT_SIZE_MAX];
    uint64_t boot = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        struct slice rest = slice_from_text(line);
        struct slice name = api_text_split(&rest, ' ');
        if (slice_equal(name, SLICE_LITERAL("btime"))) {
            struct slice value = api_text_split(&rest, '\n');
            err e = api_units_parse_u64(value, &boot);
            boot = e == OK ? boot : 0;
        }
    }
    (void)fclose(file);
    return (double)boot + read_stat(STAT_START_TICKS) / (double)sysconf(_SC_CLK_TCK);
}

double main_process_cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return UNKNOWN;
    }
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static double cpu_seconds(void *ctx)
{
    (void)ctx;
    return main_process_cpu_seconds();
}

static void count_entry(void *ctx, const char *name)
{
    double *count = ctx;
    ASSERT(name[0] != '\0');
    ++*count;
}

static double open_files(void *ctx)
{
    double count = -1; /* the descriptor that the listing itself takes */
    err e = env_dir_list(ctx, "/proc/self/fd", count_entry, &count);
    return e == OK ? count : UNKNOWN;
}

static double files_max(void *ctx)
{
    (void)ctx;
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : UNKNOWN;
}

void main_process_add_metrics(struct metrics *metrics, struct env *env)
{
    metrics_add_read(metrics, "process_cpu_seconds_total", "User and system time spent.", true,
                     cpu_seconds, NULL);
    metrics_add_read(metrics, "process_resident_memory_bytes", "Memory in RAM.", false,
                     resident_bytes, NULL);
    metrics_add_read(metrics, "process_virtual_memory_bytes", "Address space in use.", false,
                     virtual_bytes, NULL);
    metrics_add_read(metrics, "process_start_time_seconds",
                     "When the process began, in seconds since the epoch.", false, start_seconds,
                     NULL);
    metrics_add_read(metrics, "process_open_fds", "Open file descriptors.", false, open_files, env);
    metrics_add_read(metrics, "process_max_fds", "The limit of open file descriptors.", false,
                     files_max, NULL);
}

uint64_t main_process_raise_files(uint64_t needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < needed && limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return before;
        }
    }
    return limit.rlim_cur;
}
