/*
 * What a power cut may have left on a disk:
 *
 *   crash_state IMAGE LOG FIRST-MARK TARGET SEED
 *
 * Takes a point of LOG (of disk.c, which began with IMAGE) behind the mark FIRST-MARK, by chance.
 * All that was flushed before it is on the disk. Of what was written since the last flush anything
 * may be: each write, or each sector of 512 bytes of it, is kept or not, by chance; so writes are
 * dropped, torn, and seem to have been carried out in another order. The result is TARGET.
 *
 * Prints "<point> <points> <mark> <kept> <dropped> <torn>": `mark` is the last one before the
 * point, the others count writes since the last flush.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/prng.h"
#include "disk_log.h"

#define SECTOR_SIZE 512u
#define PAGE_SIZE 4096u

struct file {
    uint8_t *bytes;
    size_t size;
};

/* A record of the log, and where its bytes are. */
struct point {
    struct disk_record record;
    const uint8_t *bytes;
};

struct log {
    struct point *points;
    size_t count;
    size_t capacity;
};

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static struct file map(const char *path, int protection)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        die(path);
    }
    struct file file = {.size = (size_t)status.st_size};
    file.bytes = mmap(NULL, file.size, protection, MAP_PRIVATE, fd, 0);
    if (file.bytes == MAP_FAILED) {
        die(path);
    }
    (void)close(fd);
    return file;
}

/* The log's last record may be cut: whoever kept it was killed. */
static struct log read_log(struct file file)
{
    struct log log = {0};
    size_t at = 0;
    while (file.size - at >= sizeof(struct disk_record)) {
        struct point point;
        memcpy(&point.record, file.bytes + at, sizeof(point.record));
        at += sizeof(point.record);
        if (point.record.size > file.size - at) {
            break;
        }
        point.bytes = file.bytes + at;
        at += point.record.size;
        if (log.count == log.capacity) {
            log.capacity = log.capacity > 0 ? 2 * log.capacity : 4096;
            log.points = realloc(log.points, log.capacity * sizeof(log.points[0]));
            if (log.points == NULL) {
                die("memory");
            }
        }
        log.points[log.count++] = point;
    }
    return log;
}

static size_t find_mark(const struct log *log, uint64_t mark)
{
    for (size_t i = 0; i < log->count; i++) {
        if (log->points[i].record.type == DISK_MARK && log->points[i].record.place >= mark) {
            return i;
        }
    }
    (void)fputs("crash_state: the log does not have this mark\n", stderr);
    exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* What was written since the last flush before `end`. */
static size_t count_open(const struct log *log, size_t end)
{
    size_t count = 0;
    for (size_t i = end; i > 0 && log->points[i - 1].record.type != DISK_FLUSH; i--) {
        count += log->points[i - 1].record.type == DISK_WRITE ? 1 : 0;
    }
    return count;
}

/* A point behind `first`. Of several the one where most is open: at most points little is. */
static size_t draw_point(const struct log *log, size_t first, struct prng *prng)
{
    size_t best = first + 1;
    size_t best_open = 0;
    for (uint64_t left = 1 + prng_below(prng, 8); left > 0; left--) {
        size_t end = first + 1 + (size_t)prng_below(prng, log->count - first);
        size_t open = count_open(log, end);
        if (best == first + 1 || open > best_open) {
            best = end;
            best_open = open;
        }
    }
    return best;
}

/* How much of what was not flushed is kept: nothing, little, half, much, all. */
static uint64_t draw_percent(struct prng *prng)
{
    static const uint64_t percents[] = {0, 10, 50, 50, 90, 100};
    return percents[prng_below(prng, sizeof(percents) / sizeof(percents[0]))];
}

struct tally {
    unsigned kept;
    unsigned dropped;
    unsigned torn;
};

static void write_some(struct file image, const struct point *point, struct prng *prng,
                       uint64_t percent, size_t grain, struct tally *tally)
{
    size_t size = point->record.size;
    bool has_kept = false;
    bool has_dropped = false;
    for (size_t at = 0; at < size; at += grain) {
        size_t count = size - at < grain ? size - at : grain;
        if (prng_below(prng, 100) < percent) {
            memcpy(image.bytes + point->record.place + at, point->bytes + at, count);
            has_kept = true;
        } else {
            has_dropped = true;
        }
    }
    if (has_kept && has_dropped) {
        tally->torn++;
    } else if (has_kept) {
        tally->kept++;
    } else {
        tally->dropped++;
    }
}

static struct tally crash(struct file image, const struct log *log, size_t end, struct prng *prng)
{
    size_t flushed = 0;
    for (size_t i = 0; i < end; i++) {
        if (log->points[i].record.type == DISK_FLUSH) {
            flushed = i;
        }
    }
    uint64_t percent = draw_percent(prng);
    bool is_torn = prng_below(prng, 2) == 0;
    struct tally tally = {0};
    for (size_t i = 0; i < end; i++) {
        const struct point *point = &log->points[i];
        if (point->record.type != DISK_WRITE) {
            continue;
        }
        if (point->record.place + point->record.size > image.size) {
            die("a write beyond the image");
        }
        if (i < flushed) {
            memcpy(image.bytes + point->record.place, point->bytes, point->record.size);
        } else {
            write_some(image, point, prng, percent, is_torn ? SECTOR_SIZE : point->record.size,
                       &tally);
        }
    }
    return tally;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* With holes where there are zeros: most of an image is empty. */
static void save(struct file image, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)image.size) != 0) {
        die(path);
    }
    for (size_t at = 0; at < image.size; at += PAGE_SIZE) {
        if (!is_zero(image.bytes + at, PAGE_SIZE) &&
            pwrite(fd, image.bytes + at, PAGE_SIZE, (off_t)at) != PAGE_SIZE) {
            die(path);
        }
    }
    (void)close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("usage: crash_state IMAGE LOG FIRST-MARK TARGET SEED\n", stderr);
        return 2;
    }
    struct file image = map(argv[1], PROT_READ | PROT_WRITE);
    struct log log = read_log(map(argv[2], PROT_READ));
    struct prng prng;
    prng_init(&prng, strtoull(argv[5], NULL, 10));
    size_t first = find_mark(&log, strtoull(argv[3], NULL, 10));
    size_t end = draw_point(&log, first, &prng);
    uint64_t mark = 0;
    for (size_t i = 0; i < end; i++) {
        mark = log.points[i].record.type == DISK_MARK ? log.points[i].record.place : mark;
    }
    struct tally tally = crash(image, &log, end, &prng);
    save(image, argv[4]);
    (void)printf("%zu %zu %llu %u %u %u\n", end, log.count, (unsigned long long)mark, tally.kept,
                 tally.dropped, tally.torn);
    free(log.points);
    return 0;
}
