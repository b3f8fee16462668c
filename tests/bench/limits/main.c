/*
 * bench-limits DIRECTORY SECONDS: what this machine allows at best, each measured for so long.
 * Prints a line of JSON, medians in microseconds:
 *
 *   sync_us        a small write over blocks that are there already, and its fdatasync
 *   two_syncs_us   the same while another thread does it with another file, each as fast as it can
 *   round_trip_us  a small message to another process over loopback TCP and back, both placed by
 *                  the kernel; round_trip_apart_us: each held on a core of its own
 *
 * They are what one write of a cluster with three nodes on one machine cannot do without.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITE_SIZE 512
#define FILE_SIZE (4 << 20)
#define MESSAGE_SIZE 256
#define SAMPLES_MAX 2000000
#define SECONDS_MAX 60

struct samples {
    uint32_t *ns;
    size_t count;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void add(struct samples *samples, uint64_t ns)
{
    if (samples->count < SAMPLES_MAX) {
        samples->ns[samples->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static void samples_init(struct samples *samples)
{
    *samples = (struct samples){calloc(SAMPLES_MAX, sizeof(uint32_t)), 0};
    if (samples->ns == NULL) {
        die("calloc");
    }
}

/* The median in microseconds; the samples are freed. */
static double finish(struct samples *samples)
{
    qsort(samples->ns, samples->count, sizeof(uint32_t), compare);
    size_t middle = samples->count / 2;
    double median = samples->count > 0 ? samples->ns[middle] / 1000.0 : 0;
    free(samples->ns);
    return median;
}

/* ---- the disk ---- */

struct disk_loop {
    const char *directory;
    unsigned number;
    uint64_t duration_ns;
    struct samples samples;
};

/* A file whose blocks are written, so that a sync has data to write and nothing else. */
static int open_file(const struct disk_loop *loop)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/limits-%u", loop->directory, loop->number);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || unlink(path) != 0) {
        die(path);
    }
    static const char zeros[1 << 16];
    for (int size = 0; size < FILE_SIZE; size += (int)sizeof(zeros)) {
        if (write(file, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros)) {
            die("write");
        }
    }
    if (fsync(file) != 0) {
        die("fsync");
    }
    return file;
}

static void *sync_often(void *ctx)
{
    struct disk_loop *loop = ctx;
    int file = open_file(loop);
    char bytes[WRITE_SIZE];
    memset(bytes, 'x', sizeof(bytes));
    uint64_t end = now_ns() + loop->duration_ns;
    off_t place = 0;
    for (uint64_t begin = now_ns(); begin < end;) {
        if (pwrite(file, bytes, sizeof(bytes), place) != WRITE_SIZE || fdatasync(file) != 0) {
            die("fdatasync");
        }
        place = (place + WRITE_SIZE) % FILE_SIZE;
        uint64_t now = now_ns();
        add(&loop->samples, now - begin);
        begin = now;
    }
    (void)close(file);
    return NULL;
}

/* The median of a sync while `count` threads, at most two, do it. */
static double measure_syncs(const char *directory, uint64_t duration_ns, unsigned count)
{
    struct disk_loop loops[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < count; i++) {
        loops[i] = (struct disk_loop){directory, i, duration_ns, {NULL, 0}};
        samples_init(&loops[i].samples);
        if (pthread_create(&threads[i], NULL, sync_often, &loops[i]) != 0) {
            die("pthread_create");
        }
    }
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
        sum += finish(&loops[i].samples);
    }
    return sum / count;
}

/* ---- the network ---- */

static bool exchange(int socket, bool sends_first)
{
    char message[MESSAGE_SIZE] = {0};
    if (sends_first && send(socket, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE_SIZE) {
        return false;
    }
    if (recv(socket, message, sizeof(message), MSG_WAITALL) != MESSAGE_SIZE) {
        return false;
    }
    return sends_first || send(socket, message, sizeof(message), MSG_NOSIGNAL) == MESSAGE_SIZE;
}

static void hold_on(size_t core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    if (sched_setaffinity(0, sizeof(cores), &cores) != 0) {
        die("sched_setaffinity");
    }
}

static void set_no_delay(int socket)
{
    int one = 1;
    if (socket < 0 || setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
        die("socket");
    }
}

/* The other process: answers until the connection ends. */
static _Noreturn void answer(int listener, bool is_apart)
{
    if (is_apart) {
        hold_on(1);
    }
    int server = accept(listener, NULL, NULL);
    set_no_delay(server);
    while (exchange(server, false)) {
    }
    _exit(0);
}

/* The median round trip; 0 where there is no second core to be apart on. */
static double measure_round_trips(uint64_t duration_ns, bool is_apart)
{
    if (is_apart && sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        return 0;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        die("listen");
    }
    pid_t other = fork();
    if (other == 0) {
        answer(listener, is_apart);
    }
    if (is_apart) {
        hold_on(0);
    }
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_no_delay(client);
    if (connect(client, (struct sockaddr *)&address, size) != 0) {
        die("connect");
    }
    struct samples samples;
    samples_init(&samples);
    uint64_t end = now_ns() + duration_ns;
    for (uint64_t begin = now_ns(); begin < end;) {
        if (!exchange(client, true)) {
            die("recv");
        }
        uint64_t now = now_ns();
        add(&samples, now - begin);
        begin = now;
    }
    (void)close(client);
    (void)close(listener);
    (void)waitpid(other, NULL, 0);
    return finish(&samples);
}

int main(int count, char **arguments)
{
    char *end = NULL;
    double seconds = count == 3 ? strtod(arguments[2], &end) : 0;
    if (count != 3 || end == arguments[2] || *end != '\0' || !(seconds > 0) ||
        seconds > SECONDS_MAX) {
        (void)fprintf(stderr, "usage: bench-limits DIRECTORY SECONDS   (at most %d)\n",
                      SECONDS_MAX);
        return 2;
    }
    uint64_t duration_ns = (uint64_t)(seconds * 1e9);
    double sync_us = measure_syncs(arguments[1], duration_ns, 1);
    double two_syncs_us = measure_syncs(arguments[1], duration_ns, 2);
    double round_trip_us = measure_round_trips(duration_ns, false);
    double apart_us = measure_round_trips(duration_ns, true); /* last: it holds us on a core */
    (void)printf("{\"sync_us\": %.1f, \"two_syncs_us\": %.1f, \"round_trip_us\": %.1f, "
                 "\"round_trip_apart_us\": %.1f}\n",
                 sync_us, two_syncs_us, round_trip_us, apart_us);
    return 0;
}
