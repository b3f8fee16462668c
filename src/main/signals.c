#include "main/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/compiler.h"

void main_signals_open(struct signals *signals)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        (void)sigaddset(&set, numbers[i]);
    }
    int blocked = pthread_sigmask(SIG_BLOCK, &set, &signals->before);
    ASSERT(blocked == 0);
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ASSERT(signals->fd >= 0);
}

bool main_signals_next(struct signals *signals, struct signal_seen *out_seen)
{
    struct signalfd_siginfo info;
    if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return false;
    }
    *out_seen = (struct signal_seen){
        .number = (int)info.ssi_signo,
        .is_of_terminal = info.ssi_code == SI_KERNEL,
    };
    return true;
}

void main_signals_close(struct signals *signals)
{
    (void)close(signals->fd);
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
