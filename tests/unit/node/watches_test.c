#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env/uv.h"
#include "node/watches.h"
#include "store/record.h"

struct world {
    struct env *env;
    struct history *history;
    struct watches *watches;
    uint64_t revision;
};

static void world_open(struct world *world, uint64_t bytes_max)
{
    const struct history_options options = {bytes_max, 1000000, 0};
    *world = (struct world){.env = env_uv_open(), .history = history_new(&options, 0)};
    world->watches = watches_new(world->env, world->history);
}

static void world_close(struct world *world)
{
    watches_free(world->watches);
    history_free(world->history);
    env_uv_close(world->env);
}

static void change_at(struct world *world, const char *key, uint64_t revision)
{
    struct slice text = slice_from_text(key);
    struct buf *owner = buf_copy(text);
    struct store_record record = {.owner = owner, .mod_revision = revision};
    struct store_change change = {
        .kind = STORE_CHANGE_PUT, .revision = revision, .key = buf_slice(owner), .record = &record};
    history_changed(world->history, &change);
    buf_unref(owner);
}

static void change(struct world *world, const char *key)
{
    world->revision++;
    change_at(world, key, world->revision);
    history_revised(world->history, world->revision);
}

/* Somebody who watches: notes the revisions that it sees. */
#define SEEN_MAX 4096u
struct watcher {
    struct watch watch;
    const struct history *history;
    uint64_t seen[SEEN_MAX];
    size_t count;
    unsigned told;
    uint32_t patience; /* events that it takes at a time; 0: as many as there are */
    bool is_blocked;   /* takes none for now */
    bool is_gone;
    err ended;
};

static uint64_t take(struct watch *watch)
{
    struct watcher *watcher = CONTAINER_OF(watch, struct watcher, watch);
    watcher->told++;
    watcher->ended = watch_ended(watch);
    if (watcher->is_blocked || watcher->is_gone) {
        return 0;
    }
    for (uint32_t i = 0;; i++) {
        uint64_t number;
        enum watch_found found = watch_find(watch, watch->position, &number);
        if (found == WATCH_GONE) {
            watcher->is_gone = true;
            return 0;
        }
        watch->position = number;
        if (found == WATCH_NOTHING) {
            watch_rest(watch);
            return 0;
        }
        if (found == WATCH_LATER || (watcher->patience > 0 && i == watcher->patience)) {
            watch_again(watch);
            return 0;
        }
        const struct history_entry *entry = history_at_number(watcher->history, number);
        assert_true(watch_fits(watch, entry->key));
        assert_true(watcher->count < SEEN_MAX);
        watcher->seen[watcher->count] = entry->revision;
        watcher->count++;
        watch->position = number + 1;
    }
}

static void begin(struct world *world, struct watcher *watcher, const char *pattern, bool is_prefix,
                  uint64_t since)
{
    watcher->watch.pattern = slice_from_text(pattern);
    watcher->watch.is_prefix = is_prefix;
    watcher->watch.ready = take;
    watcher->history = world->history;
    watch_open(world->watches, &watcher->watch, history_find(world->history, since));
}

static void turns(struct world *world, int count)
{
    for (int i = 0; i < count; i++) {
        watches_turn(world->watches);
    }
}

static void assert_seen(const struct watcher *watcher, const uint64_t *revisions, size_t count)
{
    assert_int_equal(watcher->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(watcher->seen[i], revisions[i]);
    }
}

static void who_watches_a_key_is_told_of_its_changes_alone(void **state)
{
    (void)state;
    struct world world;
    struct watcher watcher = {.told = 0};
    world_open(&world, 1 << 20);
    change(&world, "a");
    begin(&world, &watcher, "a", false, 1);
    turns(&world, 1);
    assert_int_equal(watcher.told, 1); /* it might have been behind */
    change(&world, "b");
    change(&world, "ab");
    turns(&world, 2);
    assert_int_equal(watcher.told, 1);
    change(&world, "a");
    change(&world, "b");
    change(&world, "a");
    turns(&world, 1);
    assert_int_equal(watcher.told, 2);
    assert_seen(&watcher, (const uint64_t[]){4, 6}, 2);
    assert_true(watch_is_level(&watcher.watch));
    change(&world, "b");
    assert_false(watch_is_level(&watcher.watch)); /* nobody has looked */
    turns(&world, 1);
    assert_true(watch_is_level(&watcher.watch));
    watch_close(&watcher.watch);
    world_close(&world);
}

