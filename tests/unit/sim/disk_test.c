#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sim/disk.h"

#define S DISK_SECTOR

static struct slice filled(uint8_t *bytes, size_t size, char with)
{
    memset(bytes, with, size);
    return (struct slice){bytes, size};
}

/* Writes `size` bytes of one letter. */
static void write_letters(struct inode *inode, uint64_t offset, size_t size, char letter)
{
    uint8_t bytes[16 * S];
    assert_true(size <= sizeof(bytes));
    inode_write(inode, offset, filled(bytes, size, letter), false);
}

static char letter_at(const struct inode *inode, uint64_t offset)
{
    char letter = '?';
    assert_int_equal(inode_read(inode, offset, &letter, 1), 1);
    return letter;
}

struct a_disk {
    struct disk *disk;
    struct inode *inode; /* of "d/file", there and durable */
    struct prng prng;
};

static void open_disk(struct a_disk *at, uint64_t seed, bool is_mapped)
{
    at->disk = disk_new();
    prng_init(&at->prng, seed);
    assert_int_equal(disk_make_directory(at->disk, "d"), OK);
    at->inode = disk_create(at->disk, "d/file", is_mapped);
    assert_int_equal(disk_sync_directory(at->disk, "d"), OK);
    assert_int_equal(disk_sync_directory(at->disk, "."), OK);
}

/* ---- files ---- */

static void a_reader_sees_every_write_at_once(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    char back[8] = "";
    write_letters(at.inode, 100, 3, 'x');
    assert_int_equal(inode_size(at.inode), 103);
    assert_int_equal(inode_extent(at.inode), 103);
    assert_int_equal(inode_read(at.inode, 99, back, sizeof(back)), 4);
    assert_memory_equal(back, "\0xxx", 4);
    assert_int_equal(inode_read(at.inode, 103, back, sizeof(back)), 0);
    assert_false(inode_is_clean(at.inode));
    inode_sync(at.inode);
    assert_true(inode_is_clean(at.inode));
    inode_resize(at.inode, 101);
    inode_resize(at.inode, 103);
    assert_int_equal(letter_at(at.inode, 100), 'x');
    assert_int_equal(letter_at(at.inode, 101), '\0'); /* what was cut off does not come back */
    disk_free(at.disk);
}

static void the_death_of_a_process_loses_nothing(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 3 * S, 'a');
    (void)disk_create(at.disk, "d/new", false);
    assert_int_equal(disk_crash(at.disk, DISK_CRASH_PROCESS, &at.prng).sectors, 0);
    assert_int_equal(inode_size(at.inode), 3 * S);
    assert_int_equal(letter_at(at.inode, 2 * S), 'a');
    assert_non_null(disk_find(at.disk, "d/new"));
    /* It is still not durable: the power may go later. */
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(inode_size(at.inode), 0);
    assert_null(disk_find(at.disk, "d/new"));
    disk_free(at.disk);
}

static void a_lost_crash_goes_back_to_the_last_sync(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 2 * S, 'a');
    inode_sync(at.inode);
    write_letters(at.inode, S, 4 * S, 'b');
    inode_resize(at.inode, 100);
    write_letters(at.inode, 50, 10, 'c');
    uint64_t lost = disk_crash(at.disk, DISK_CRASH_LOST, &at.prng).sectors;
    assert_int_equal(lost, 5);
    assert_int_equal(inode_size(at.inode), 2 * S);
    assert_int_equal(letter_at(at.inode, 55), 'a');
    assert_int_equal(letter_at(at.inode, 2 * S - 1), 'a');
    assert_true(inode_is_clean(at.inode));
    disk_free(at.disk);
}

static void a_kept_crash_leaves_everything_and_makes_it_durable(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 2 * S, 'a');
    (void)disk_create(at.disk, "d/new", false);
    assert_int_equal(disk_crash(at.disk, DISK_CRASH_KEPT, &at.prng).sectors, 0);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(inode_size(at.inode), 2 * S);
    assert_int_equal(letter_at(at.inode, S), 'a');
    assert_non_null(disk_find(at.disk, "d/new"));
    disk_free(at.disk);
}

