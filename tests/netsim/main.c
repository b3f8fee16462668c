/*
 * netsim SEED DEVICE NAMESPACE...: a switch between network namespaces that loses, delays, doubles
 * and spoils packets as it is told to on standard input (README.md). It ends when that ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "delays.h"
#include "rules.h"

#define LINE_SIZE_MAX 512u
#define PACKETS_A_TURN 64u

struct netsim {
    struct rules rules;
    struct delays delays;
    int devices[RULES_PORTS_MAX];
    char line[LINE_SIZE_MAX];
    size_t line_size;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- devices ---- */

/* The device `name` of the namespace at `path`, for reading and writing packets; -1, after saying
 * what is wrong. This thread is in that namespace from then on. */
static int attach(const char *path, const char *name)
{
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) {
        (void)fprintf(stderr, "netsim: %s: %s\n", path, strerrordesc_np(errno));
        (void)close(space);
        return -1;
    }
    (void)close(space);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (device < 0 || ioctl(device, TUNSETIFF, &request) != 0) {
        (void)fprintf(stderr, "netsim: %s in %s: %s\n", name, path, strerrordesc_np(errno));
        (void)close(device);
        return -1;
    }
    return device;
}

/* A device that does not take it loses it, as hardware would. */
static void deliver(const struct netsim *sim, unsigned port, const uint8_t *data, size_t size)
{
    ssize_t written = write(sim->devices[port - 1], data, size);
    (void)written;
}

static void forward(struct netsim *sim, unsigned from, uint8_t *data, size_t size)
{
    unsigned to = packet_target(data, size);
    if (to == 0 || to > sim->rules.port_count) {
        return; /* IPv6, or broadcast: nobody's */
    }
    struct rules_fate fate;
    rules_judge(&sim->rules, from, to, &fate);
    for (unsigned i = 0; i < fate.count; i++) {
        uint8_t copy[PACKET_SIZE_MAX];
        memcpy(copy, data, size);
        if (fate.copies[i].is_corrupt &&
            packet_damage(copy, size, rules_prng(&sim->rules, from, to))) {
            sim->rules.counts.corrupted++;
        }
        uint64_t now = now_ns();
        uint64_t left;
        if (!queue_add(rules_queue(&sim->rules, from, to), now, size, &left)) {
            sim->rules.counts.overflowed++;
            continue;
        }
        uint64_t due = left + (uint64_t)fate.copies[i].delay_us * 1000;
        if (due == now) {
            deliver(sim, to, copy, size);
        } else if (!delays_add(&sim->delays, due, to, copy, size)) {
            sim->rules.counts.overflowed++;
        }
    }
}

static void take_packets(struct netsim *sim, unsigned from)
{
    uint8_t data[PACKET_SIZE_MAX];
    for (unsigned i = 0; i < PACKETS_A_TURN; i++) {
        ssize_t size = read(sim->devices[from - 1], data, sizeof(data));
        if (size <= 0) {
            return;
        }
        forward(sim, from, data, (size_t)size);
    }
}

static void deliver_due(struct netsim *sim)
{
    uint64_t now = now_ns();
    for (struct delays_packet *packet = delays_take(&sim->delays, now); packet != NULL;
         packet = delays_take(&sim->delays, now)) {
        deliver(sim, packet->port, packet->data, packet->size);
        mem_free(packet);
    }
}

/* ---- lines ---- */

static void obey(struct netsim *sim, struct slice line)
{
    struct writer answer = {0};
    rules_command(&sim->rules, line, &answer);
    (void)fwrite(answer.data, 1, answer.size, stdout);
    (void)fflush(stdout);
    writer_deinit(&answer);
}

/* Reads what has come and carries out what is whole. False: it has ended, or a line never does. */
static bool take_lines(struct netsim *sim)
{
    ssize_t count =
        read(STDIN_FILENO, sim->line + sim->line_size, sizeof(sim->line) - sim->line_size);
    if (count <= 0) {
        return false;
    }
    sim->line_size += (size_t)count;
    char *begin = sim->line;
    char *end = sim->line + sim->line_size;
    for (;;) {
        char *found = memchr(begin, '\n', (size_t)(end - begin));
        if (found == NULL) {
            break;
        }
        obey(sim, (struct slice){(const uint8_t *)begin, (size_t)(found - begin)});
        begin = found + 1;
    }
    sim->line_size = (size_t)(end - begin);
    memmove(sim->line, begin, sim->line_size);
    return sim->line_size < sizeof(sim->line);
}

/* ---- the loop ---- */

/* Waits for packets, lines, or the next packet that is due. False: standard input has ended. */
static bool turn(struct netsim *sim)
{
    struct pollfd polled[RULES_PORTS_MAX + 1];
    unsigned port_count = sim->rules.port_count;
    for (unsigned i = 0; i < port_count; i++) {
        polled[i] = (struct pollfd){.fd = sim->devices[i], .events = POLLIN};
    }
    polled[port_count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    uint64_t due = delays_next_ns(&sim->delays);
    uint64_t now = now_ns();
    uint64_t wait = due > now ? due - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000),
                               .tv_nsec = (long)(wait % 1000000000)};
    int ready = ppoll(polled, port_count + 1, due == UINT64_MAX ? NULL : &timeout, NULL);
    if (ready < 0) {
        return errno == EINTR;
    }
    /* A rule holds for every packet that is taken after its line was answered. */
    if (polled[port_count].revents != 0 && !take_lines(sim)) {
        return false;
    }
    for (unsigned i = 0; i < port_count; i++) {
        if (polled[i].revents != 0) {
            take_packets(sim, i + 1);
        }
    }
    deliver_due(sim);
    return true;
}

static bool parse_seed(const char *text, uint64_t *out_seed)
{
    uint64_t seed = 0;
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        seed = seed * 10 + (uint64_t)(text[i] - '0');
    }
    *out_seed = seed;
    return size > 0;
}

int main(int count, char **arguments)
{
    static struct netsim sim;
    uint64_t seed;
    if (count < 4 || count > 3 + (int)RULES_PORTS_MAX || !parse_seed(arguments[1], &seed)) {
        (void)fprintf(stderr, "usage: netsim SEED DEVICE NAMESPACE...   (at most %u)\n",
                      RULES_PORTS_MAX);
        return 2;
    }
    unsigned port_count = (unsigned)count - 3;
    rules_init(&sim.rules, port_count, seed);
    for (unsigned i = 0; i < port_count; i++) {
        sim.devices[i] = attach(arguments[3 + i], arguments[2]);
        if (sim.devices[i] < 0) {
            return 1;
        }
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (turn(&sim)) {
    }
    delays_deinit(&sim.delays);
    return 0;
}
