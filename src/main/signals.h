/*
 * Signals as something to wait for, for commands that run a program: they decide what a signal is
 * to do. Those that ask a process to end, or tell it something: HUP, INT, QUIT, TERM, USR1, USR2.
 */
#ifndef MAIN_SIGNALS_H
#define MAIN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals {
    int fd;          /* readable: there is one */
    sigset_t before; /* what was blocked before, for a program that is run */
};

struct signal_seen {
    int number;
    bool is_of_terminal; /* the whole group got it: Ctrl-C */
};

/* Blocks them from now on. */
void main_signals_open(struct signals *signals);
/* The next one that came; false: none did. */
bool main_signals_next(struct signals *signals, struct signal_seen *out_seen);
/* As it was before; what came and was not taken is acted upon then. */
void main_signals_close(struct signals *signals);

#endif