static void a_durable_write_survives_whatever_is_around_it(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct a_disk at;
        open_disk(&at, seed, false);
        uint8_t bytes[S];
        write_letters(at.inode, 0, 4 * S, 'a');
        inode_sync(at.inode);
        write_letters(at.inode, 0, 4 * S, 'b');
        inode_write(at.inode, S, filled(bytes, S, 'D'), true);
        write_letters(at.inode, 2 * S, S, 'c');
        (void)disk_crash(at.disk, (enum disk_crash)(1 + seed % 4), &at.prng);
        assert_int_equal(letter_at(at.inode, S), 'D');
        assert_int_equal(letter_at(at.inode, 2 * S - 1), 'D');
        disk_free(at.disk);
    }
}

static void a_durable_write_that_makes_the_file_longer_survives(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    uint8_t bytes[S];
    inode_write(at.inode, S, filled(bytes, S, 'D'), true);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(inode_size(at.inode), 2 * S);
    assert_int_equal(letter_at(at.inode, S), 'D');
    disk_free(at.disk);
}

static void writes_tear_between_sectors_alone(void **state)
{
    (void)state;
    bool has_torn = false;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct a_disk at;
        open_disk(&at, seed, false);
        write_letters(at.inode, 0, 8 * S, 'a');
        inode_sync(at.inode);
        write_letters(at.inode, 0, 8 * S, 'b');
        struct disk_loss loss = disk_crash(at.disk, DISK_CRASH_PREFIX, &at.prng);
        uint64_t lost = loss.sectors;
        assert_in_range(lost, 0, 8);
        assert_int_equal(loss.is_torn, lost > 0 && lost < 8);
        for (uint64_t offset = 0; offset < 8 * S; offset++) {
            bool is_kept = offset / S < 8 - lost;
            assert_int_equal(letter_at(at.inode, offset), is_kept ? 'b' : 'a');
        }
        has_torn = has_torn || (lost > 0 && lost < 8);
        disk_free(at.disk);
    }
    assert_true(has_torn);
}

static void what_a_truncation_cut_off_is_not_written_to(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct a_disk at;
        open_disk(&at, seed, true); /* mapped: memory behind the end of the file is not there */
        write_letters(at.inode, 0, 16 * S, 'a');
        inode_sync(at.inode);
        write_letters(at.inode, 15 * S, S, 'b');
        inode_resize(at.inode, 0);
        (void)disk_crash(at.disk, DISK_CRASH_MIXED, &at.prng);
        assert_true(inode_size(at.inode) == 0 || inode_size(at.inode) == 16 * S);
        disk_free(at.disk);
    }
}

static void what_a_failed_sync_has_doomed_is_lost_by_every_power_cut(void **state)
{
    (void)state;
    for (enum disk_crash kind = DISK_CRASH_LOST; kind < DISK_CRASH_COUNT; kind++) {
        struct a_disk at;
        open_disk(&at, kind, false);
        write_letters(at.inode, 0, 2 * S, 'a');
        inode_sync(at.inode);
        write_letters(at.inode, S, S, 'b');
        inode_sync_failed(at.inode);
        inode_sync(at.inode);
        (void)disk_crash(at.disk, DISK_CRASH_PROCESS, &at.prng);
        inode_sync(at.inode);
        assert_int_equal(letter_at(at.inode, S), 'b');
        assert_int_equal(disk_crash(at.disk, kind, &at.prng).sectors, 1);
        assert_int_equal(letter_at(at.inode, S), 'a');
        assert_true(inode_is_clean(at.inode));
        disk_free(at.disk);
    }
}

