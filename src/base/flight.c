#include "base/flight.h"

#include <stddef.h>

#include "base/crash.h"

#define EVENT_COUNT 512u /* a power of two: the ring's index is a mask */

_Static_assert((EVENT_COUNT & (EVENT_COUNT - 1)) == 0, "the ring's index is a mask");

struct event {
    const char *what;
    uint64_t a;
    uint64_t b;
};

static struct event events[EVENT_COUNT];
static uint64_t event_next; /* the number of events ever noted */

/*
 * Relaxed atomics: plain moves on every machine of ours, and defined behaviour if a worker thread's
 * crash reads while the loop still writes.
 */
void flight_note(const char *what, uint64_t a, uint64_t b)
{
    uint64_t number = __atomic_load_n(&event_next, __ATOMIC_RELAXED);
    struct event *event = &events[number & (EVENT_COUNT - 1)];
    __atomic_store_n(&event->what, what, __ATOMIC_RELAXED);
    __atomic_store_n(&event->a, a, __ATOMIC_RELAXED);
    __atomic_store_n(&event->b, b, __ATOMIC_RELAXED);
    __atomic_store_n(&event_next, number + 1, __ATOMIC_RELAXED);
}

void flight_print(int fd)
{
    uint64_t end = __atomic_load_n(&event_next, __ATOMIC_RELAXED);
    if (end == 0) {
        return;
    }
    struct crash_out out;
    crash_init(&out, fd);
    crash_text(&out, "flight record, oldest first:\n");
    for (uint64_t number = end > EVENT_COUNT ? end - EVENT_COUNT : 0; number < end; number++) {
        const struct event *event = &events[number & (EVENT_COUNT - 1)];
        const char *what = __atomic_load_n(&event->what, __ATOMIC_RELAXED);
        crash_text(&out, "  ");
        crash_u64(&out, number);
        crash_text(&out, " ");
        crash_text(&out, what != NULL ? what : "?");
        crash_text(&out, " ");
        crash_u64(&out, __atomic_load_n(&event->a, __ATOMIC_RELAXED));
        crash_text(&out, " ");
        crash_u64(&out, __atomic_load_n(&event->b, __ATOMIC_RELAXED));
        crash_text(&out, "\n");
    }
    crash_flush(&out);
}