static void a_prefix_is_watched_at_any_length(void **state)
{
    (void)state;
    struct world world;
    const char *patterns[] = {"", "a", "app/", "app/b", "app/bc", "b"};
    const uint64_t expected[][4] = {{1, 2, 3, 4}, {1, 2, 3}, {1, 2}, {2}, {2}, {4}};
    const size_t counts[] = {4, 3, 2, 1, 1, 1};
    struct watcher watchers[ARRAY_COUNT(patterns)] = {{.told = 0}};
    world_open(&world, 1 << 20);
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        begin(&world, &watchers[i], patterns[i], true, 0);
    }
    change(&world, "app/a");
    change(&world, "app/bc");
    change(&world, "app");
    change(&world, "b");
    turns(&world, 1);
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        assert_seen(&watchers[i], expected[i], counts[i]);
        watch_close(&watchers[i].watch);
    }
    assert_int_equal(watches_count(world.watches), 0);
    world_close(&world);
}

static void it_begins_in_the_past_and_looks_at_it_in_pieces(void **state)
{
    (void)state;
    struct world world;
    struct watcher watcher = {.told = 0};
    struct watcher early = {.told = 0};
    world_open(&world, 64 << 20);
    for (int i = 0; i < 20000; i++) {
        change(&world, i % 5000 == 10 ? "a" : "b");
    }
    begin(&world, &watcher, "a", false, 11); /* after the first one */
    begin(&world, &early, "a", false, 0);
    turns(&world, 1);
    assert_true(watcher.count < 2);
    turns(&world, 10);
    assert_seen(&watcher, (const uint64_t[]){5011, 10011, 15011}, 3);
    assert_seen(&early, (const uint64_t[]){11, 5011, 10011, 15011}, 4);
    assert_true(watcher.told > 3);
    watch_close(&watcher.watch);
    watch_close(&early.watch);
    world_close(&world);
}

static void who_waits_is_not_too_late_however_much_passes(void **state)
{
    (void)state;
    struct world world;
    struct watcher watcher = {.told = 0};
    world_open(&world, 20000);
    begin(&world, &watcher, "a", false, 0);
    turns(&world, 1);
    for (int i = 0; i < 2000; i++) {
        change(&world, "b");
        turns(&world, 1);
    }
    assert_true(history_oldest(world.history) > 1000);
    assert_true(watch_is_level(&watcher.watch));
    change(&world, "a");
    turns(&world, 1);
    assert_seen(&watcher, (const uint64_t[]){2001}, 1);
    assert_false(watcher.is_gone);
    watch_close(&watcher.watch);
    world_close(&world);
}

static void who_takes_nothing_is_too_late_once_the_history_has_passed(void **state)
{
    (void)state;
    struct world world;
    struct watcher slow = {.is_blocked = true};
    struct watcher quick = {.told = 0};
    world_open(&world, 20000);
    begin(&world, &slow, "a", false, 0);
    begin(&world, &quick, "a", false, 0);
    for (int i = 0; i < 1000; i++) {
        change(&world, "a");
        turns(&world, 1);
    }
    assert_int_equal(quick.count, 1000);
    assert_int_equal(slow.told, 1); /* it is its turn to speak */
    slow.is_blocked = false;
    (void)take(&slow.watch);
    assert_true(slow.is_gone);
    assert_int_equal(slow.count, 0);
    watch_close(&slow.watch);
    watch_close(&quick.watch);
    world_close(&world);
}