static void what_is_written_again_after_a_failed_sync_is_kept_by_the_next(void **state)
{
    (void)state;
    for (enum disk_crash kind = DISK_CRASH_LOST; kind < DISK_CRASH_COUNT; kind++) {
        struct a_disk at;
        open_disk(&at, kind, false);
        write_letters(at.inode, 0, 3 * S, 'a');
        inode_sync(at.inode);
        write_letters(at.inode, 0, 3 * S, 'b');
        inode_sync_failed(at.inode);
        write_letters(at.inode, S, S, 'c');
        inode_sync(at.inode);
        assert_int_equal(disk_crash(at.disk, kind, &at.prng).sectors, 2);
        assert_int_equal(letter_at(at.inode, 0), 'a');
        assert_int_equal(letter_at(at.inode, S), 'c');
        assert_int_equal(letter_at(at.inode, 2 * S), 'a');
        disk_free(at.disk);
    }
}

static void a_size_is_not_doomed_by_a_failed_sync(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, true);
    write_letters(at.inode, 0, 16 * S, 'a');
    inode_sync_failed(at.inode);
    inode_sync(at.inode);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(inode_size(at.inode), 16 * S);
    assert_int_equal(letter_at(at.inode, 15 * S), '\0');
    /* Nor is what a later size has cut off written to. */
    write_letters(at.inode, 15 * S, S, 'b');
    inode_sync_failed(at.inode);
    inode_resize(at.inode, 0);
    inode_sync(at.inode);
    (void)disk_crash(at.disk, DISK_CRASH_MIXED, &at.prng);
    assert_int_equal(inode_size(at.inode), 0);
    disk_free(at.disk);
}

static void rot_is_durable_and_leaves_the_rest_alone(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 2 * S, 'a');
    inode_sync(at.inode);
    inode_rot(at.inode, 700, 1);
    assert_int_equal(letter_at(at.inode, 700), 'a' ^ 1);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(letter_at(at.inode, 700), 'a' ^ 1);
    assert_int_equal(letter_at(at.inode, 701), 'a');
    disk_free(at.disk);
}

static void a_file_lives_as_long_as_somebody_has_it_open(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    struct inode *open = inode_ref(at.inode);
    write_letters(open, 0, S, 'a');
    disk_wipe(at.disk);
    assert_null(disk_find(at.disk, "d/file"));
    assert_false(disk_is_directory(at.disk, "d"));
    assert_int_equal(letter_at(open, 10), 'a');
    inode_unref(open);
    disk_free(at.disk);
}

/* ---- random operations on one file: D2 says which states may be left ---- */

#define FILE_MAX (6u * S)
#define STEPS_MAX 24u

/* The file as it was after each change. Behind its end it is zero. */
struct version {
    uint64_t size;
    uint8_t bytes[FILE_MAX];
};

struct history {
    struct version versions[2 * STEPS_MAX + 1]; /* the first is durable */
    size_t count;
    size_t floor[FILE_MAX / S]; /* a durable write: this version of the sector, or a later one */
};

static struct version *next_version(struct history *history)
{
    struct version *next = &history->versions[history->count];
    *next = history->versions[history->count - 1];
    history->count++;
    return next;
}

static void model_resize(struct history *history, uint64_t size)
{
    struct version *next = next_version(history);
    if (size < next->size) {
        memset(next->bytes + size, 0, FILE_MAX - size);
    }
    next->size = size;
}

static void step(struct a_disk *at, struct history *history)
{
    uint8_t bytes[FILE_MAX];
    uint64_t offset = prng_below(&at->prng, FILE_MAX - 1);
    size_t size = 1 + (size_t)prng_below(&at->prng, FILE_MAX - offset - 1);
    uint64_t draw = prng_below(&at->prng, 10);
    if (draw == 0) {
        uint64_t end = offset / S * S; /* a cut within a sector would make one more version of it */
        inode_resize(at->inode, end);
        model_resize(history, end);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)prng_next(&at->prng);
    }
    bool is_inside = offset + size <= inode_size(at->inode);
    inode_write(at->inode, offset, (struct slice){bytes, size}, draw == 1 && is_inside);
    if (!is_inside) {
        model_resize(history, offset + size); /* a change of its own, before the bytes */
    }
    struct version *next = next_version(history);
    memcpy(next->bytes + offset, bytes, size);
    for (uint64_t sector = offset / S; draw == 1 && is_inside && sector <= (offset + size - 1) / S;
         sector++) {
        history->floor[sector] = history->count - 1;
    }
}

