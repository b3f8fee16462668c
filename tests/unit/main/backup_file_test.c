#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/backup_file.h"

/* A directory, and the bytes of a backup of nothing. */
struct fixture {
    struct env *env;
    char directory[64];
    char path[80];
    char tmp_path[80];
    struct writer bytes;
    struct err_note note;
};

static void write_backup(struct writer *out)
{
    struct store_snapshot_chain chain = {0};
    struct store_region region = {.id = 1, .applied = {.term = 1, .index = 5}, .revision = 4};
    struct member member = {.id = 1, .peer_address = "h:1"};
    assert_true(id_set_add(&region.membership.conf.voters, 1));
    assert_true(membership_put(&region.membership, &member));
    size_t begin = store_snapshot_begin(out);
    store_snapshot_put_header(out, &region);
    store_snapshot_finish(&chain, STORE_SNAPSHOT_HEADER, out, begin);
    begin = store_snapshot_begin(out);
    store_snapshot_put_end(out, 0, &chain);
    store_snapshot_finish(&chain, STORE_SNAPSHOT_END, out, begin);
}

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->env = env_uv_open();
    snprintf(f->directory, sizeof(f->directory), "/tmp/pontoon-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/a", f->directory);
    snprintf(f->tmp_path, sizeof(f->tmp_path), "%s/a.tmp", f->directory);
    write_backup(&f->bytes);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    assert_int_equal(rmdir(f->directory), 0); /* nothing else is left in it */
    writer_deinit(&f->bytes);
    env_uv_close(f->env);
    free(f);
    return 0;
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool has_text(const char *path, struct slice text)
{
    uint8_t bytes[1024];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    return slice_equal((struct slice){bytes, size}, text);
}

static struct backup_file *begin(struct fixture *f)
{
    struct backup_file *file = NULL;
    assert_int_equal(main_backup_file_open(&file, f->env, f->path, &f->note), OK);
    return file;
}

static void a_whole_one_takes_the_place_of_an_older_one(void **state)
{
    struct fixture *f = *state;
    struct store_backup backup;
    put_text(f->path, "older");
    put_text(f->tmp_path, "what a crash has left, and it is longer than that which comes now, is "
                          "it not? It is, by these words, and by these, and by all of these too, "
                          "until there are enough of them to be more than what the file has");
    struct backup_file *file = begin(f);
    assert_true(main_backup_file_take(file, (struct slice){f->bytes.data, 10}));
    assert_true(
        main_backup_file_take(file, (struct slice){f->bytes.data + 10, f->bytes.size - 10}));
    assert_int_equal(main_backup_file_size(file), f->bytes.size);
    assert_true(has_text(f->path, SLICE_LITERAL("older")));
    assert_int_equal(main_backup_file_finish(file, &backup, &f->note), OK);
    main_backup_file_close(file);
    assert_int_equal(backup.state.revision, 4);
    assert_true(has_text(f->path, writer_slice(&f->bytes)));
}

static void one_that_is_cut_leaves_the_older_one(void **state)
{
    struct fixture *f = *state;
    struct store_backup backup;
    put_text(f->path, "older");
    struct backup_file *file = begin(f);
    assert_true(main_backup_file_take(file, (struct slice){f->bytes.data, f->bytes.size - 1}));
    assert_int_equal(main_backup_file_finish(file, &backup, &f->note), ERR_DAMAGED);
    main_backup_file_close(file);
    assert_true(has_text(f->path, SLICE_LITERAL("older")));
    assert_int_not_equal(access(f->tmp_path, F_OK), 0);
}

static void one_that_is_changed_is_refused_as_it_comes(void **state)
{
    struct fixture *f = *state;
    struct store_backup backup;
    f->bytes.data[20] ^= 1;
    struct backup_file *file = begin(f);
    assert_false(main_backup_file_take(file, writer_slice(&f->bytes)));
    assert_int_equal(main_backup_file_finish(file, &backup, &f->note), ERR_DAMAGED);
    main_backup_file_close(file);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void one_that_is_given_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct backup_file *file = begin(f);
    assert_true(main_backup_file_take(file, writer_slice(&f->bytes)));
    main_backup_file_close(file);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void a_place_that_cannot_be_is_told(void **state)
{
    struct fixture *f = *state;
    struct backup_file *file = NULL;
    assert_int_equal(main_backup_file_open(&file, f->env, "/nonexistent/a", &f->note), ERR_NO_FILE);
    assert_non_null(strstr(f->note.text, "/nonexistent/a.tmp"));
    assert_null(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_one_takes_the_place_of_an_older_one),
        TEST(one_that_is_cut_leaves_the_older_one),
        TEST(one_that_is_changed_is_refused_as_it_comes),
        TEST(one_that_is_given_up_leaves_nothing),
        TEST(a_place_that_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