static void after_a_restart_of_the_history_everybody_is_too_late(void **state)
{
    (void)state;
    struct world world;
    struct watcher idle = {.told = 0};
    struct watcher later = {.told = 0};
    world_open(&world, 1 << 20);
    change(&world, "a");
    begin(&world, &idle, "a", false, 1);
    turns(&world, 1);
    history_restart(world.history, 100);
    world.revision = 100;
    begin(&world, &later, "a", false, 100);
    assert_false(watch_is_level(&idle.watch));
    turns(&world, 1);
    assert_true(idle.is_gone);
    assert_false(later.is_gone);
    change(&world, "a");
    turns(&world, 1);
    assert_seen(&later, (const uint64_t[]){101}, 1);
    watch_close(&idle.watch);
    watch_close(&later.watch);
    world_close(&world);
}

/* More had come by then than a topic knows the numbers of, and more comes in that very turn. */
static void what_comes_after_a_restart_does_not_hide_it(void **state)
{
    (void)state;
    struct world world;
    struct watcher waiting = {.told = 0};
    world_open(&world, 1 << 20);
    begin(&world, &waiting, "a", false, 0);
    for (int i = 0; i < 40; i++) {
        change(&world, "a");
    }
    turns(&world, 1);
    assert_int_equal(waiting.count, 40);
    world.revision = 50;
    history_restart(world.history, world.revision);
    change(&world, "a");
    turns(&world, 1);
    assert_true(waiting.is_gone);
    assert_int_equal(waiting.count, 40);
    watch_close(&waiting.watch);
    world_close(&world);
}

static void all_are_told_that_it_has_ended(void **state)
{
    (void)state;
    struct world world;
    struct watcher watchers[3] = {{.told = 0}};
    world_open(&world, 1 << 20);
    begin(&world, &watchers[0], "a", false, 0);
    begin(&world, &watchers[1], "a", true, 0);
    turns(&world, 1);
    watches_end(world.watches, ERR_DRAINING);
    begin(&world, &watchers[2], "b", false, 0);
    turns(&world, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(watchers[i].ended, ERR_DRAINING);
        watch_close(&watchers[i].watch);
    }
    watches_end(world.watches, OK);
    begin(&world, &watchers[0], "a", false, 0);
    turns(&world, 1);
    assert_int_equal(watchers[0].ended, OK);
    watch_close(&watchers[0].watch);
    world_close(&world);
}

static void many_of_one_key_are_served_in_pieces(void **state)
{
    (void)state;
    enum {
        COUNT = 500
    };
    struct world world;
    struct watcher *watchers = mem_calloc(COUNT, sizeof(*watchers));
    world_open(&world, 1 << 20);
    for (int i = 0; i < COUNT; i++) {
        begin(&world, &watchers[i], "a", false, 0);
    }
    turns(&world, COUNT);
    change(&world, "a");
    turns(&world, 1);
    unsigned told = 0;
    for (int i = 0; i < COUNT; i++) {
        told += (unsigned)watchers[i].count;
    }
    assert_true(told > 0 && told < 100);
    change(&world, "a");
    change(&world, "a");
    turns(&world, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_seen(&watchers[i], (const uint64_t[]){1, 2, 3}, 3);
        watch_close(&watchers[i].watch);
    }
    mem_free(watchers);
    world_close(&world);
}

/* ---- against what each ought to see ---- */

static void choose_key(struct prng *chance, char key[16])
{
    size_t size = 1 + prng_below(chance, 4);
    for (size_t i = 0; i < size; i++) {
        key[i] = prng_below(chance, 3) == 0 ? 'b' : 'a';
    }
    key[size] = '\0';
}

struct asked {
    struct watcher watcher;
    char pattern[16];
    uint64_t expected[SEEN_MAX];
    size_t expected_count;
};

#define ASKED 24u

static void expect_change(struct asked *asked, const char *key, uint64_t revision)
{
    for (unsigned i = 0; i < ASKED; i++) {
        struct watch *watch = &asked[i].watcher.watch;
        size_t size = strlen(asked[i].pattern);
        bool fits =
            watch->watches != NULL && (watch->is_prefix ? strncmp(key, asked[i].pattern, size) == 0
                                                        : strcmp(key, asked[i].pattern) == 0);
        if (fits) {
            asked[i].expected[asked[i].expected_count++] = revision;
        }
    }
}