/* Whether bytes [begin, end) of the file are those of a version. */
static bool is_version(const struct version *left, const struct version *version, uint64_t begin,
                       uint64_t end)
{
    end = end < left->size ? end : left->size;
    return begin >= end || memcmp(left->bytes + begin, version->bytes + begin, end - begin) == 0;
}

static bool has_sector(const struct history *history, const struct version *left, uint64_t sector)
{
    for (size_t i = history->floor[sector]; i < history->count; i++) {
        if (is_version(left, &history->versions[i], sector * S, (sector + 1) * S)) {
            return true;
        }
    }
    return false;
}

static bool is_size_known(const struct history *history, uint64_t size)
{
    for (size_t i = 0; i < history->count; i++) {
        if (history->versions[i].size == size) {
            return true;
        }
    }
    return false;
}

/* PREFIX: version i, with sectors below some sector already those of version i + 1. */
static bool is_torn_after(const struct history *history, const struct version *left, size_t i)
{
    const struct version *older = &history->versions[i];
    const struct version *newer = &history->versions[i + 1 < history->count ? i + 1 : i];
    if (left->size != older->size && left->size != newer->size) {
        return false;
    }
    uint64_t sector = 0;
    while (sector < FILE_MAX / S && is_version(left, newer, sector * S, (sector + 1) * S)) {
        sector++;
    }
    return is_version(left, older, sector * S, FILE_MAX);
}

static void check_left(const struct history *history, const struct version *left,
                       enum disk_crash kind, bool has_durable)
{
    assert_true(is_size_known(history, left->size));
    for (uint64_t sector = 0; sector < FILE_MAX / S; sector++) {
        assert_true(has_sector(history, left, sector));
    }
    const struct version *newest = &history->versions[history->count - 1];
    if (kind == DISK_CRASH_KEPT) {
        assert_int_equal(left->size, newest->size);
        assert_true(is_version(left, newest, 0, FILE_MAX));
    } else if (kind == DISK_CRASH_LOST && !has_durable) {
        assert_int_equal(left->size, history->versions[0].size);
        assert_true(is_version(left, &history->versions[0], 0, FILE_MAX));
    } else if (kind == DISK_CRASH_PREFIX && !has_durable) {
        bool is_prefix = false;
        for (size_t i = 0; i < history->count; i++) {
            is_prefix = is_prefix || is_torn_after(history, left, i);
        }
        assert_true(is_prefix);
    }
}

static void random_writes_leave_only_what_a_disk_could(void **state)
{
    (void)state;
    static struct history history;
    uint64_t mixed_alone = 0; /* states that are no prefix: MIXED does what its name says */
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct a_disk at;
        open_disk(&at, seed, seed % 8 == 0);
        history = (struct history){.count = 1};
        bool has_durable = false;
        for (uint64_t steps = prng_below(&at.prng, STEPS_MAX); steps > 0; steps--) {
            step(&at, &history);
            if (prng_below(&at.prng, 12) == 0) {
                inode_sync(at.inode);
                history.versions[0] = history.versions[history.count - 1];
                history.count = 1;
                memset(history.floor, 0, sizeof(history.floor));
            }
        }
        for (size_t i = 0; i < FILE_MAX / S; i++) {
            has_durable = has_durable || history.floor[i] != 0;
        }
        enum disk_crash kind = (enum disk_crash)(1 + seed % 4);
        (void)disk_crash(at.disk, kind, &at.prng);
        struct version left = {.size = inode_size(at.inode)};
        (void)inode_read(at.inode, 0, left.bytes, FILE_MAX);
        check_left(&history, &left, kind, has_durable);
        bool is_prefix = false;
        for (size_t i = 0; i < history.count; i++) {
            is_prefix = is_prefix || is_torn_after(&history, &left, i);
        }
        mixed_alone += kind == DISK_CRASH_MIXED && !is_prefix ? 1 : 0;
        disk_free(at.disk);
    }
    assert_true(mixed_alone > 50);
}

