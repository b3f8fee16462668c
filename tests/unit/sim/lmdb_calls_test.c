#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "sim/lmdb_calls.h"
#include "sim_testing.h"

/* Under these names LMDB calls them; those of a test that is compiled for large files end in 64. */
int real_open(const char *path, int flags, ...) __asm__("open");
int real_ftruncate(int fd, off_t size) __asm__("ftruncate");
ssize_t real_pwrite(int fd, const void *bytes, size_t size, off_t offset) __asm__("pwrite");
#define open real_open
#define ftruncate real_ftruncate
#define pwrite real_pwrite

static struct env *env;

/* A life with an empty "data.mdb", as production makes it before it calls LMDB. */
static struct sim *one_life(void)
{
    struct sim *sim = testing_sim(1);
    env = testing_life(sim, 1);
    (void)disk_create(sim->hosts[1]->disk, "data.mdb", true);
    return sim;
}

static void in_life(void (*code)(void *ctx), void *ctx)
{
    assert_int_equal(env_sim_call(env, code, ctx), ENV_RUNS);
}

static struct inode *data_file(void)
{
    return disk_find(env->host->disk, "data.mdb");
}

static char letter_at(uint64_t offset)
{
    char letter = '?';
    (void)inode_read(data_file(), offset, &letter, 1);
    return letter;
}

static void write_and_look(void *ctx)
{
    (void)ctx;
    int fd = open("data.mdb", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    const char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(pwrite(fd, "ab", 2, 4096), 2);
    assert_int_equal(map[4097], 'b'); /* at once, as through the page cache */
    assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
    struct iovec parts[2] = {{(void *)(uintptr_t) "cd", 2}, {(void *)(uintptr_t) "e", 1}};
    assert_int_equal(writev(fd, parts, 2), 3);
    assert_int_equal(write(fd, "f", 1), 1);
    assert_memory_equal(map + 100, "cdef", 4);
    assert_false(inode_is_clean(data_file()));
    assert_int_equal(fdatasync(fd), 0);
    assert_true(inode_is_clean(data_file()));
    assert_int_equal(munmap((void *)(uintptr_t)map, 8192), 0);
    assert_int_equal(close(fd), 0);
}

static void the_data_file_is_the_simulated_disks_and_mapped(void **state)
{
    (void)state;
    (void)one_life();
    in_life(write_and_look, NULL);
    assert_int_equal(inode_size(data_file()), 8192);
    assert_int_equal(letter_at(4096), 'a');
}

static void write_synchronously(void *ctx)
{
    (void)ctx;
    int fd = open("data.mdb", O_RDWR | O_CLOEXEC);
    int durable = open("data.mdb", O_WRONLY | O_DSYNC | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_int_equal(pwrite(fd, "a", 1, 0), 1);
    assert_int_equal(pwrite(durable, "m", 1, 4096), 1);
    assert_int_equal(close(durable), 0);
    assert_int_equal(close(fd), 0);
}

static void what_is_written_with_o_dsync_survives_and_the_rest_does_not(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    assert_int_equal(disk_sync_directory(sim->hosts[1]->disk, "."), OK);
    in_life(write_synchronously, NULL);
    (void)disk_crash(sim->hosts[1]->disk, DISK_CRASH_LOST, &sim->hosts[1]->chance);
    assert_int_equal(letter_at(0), '\0');
    assert_int_equal(letter_at(4096), 'm');
}

static void meet_errors(void *ctx)
{
    (void)ctx;
    int fd = open("data.mdb", O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "a", 1, 0), 1);
    env->host->is_full = true;
    assert_int_equal(pwrite(fd, "b", 1, 1), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(pwrite(fd, "b", 1, 0), 1);
    env->host->syncs_until_error = 1;
    assert_int_equal(fdatasync(fd), 0); /* LMDB could not tell it from the full disk */
    env->host->is_full = false;
    assert_int_equal(fdatasync(fd), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(open("other.mdb", O_RDWR | O_CLOEXEC), -1);
    assert_int_equal(errno, ENOENT);
    int lock = open("store/lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(pwrite(lock, "l", 1, 0), 1); /* a plain file, that costs nothing */
    assert_null(disk_find(env->host->disk, "store/lock.mdb"));
    assert_int_equal(close(lock), 0);
    assert_int_equal(close(fd), 0);
}

static void a_full_disk_and_a_failing_sync_are_lmdbs_too(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(meet_errors, NULL);
    assert_true(sim->hosts[1]->has_sync_failed);
    assert_true(sim->hosts[1]->was_refused);
    assert_int_equal(sim->counts[SIM_DISK_FULL], 1);
}

static int left_open = -1;

static void leave_open(void *ctx)
{
    (void)ctx;
    left_open = open("data.mdb", O_RDWR | O_CLOEXEC);
    assert_true(left_open >= 0);
}

static void crash_on_write(void *ctx)
{
    (void)ctx;
    (void)!pwrite(left_open, "a", 1, 0);
}

static void a_life_that_ends_has_no_descriptors(void **state)
{
    (void)state;
    (void)one_life();
    in_life(leave_open, NULL);
    env->effects_until_crash = 1;
    assert_int_equal(env_sim_call(env, crash_on_write, NULL), ENV_CRASHED);
    assert_int_equal(inode_size(data_file()), 0);
    lmdb_calls_end(env);
    assert_int_equal(fcntl(left_open, F_GETFD), -1);
    lmdb_calls_end(env);
}

static void the_simulator_itself_has_the_real_calls(void **state)
{
    (void)state;
    (void)one_life();
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(open("data.mdb", O_RDWR | O_CLOEXEC), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_data_file_is_the_simulated_disks_and_mapped),
        cmocka_unit_test(what_is_written_with_o_dsync_survives_and_the_rest_does_not),
        cmocka_unit_test(a_full_disk_and_a_failing_sync_are_lmdbs_too),
        cmocka_unit_test(a_life_that_ends_has_no_descriptors),
        cmocka_unit_test(the_simulator_itself_has_the_real_calls),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
