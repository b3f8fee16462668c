/* What the tests of env share: cmocka, an environment, waiting for a flag, a directory of their
 * own. */
#ifndef ENV_TESTING_H
#define ENV_TESTING_H

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"

#define PATIENCE_MS 20000u

struct patience {
    struct env_timer timer;
    bool is_over;
};

static inline void patience_is_over(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct patience, timer)->is_over = true;
}

/* Runs turns until *flag; the test fails if that takes too long. */
static inline void run_until(struct env *env, const bool *flag)
{
    struct patience patience = {.is_over = false};
    env_timer_init(env, &patience.timer, patience_is_over);
    env_timer_start(&patience.timer, PATIENCE_MS, 0);
    while (!*flag && !patience.is_over) {
        env_uv_run_once(env, true);
    }
    env_timer_deinit(&patience.timer);
    assert_true(*flag);
}

#define DIRECTORY_PATH_SIZE 64
#define TESTING_PATH_SIZE 320

/* Makes a directory of the test's own and fills `path` with its name. */
static inline void directory_make(char path[DIRECTORY_PATH_SIZE])
{
    (void)snprintf(path, DIRECTORY_PATH_SIZE, "/tmp/pontoon-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

/* Removes the directory and the files in it. */
static inline void directory_remove(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char name[TESTING_PATH_SIZE];
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        (void)remove(name);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

/* From now on this process cannot write files at or above `size`, as on a full disk; RLIM_INFINITY:
 * it can again. */
static inline void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0) {
        _exit(99); /* in a child, perhaps, where cmocka cannot fail */
    }
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        _exit(99);
    }
}

#endif