/* ---- names ---- */

static void an_entry_is_durable_once_its_directory_is_synced(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    (void)disk_create(at.disk, "d/synced", false);
    assert_int_equal(disk_sync_directory(at.disk, "d"), OK);
    (void)disk_create(at.disk, "d/unsynced", false);
    assert_int_equal(disk_sync_directory(at.disk, "."), OK); /* another one */
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_non_null(disk_find(at.disk, "d/synced"));
    assert_null(disk_find(at.disk, "d/unsynced"));
    disk_free(at.disk);
}

static void a_file_whose_name_is_durable_may_be_empty_and_the_other_way_round(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    struct inode *named = disk_create(at.disk, "d/named", false);
    write_letters(named, 0, S, 'a');
    assert_int_equal(disk_sync_directory(at.disk, "d"), OK);
    struct inode *filled = disk_create(at.disk, "d/filled", false);
    write_letters(filled, 0, S, 'a');
    inode_sync(filled);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(inode_size(disk_find(at.disk, "d/named")), 0);
    assert_null(disk_find(at.disk, "d/filled"));
    disk_free(at.disk);
}

static void a_rename_over_a_file_is_undone_whole(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 10, 'o');
    inode_sync(at.inode);
    struct inode *staged = disk_create(at.disk, "d/staged", false);
    write_letters(staged, 0, 10, 'n');
    inode_sync(staged);
    assert_int_equal(disk_sync_directory(at.disk, "d"), OK);
    assert_int_equal(disk_rename(at.disk, "d/staged", "d/file"), OK);
    assert_null(disk_find(at.disk, "d/staged"));
    assert_int_equal(letter_at(disk_find(at.disk, "d/file"), 0), 'n');
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(letter_at(disk_find(at.disk, "d/file"), 0), 'o');
    assert_int_equal(letter_at(disk_find(at.disk, "d/staged"), 0), 'n');

    assert_int_equal(disk_rename(at.disk, "d/staged", "d/file"), OK);
    assert_int_equal(disk_sync_directory(at.disk, "d"), OK);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(letter_at(disk_find(at.disk, "d/file"), 0), 'n');
    assert_null(disk_find(at.disk, "d/staged"));
    disk_free(at.disk);
}

static void an_unlink_is_undone_with_the_content(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    write_letters(at.inode, 0, 10, 'a');
    inode_sync(at.inode);
    write_letters(at.inode, 0, 10, 'b'); /* not synced, and then its name goes */
    assert_int_equal(disk_unlink(at.disk, "d/file"), OK);
    assert_null(disk_find(at.disk, "d/file"));
    assert_int_equal(disk_unlink(at.disk, "d/file"), ERR_NO_FILE);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_int_equal(letter_at(disk_find(at.disk, "d/file"), 0), 'a');
    assert_int_equal(disk_unlink(at.disk, "d/file"), OK);
    assert_int_equal(disk_sync_directory(at.disk, "d"), OK);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_null(disk_find(at.disk, "d/file"));
    disk_free(at.disk);
}

