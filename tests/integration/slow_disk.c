/*
 * Preloaded into a node: a disk that takes its time. The file that SLOW_DISK names says how, and is
 * read anew at each sync; empty, or not there: the disk is as it is.
 *
 *     stall            a sync does not come back as long as the file says so
 *     hiccup E L       of every E milliseconds L are such that no sync ends in them
 *     slow L           each sync takes L milliseconds longer
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000L

typedef int sync_fn(int fd);

static void read_mood(char text[64])
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it while the program runs */
    const char *path = getenv("SLOW_DISK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t size = fd >= 0 ? read(fd, text, 63) : 0;
    text[size > 0 ? size : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

static void wait_for_disk(void)
{
    char text[64];
    read_mood(text);
    while (strncmp(text, "stall", 5) == 0) {
        sleep_ms(5);
        read_mood(text);
    }
    if (strncmp(text, "slow ", sizeof("slow")) == 0) {
        sleep_ms(strtol(text + sizeof("slow"), NULL, 10));
    }
    char *rest = text + sizeof("hiccup");
    bool is_hiccup = strncmp(text, "hiccup ", sizeof("hiccup")) == 0;
    long every = is_hiccup ? strtol(rest, &rest, 10) : 0;
    long length = is_hiccup ? strtol(rest, &rest, 10) : 0;
    if (every > length && length > 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        long at = (now.tv_sec % 100000 * 1000 + now.tv_nsec / NS_PER_MS) % every;
        if (at < length) {
            sleep_ms(length - at);
        }
    }
}

static int sync_slowly(const char *name, int fd)
{
    sync_fn *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, name);
    wait_for_disk();
    return real(fd);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): theirs is reserved */
int fdatasync(int fd)
{
    return sync_slowly("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_slowly("fsync", fd);
}
