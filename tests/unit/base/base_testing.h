/* What the tests of base share: cmocka, and watching a process die. */
#ifndef BASE_TESTING_H
#define BASE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct death {
    int status; /* as waitpid gives it */
    char text[1 << 16];
};

/* Runs `die` in a child process and fills `death` with its end and with what it said on standard
 * error. */
static inline void death_of(void (*die)(void), struct death *death)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        die();
        _exit(99);
    }
    (void)close(fds[1]);
    size_t size = 0;
    ssize_t count;
    do {
        count = read(fds[0], death->text + size, sizeof(death->text) - 1 - size);
        size += count > 0 ? (size_t)count : 0;
    } while (count > 0);
    death->text[size] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &death->status, 0), child);
}

#endif
