/*
 * Asserts for "we are wrong", fatal for "the ground is gone" (docs/STYLE.md, errors).
 *
 * ASSERT is on in every build, release too: a node that has lost its invariants must stop, Raft
 * tolerates a crash but not a liar. INVARIANT is for checks that cost more than O(1): on where
 * PONTOON_INVARIANTS is defined (the sanitizer builds and the simulator). Neither may ever be
 * reached by input from a disk, a network or a user: that is decoded to an err.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#ifdef NDEBUG
#error "asserts stay on: do not define NDEBUG"
#endif

/* Prints the failed condition, the flight record and a backtrace to standard error, then aborts. */
_Noreturn void assert_failed(const char *condition, const char *file, int line,
                             const char *function);

/*
 * Prints "fatal: WHAT: strerror(errno_value)" (the last part only if errno_value is not 0) as the
 * process' last line and exits with status 1 at once: no destructors, no flushing.
 */
_Noreturn void fatal(int errno_value, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            assert_failed(#condition, __FILE__, __LINE__, __func__);                               \
        }                                                                                          \
    } while (0)

#ifdef PONTOON_INVARIANTS
#define INVARIANT(condition) ASSERT(condition)
#else
#define INVARIANT(condition) ((void)sizeof(condition))
#endif

#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__, __func__)

#endif
