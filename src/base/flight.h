/*
 * The flight record: the last few hundred events of a node in a ring, printed by assert_failed and
 * fatal. The one piece of process-wide state, as a crash has no context to be handed: like a signal
 * handler it belongs to the process. Loop thread writes; a crash reads whatever is there.
 */
#ifndef BASE_FLIGHT_H
#define BASE_FLIGHT_H

#include <stdint.h>

/* Notes an event; `what` has static storage. Costs a few nanoseconds. */
void flight_note(const char *what, uint64_t a, uint64_t b);

/* Prints the record, oldest first, to file descriptor `fd`. Async-signal-safe. */
void flight_print(int fd);

#endif