static void a_directory_that_its_parent_does_not_know_vanishes_with_all_in_it(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    assert_int_equal(disk_make_directory(at.disk, "d/e"), OK);
    assert_int_equal(disk_make_directory(at.disk, "d/e"), OK);
    assert_int_equal(disk_make_directory(at.disk, "x/y"), ERR_NO_FILE);
    inode_sync(disk_create(at.disk, "d/e/file", false));
    assert_int_equal(disk_sync_directory(at.disk, "d/e"), OK);
    assert_int_equal(disk_sync_directory(at.disk, "d/none"), ERR_NO_FILE);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_false(disk_is_directory(at.disk, "d/e"));
    assert_null(disk_find(at.disk, "d/e/file"));
    assert_non_null(disk_find(at.disk, "d/file"));

    assert_int_equal(disk_make_directory(at.disk, "d/e"), OK);
    (void)disk_create(at.disk, "d/e/file", false);
    assert_int_equal(disk_sync_directory(at.disk, "d/e"), OK);
    assert_int_equal(disk_sync_directory(at.disk, "d/e/.."), OK);
    (void)disk_crash(at.disk, DISK_CRASH_LOST, &at.prng);
    assert_non_null(disk_find(at.disk, "d/e/file"));
    disk_free(at.disk);
}

struct names {
    char text[256];
};

static void add_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    size_t size = strlen(names->text);
    (void)snprintf(names->text + size, sizeof(names->text) - size, "%s ", name);
}

static void a_directory_lists_its_own_entries_in_byte_order(void **state)
{
    (void)state;
    struct a_disk at;
    open_disk(&at, 1, false);
    assert_int_equal(disk_make_directory(at.disk, "d/sub"), OK);
    (void)disk_create(at.disk, "d/sub/inner", false);
    (void)disk_create(at.disk, "d/Zoo", false);
    (void)disk_create(at.disk, "d/a-b", false);
    (void)disk_create(at.disk, "d-other", false);
    struct names names = {.text = ""};
    assert_int_equal(disk_list(at.disk, "d", add_name, &names), OK);
    assert_string_equal(names.text, "Zoo a-b file sub ");
    assert_int_equal(disk_list(at.disk, "none", add_name, &names), ERR_NO_FILE);
    disk_free(at.disk);
}

/* ---- random changes of names: a prefix of what is not durable ---- */

#define OPS_MAX 16u
#define PATHS 6u

static const char *const paths[PATHS] = {"a/1", "a/2", "a/3", "b/1", "b/2", "b/3"};

/* One change of names: file `added` appears under a path, what was under another one goes. */
struct op {
    unsigned target; /* PATHS: none */
    unsigned source; /* PATHS: none */
    unsigned file;
    bool is_durable;
    char directory;
};

struct model {
    unsigned base[PATHS]; /* durable from the beginning: 0 none, else the file's number */
    struct op ops[OPS_MAX];
    size_t count;
};

/* The names after the durable ones and the first `kept` of the others. */
static void replay(const struct model *model, size_t kept, unsigned out_names[PATHS])
{
    memcpy(out_names, model->base, sizeof(model->base));
    size_t others = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct op *op = &model->ops[i];
        if (!op->is_durable && others++ >= kept) {
            continue;
        }
        if (op->source < PATHS) {
            out_names[op->source] = 0;
        }
        if (op->target < PATHS) {
            out_names[op->target] = op->file;
        }
    }
}

static void observe(const struct disk *disk, unsigned out_names[PATHS])
{
    for (unsigned i = 0; i < PATHS; i++) {
        struct inode *inode = disk_find(disk, paths[i]);
        uint8_t number = 0;
        if (inode != NULL) {
            assert_int_equal(inode_read(inode, 0, &number, 1), 1);
        }
        out_names[i] = number;
    }
}

static void change_names(struct disk *disk, struct prng *prng, struct model *model,
                         unsigned next_file)
{
    unsigned now[PATHS];
    observe(disk, now);
    unsigned one = (unsigned)prng_below(prng, PATHS);
    /* Within one directory, as everybody renames. */
    unsigned two = one / 3 * 3 + (one + 1 + (unsigned)prng_below(prng, 2)) % 3;
    struct op op = {.source = PATHS, .target = PATHS, .directory = paths[one][0]};
    if (now[one] == 0) {
        uint8_t number = (uint8_t)next_file;
        inode_write(disk_create(disk, paths[one], false), 0, (struct slice){&number, 1}, true);
        op.target = one;
        op.file = next_file;
    } else if (prng_below(prng, 2) == 0) {
        assert_int_equal(disk_unlink(disk, paths[one]), OK);
        op.source = one;
    } else {
        assert_int_equal(disk_rename(disk, paths[one], paths[two]), OK);
        op.source = one;
        op.target = two;
        op.file = now[one];
    }
    model->ops[model->count++] = op;
}