/* Everything that was seen was to be seen, in order; all of it, unless it is too late for some. */
static void close_asked(struct asked *asked)
{
    struct watcher *watcher = &asked->watcher;
    assert_true(watcher->count <= asked->expected_count);
    assert_seen(watcher, asked->expected, watcher->count);
    if (!watcher->is_gone && watch_is_level(&watcher->watch)) {
        assert_int_equal(watcher->count, asked->expected_count);
    }
    watch_close(&watcher->watch);
    memset(asked, 0, sizeof(*asked));
}

static void unblock(struct watcher *watcher)
{
    if (watcher->is_blocked) {
        watcher->is_blocked = false;
        if (list_is_empty(&watcher->watch.link) && !watcher->is_gone) {
            watch_again(&watcher->watch);
        }
    }
}

static void run(uint64_t seed, uint64_t bytes_max)
{
    struct world world;
    struct prng chance;
    struct asked *asked = mem_calloc(ASKED, sizeof(*asked));
    world_open(&world, bytes_max);
    prng_init(&chance, seed);
    size_t gone = 0;
    for (int step = 0; step < 4000; step++) {
        struct asked *one = &asked[prng_below(&chance, ASKED)];
        struct watcher *watcher = &one->watcher;
        uint64_t dice = prng_below(&chance, 100);
        if (dice < 60) { /* a revision of one to three different keys */
            world.revision++;
            char key[16];
            choose_key(&chance, key);
            for (uint64_t i = prng_below(&chance, 3);; i--) {
                change_at(&world, key, world.revision);
                expect_change(asked, key, world.revision);
                size_t size = strlen(key);
                memcpy(key + size, "c", sizeof("c"));
                if (i == 0) {
                    break;
                }
            }
            history_revised(world.history, world.revision);
        } else if (dice < 85) {
            turns(&world, 1);
        } else if (watcher->watch.watches == NULL) {
            choose_key(&chance, one->pattern);
            watcher->patience = (uint32_t)prng_below(&chance, 4);
            begin(&world, watcher, one->pattern, prng_below(&chance, 2) == 0, world.revision);
        } else if (dice < 95) {
            if (watcher->is_blocked) {
                unblock(watcher);
            } else {
                watcher->is_blocked = true;
            }
        } else {
            gone += watcher->is_gone;
            close_asked(one);
        }
    }
    for (unsigned i = 0; i < ASKED; i++) {
        unblock(&asked[i].watcher);
    }
    turns(&world, 2000);
    for (unsigned i = 0; i < ASKED; i++) {
        struct watcher *watcher = &asked[i].watcher;
        if (watcher->watch.watches != NULL) {
            assert_true(watcher->is_gone || watch_is_level(&watcher->watch));
            gone += watcher->is_gone;
            close_asked(&asked[i]);
        }
    }
    assert_int_equal(gone > 0, bytes_max < 100000);
    mem_free(asked);
    world_close(&world);
}

static void each_sees_what_fits_once_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed, 16 << 20);
        run(seed, 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_watches_a_key_is_told_of_its_changes_alone),
        cmocka_unit_test(a_prefix_is_watched_at_any_length),
        cmocka_unit_test(it_begins_in_the_past_and_looks_at_it_in_pieces),
        cmocka_unit_test(who_waits_is_not_too_late_however_much_passes),
        cmocka_unit_test(who_takes_nothing_is_too_late_once_the_history_has_passed),
        cmocka_unit_test(after_a_restart_of_the_history_everybody_is_too_late),
        cmocka_unit_test(what_comes_after_a_restart_does_not_hide_it),
        cmocka_unit_test(all_are_told_that_it_has_ended),
        cmocka_unit_test(many_of_one_key_are_served_in_pieces),
        cmocka_unit_test(each_sees_what_fits_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
