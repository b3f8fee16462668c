/* A page of the store that cannot be read ends the process, and leaves the mark. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "main/fault.h"

#define PAGE_SIZE_BYTES 4096

static char directory[] = "/tmp/pontoon-fault-XXXXXX";
static char data_path[64];
static char mark_path[64];
static char store_path[64];

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(store_path, sizeof(store_path), "%s/store", directory);
    (void)snprintf(data_path, sizeof(data_path), "%s/store/data.mdb", directory);
    (void)snprintf(mark_path, sizeof(mark_path), "%s/store/distrusted", directory);
    return mkdir(store_path, 0700);
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(mark_path);
    (void)unlink(data_path);
    return rmdir(store_path) == 0 ? rmdir(directory) : 1;
}

/* In a process of its own: how it ends when it reads a page of `path` that the file has no more. */
static int read_a_lost_page(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(99);
        }
        (void)signal(SIGBUS, SIG_DFL); /* not cmocka's */
        main_fault_watch(directory);
        int file = open(path, O_RDWR | O_CREAT, 0600);
        if (file < 0 || ftruncate(file, PAGE_SIZE_BYTES) != 0) {
            _exit(99);
        }
        const volatile uint8_t *page = mmap(NULL, PAGE_SIZE_BYTES, PROT_READ, MAP_SHARED, file, 0);
        if (ftruncate(file, 0) != 0) {
            _exit(99);
        }
        _exit(page[10] == 0 ? 98 : 97);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_cut_store_is_marked(void **state)
{
    (void)state;
    int status = read_a_lost_page(data_path);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    assert_int_equal(access(mark_path, F_OK), 0);
    assert_int_equal(unlink(mark_path), 0);
}

static void another_fault_takes_its_course(void **state)
{
    (void)state;
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/other", directory);
    int status = read_a_lost_page(path);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    assert_int_not_equal(access(mark_path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_store_is_marked),
        cmocka_unit_test(another_fault_takes_its_course),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