static void sync_names(struct disk *disk, struct model *model, char directory)
{
    char path[2] = {directory, '\0'};
    assert_int_equal(disk_sync_directory(disk, path), OK);
    for (size_t i = 0; i < model->count; i++) {
        model->ops[i].is_durable = model->ops[i].is_durable || model->ops[i].directory == directory;
    }
}

static void random_changes_of_names_leave_a_prefix(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct disk *disk = disk_new();
        struct prng prng;
        prng_init(&prng, seed);
        assert_int_equal(disk_make_directory(disk, "a"), OK);
        assert_int_equal(disk_make_directory(disk, "b"), OK);
        assert_int_equal(disk_sync_directory(disk, "."), OK);
        struct model model = {.count = 0};
        while (model.count < OPS_MAX && prng_below(&prng, 20) != 0) {
            change_names(disk, &prng, &model, 1 + (unsigned)model.count);
            if (prng_below(&prng, 8) == 0) {
                sync_names(disk, &model, prng_below(&prng, 2) == 0 ? 'a' : 'b');
            }
        }
        enum disk_crash kind = (enum disk_crash)(1 + seed % 4);
        (void)disk_crash(disk, kind, &prng);
        unsigned left[PATHS];
        observe(disk, left);
        bool is_allowed = false;
        for (size_t kept = 0; kept <= model.count && !is_allowed; kept++) {
            unsigned names[PATHS];
            size_t which = kind == DISK_CRASH_LOST ? 0 : kept;
            replay(&model, kind == DISK_CRASH_KEPT ? model.count : which, names);
            is_allowed = memcmp(names, left, sizeof(names)) == 0;
        }
        assert_true(is_allowed);
        disk_free(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_sees_every_write_at_once),
        cmocka_unit_test(the_death_of_a_process_loses_nothing),
        cmocka_unit_test(a_lost_crash_goes_back_to_the_last_sync),
        cmocka_unit_test(a_kept_crash_leaves_everything_and_makes_it_durable),
        cmocka_unit_test(a_durable_write_survives_whatever_is_around_it),
        cmocka_unit_test(a_durable_write_that_makes_the_file_longer_survives),
        cmocka_unit_test(writes_tear_between_sectors_alone),
        cmocka_unit_test(what_a_truncation_cut_off_is_not_written_to),
        cmocka_unit_test(what_a_failed_sync_has_doomed_is_lost_by_every_power_cut),
        cmocka_unit_test(what_is_written_again_after_a_failed_sync_is_kept_by_the_next),
        cmocka_unit_test(a_size_is_not_doomed_by_a_failed_sync),
        cmocka_unit_test(rot_is_durable_and_leaves_the_rest_alone),
        cmocka_unit_test(a_file_lives_as_long_as_somebody_has_it_open),
        cmocka_unit_test(random_writes_leave_only_what_a_disk_could),
        cmocka_unit_test(an_entry_is_durable_once_its_directory_is_synced),
        cmocka_unit_test(a_file_whose_name_is_durable_may_be_empty_and_the_other_way_round),
        cmocka_unit_test(a_rename_over_a_file_is_undone_whole),
        cmocka_unit_test(an_unlink_is_undone_with_the_content),
        cmocka_unit_test(a_directory_that_its_parent_does_not_know_vanishes_with_all_in_it),
        cmocka_unit_test(a_directory_lists_its_own_entries_in_byte_order),
        cmocka_unit_test(random_changes_of_names_leave_a_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
