/* The mark on a store that is not to be trusted, and setting its file aside. */
#include "store/distrust.h"
#include "store_testing.h"

static err open_store(const struct place *place, struct store **out_store, struct err_note *note)
{
    struct store_options options = {.env = place->env, .directory = place->store_directory};
    return store_open(out_store, &options, note);
}

static bool is_there(const struct place *place, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", place->store_directory, name);
    return access(path, F_OK) == 0;
}

static void a_marked_store_is_refused_until_it_is_set_aside(void **state)
{
    (void)state;
    struct place place;
    struct store *store;
    struct err_note note = {.text = ""};
    place_make(&place);
    assert_int_equal(open_store(&place, &store, &note), OK);
    assert_int_equal(store_distrust(place.env, place.store_directory, "two hashes"), OK);
    store_close(store);
    assert_int_equal(open_store(&place, &store, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, "two hashes"));
    assert_int_equal(store_set_aside(place.env, place.store_directory, &note), OK);
    assert_true(is_there(&place, STORE_ASIDE_NAME));
    assert_false(is_there(&place, STORE_DISTRUST_NAME));
    assert_int_equal(open_store(&place, &store, &note), OK);
    assert_null(store_region(store, REGION));
    store_close(store);
    place_remove(&place);
}

static void only_the_newest_file_is_kept(void **state)
{
    (void)state;
    struct place place;
    struct err_note note = {.text = ""};
    place_make(&place);
    for (int i = 0; i < 3; i++) {
        struct store *store;
        assert_int_equal(open_store(&place, &store, &note), OK);
        store_close(store);
        assert_int_equal(store_set_aside(place.env, place.store_directory, &note), OK);
        assert_false(is_there(&place, "data.mdb"));
        assert_true(is_there(&place, STORE_ASIDE_NAME));
    }
    /* A crash in the middle leaves a mark and no file. */
    assert_int_equal(store_distrust(place.env, place.store_directory, ""), OK);
    assert_int_equal(store_check_trust(place.env, place.store_directory, &note), ERR_DAMAGED);
    assert_int_equal(store_set_aside(place.env, place.store_directory, &note), OK);
    assert_int_equal(store_check_trust(place.env, place.store_directory, &note), OK);
    assert_true(is_there(&place, STORE_ASIDE_NAME));
    place_remove(&place);
}

static void a_process_that_ends_over_damage_leaves_the_mark(void **state)
{
    (void)state;
    struct place place;
    struct store *store;
    struct err_note note = {.text = ""};
    place_make(&place);
    assert_int_equal(open_store(&place, &store, &note), OK);
    store_close(store);
    pid_t child = fork();
    if (child == 0) {
        store_end_damaged(place.env, place.store_directory, "a page makes no sense");
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    assert_int_equal(store_check_trust(place.env, place.store_directory, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, "a page makes no sense"));
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_marked_store_is_refused_until_it_is_set_aside),
        cmocka_unit_test(only_the_newest_file_is_kept),
        cmocka_unit_test(a_process_that_ends_over_damage_leaves_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
