#include "../env/env_testing.h"
#include "base/mem.h"
#include "base/prng.h"
#include "node/history_journal.h"
#include "store/record.h"

#define KEYS 6u
#define REVISIONS 600u
#define CHANGES_MAX 3u /* of one revision */
#define CLOCK_MS(revision) ((revision)*10)

/* What a revision has done. An empty text: the key was deleted. */
struct did {
    uint32_t count;
    uint32_t keys[CHANGES_MAX];
    char texts[CHANGES_MAX][24];
};

struct fixture {
    struct env *env;
    char directory[DIRECTORY_PATH_SIZE];
    struct prng prng;
    uint64_t bytes_max;
    struct history_journal *journal;
    struct store_companion companion;
    struct did did[REVISIONS + 1];
    uint64_t revision;   /* of the state */
    uint64_t frozen;     /* that a checkpoint under way will have */
    uint64_t checkpoint; /* that is durable */
    bool is_frozen;
    uint64_t kept_max; /* the most revisions that a start has had from before the checkpoint */
};

/* ---- what is told ---- */

static struct slice key_of(char text[8], uint32_t key)
{
    (void)snprintf(text, 8, "key-%u", key);
    return slice_from_text(text);
}

/* The text that stood under the key before change `i` of `revision`; NULL: there was none. */
static const char *before(const struct fixture *fixture, uint64_t revision, uint32_t i)
{
    uint32_t key = fixture->did[revision].keys[i];
    for (uint64_t r = revision; r > 0; r--) {
        const struct did *did = &fixture->did[r];
        for (uint32_t j = r == revision ? i : did->count; j-- > 0;) {
            if (did->keys[j] == key) {
                return did->texts[j][0] != '\0' ? did->texts[j] : NULL;
            }
        }
    }
    return NULL;
}

static struct store_record record_of(struct slice key, const char *text, uint64_t revision)
{
    struct store_record record = {.owner = buf_copy(slice_from_text(text)),
                                  .create_revision = revision,
                                  .mod_revision = revision,
                                  .version = 1};
    record.value = buf_slice(record.owner);
    store_record_seal(&record, key);
    return record;
}

/* Tells the history of one change. Half of what was replaced is the checkpoint's. */
static void tell_change(struct fixture *fixture, uint64_t revision, uint32_t i)
{
    struct history *history = history_journal_history(fixture->journal);
    const struct did *did = &fixture->did[revision];
    const char *old = before(fixture, revision, i);
    char text[8];
    struct slice key = key_of(text, did->keys[i]);
    struct store_record record = record_of(key, did->texts[i], revision);
    struct store_record replaced = record_of(key, old != NULL ? old : "", revision - 1);
    struct buf *old_owner = replaced.owner;
    bool is_put = did->texts[i][0] != '\0';
    if (did->keys[i] % 2 == 0) {
        replaced.owner = NULL;
    }
    const struct store_change change = {
        .kind = is_put ? STORE_CHANGE_PUT : STORE_CHANGE_DELETE,
        .revision = revision,
        .clock_ms = CLOCK_MS(revision),
        .key = key,
        .record = is_put ? &record : NULL,
        .replaced = old != NULL ? &replaced : NULL,
    };
    history_changed(history, &change);
    buf_unref(record.owner);
    buf_unref(old_owner);
}

static void tell(struct fixture *fixture, uint64_t revision)
{
    for (uint32_t i = 0; i < fixture->did[revision].count; i++) {
        tell_change(fixture, revision, i);
    }
    history_revised(history_journal_history(fixture->journal), revision);
}

/* Makes up one more revision, or none that changes a key. */
static void apply(struct fixture *fixture)
{
    struct did *did = &fixture->did[++fixture->revision];
    did->count = (uint32_t)prng_below(&fixture->prng, CHANGES_MAX + 1);
    uint32_t first = (uint32_t)prng_below(&fixture->prng, KEYS);
    for (uint32_t i = 0; i < did->count; i++) {
        did->keys[i] = (first + i) % KEYS;
        did->texts[i][0] = '\0';
        bool is_there = before(fixture, fixture->revision, i) != NULL;
        if (!is_there || prng_below(&fixture->prng, 4) > 0) {
            (void)snprintf(did->texts[i], sizeof(did->texts[i]), "%llu-%u",
                           (unsigned long long)fixture->revision, i);
        }
    }
    tell(fixture, fixture->revision);
}

/* ---- what is there ---- */

static void assert_entry(const struct fixture *fixture, const struct history_entry *entry,
                         uint64_t revision, uint32_t i)
{
    const struct did *did = &fixture->did[revision];
    const char *old = before(fixture, revision, i);
    char text[8];
    bool is_damaged;
    const struct store_record *replaced = history_replaced(entry, &is_damaged);
    assert_false(is_damaged);
    assert_int_equal(entry->revision, revision);
    assert_int_equal(entry->clock_ms, CLOCK_MS(revision));
    assert_true(slice_equal(entry->key, key_of(text, did->keys[i])));
    assert_int_equal(entry->kind == STORE_CHANGE_PUT, did->texts[i][0] != '\0');
    if (entry->kind == STORE_CHANGE_PUT) {
        assert_true(slice_equal(entry->record.value, slice_from_text(did->texts[i])));
    }
    assert_int_equal(replaced != NULL, old != NULL);
    if (old != NULL && replaced != NULL) {
        assert_true(slice_equal(replaced->value, slice_from_text(old)));
    }
}

/* Every change from the oldest revision on, and nothing else. */
static void assert_history(const struct fixture *fixture)
{
    const struct history *history = history_journal_history(fixture->journal);
    uint64_t number = history_first(history);
    assert_int_equal(history_newest(history), fixture->revision);
    for (uint64_t r = history_oldest(history) + 1; r <= fixture->revision; r++) {
        for (uint32_t i = 0; i < fixture->did[r].count; i++) {
            assert_entry(fixture, history_at_number(history, number), r, i);
            number++;
        }
    }
    assert_int_equal(number, history_end(history));
}

/* ---- lives ---- */

static void begin_life(struct fixture *fixture)
{
    const struct history_journal_options options = {
        .env = fixture->env,
        .directory = fixture->directory,
        .region = 1,
        .history = {.bytes_max = fixture->bytes_max, .revisions_max = 1000},
    };
    struct err_note note = {.text = ""};
    assert_int_equal(history_journal_open(&fixture->journal, &options, &note), OK);
    assert_int_equal(history_journal_load(fixture->journal, fixture->checkpoint), OK);
    fixture->companion = history_journal_companion(fixture->journal);
}

static void init(struct fixture *fixture, uint64_t seed, uint64_t bytes_max)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->env = env_uv_open();
    fixture->bytes_max = bytes_max;
    prng_init(&fixture->prng, seed);
    directory_make(fixture->directory);
    begin_life(fixture);
}

static void deinit(struct fixture *fixture)
{
    history_journal_close(fixture->journal);
    env_uv_close(fixture->env);
    directory_remove(fixture->directory);
}

/* Ends without a word, and begins at the checkpoint; the log brings the rest. */
static void crash(struct fixture *fixture)
{
    uint64_t revision = fixture->revision;
    history_journal_close(fixture->journal);
    fixture->is_frozen = false;
    begin_life(fixture);
    fixture->revision = fixture->checkpoint;
    assert_history(fixture);
    uint64_t oldest = history_oldest(history_journal_history(fixture->journal));
    if (fixture->checkpoint - oldest > fixture->kept_max) {
        fixture->kept_max = fixture->checkpoint - oldest;
    }
    while (fixture->revision < revision) {
        tell(fixture, ++fixture->revision);
    }
    assert_history(fixture);
}

static void freeze(struct fixture *fixture)
{
    fixture->companion.freeze(fixture->journal);
    fixture->frozen = fixture->revision;
    fixture->is_frozen = true;
}

static void finish_checkpoint(struct fixture *fixture)
{
    fixture->companion.write(fixture->journal);
    if (prng_below(&fixture->prng, 4) == 0) { /* it fails for want of space, and is repeated */
        fixture->companion.done(fixture->journal);
        fixture->companion.write(fixture->journal);
    }
    if (prng_below(&fixture->prng, 4) == 0) { /* between the journal and the checkpoint */
        crash(fixture);
        return;
    }
    fixture->checkpoint = fixture->frozen;
    fixture->is_frozen = false;
    fixture->companion.done(fixture->journal);
}

static void step(struct fixture *fixture)
{
    uint64_t dice = prng_below(&fixture->prng, 40);
    if (dice == 0) {
        crash(fixture);
    } else if (dice < 4 && !fixture->is_frozen) {
        freeze(fixture);
    } else if (dice < 8 && fixture->is_frozen) {
        finish_checkpoint(fixture);
    } else {
        apply(fixture);
    }
    assert_history(fixture);
}

static void checkpoint_now(struct fixture *fixture)
{
    freeze(fixture);
    fixture->companion.write(fixture->journal);
    fixture->checkpoint = fixture->frozen;
    fixture->is_frozen = false;
    fixture->companion.done(fixture->journal);
}

static uint64_t oldest_of(const struct fixture *fixture)
{
    return history_oldest(history_journal_history(fixture->journal));
}

static void whatever_comes_a_start_has_what_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture fixture;
        init(&fixture, seed, seed % 2 == 0 ? 1 << 24 : 12000);
        while (fixture.revision < REVISIONS) {
            step(&fixture);
        }
        assert_true(fixture.kept_max > 20); /* it was not always lost */
        if (seed % 2 == 0) {
            assert_int_equal(oldest_of(&fixture), 0);
        } else {
            assert_true(history_journal_bytes(fixture.journal) < 100000);
        }
        deinit(&fixture);
    }
}

/* More between two checkpoints than is kept: what is older is of no use. */
static void a_gap_begins_it_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 1, 12000);
    while (fixture.revision < 10) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    while (fixture.revision < 300) {
        apply(&fixture);
    }
    uint64_t oldest = oldest_of(&fixture);
    assert_true(oldest > 10);
    checkpoint_now(&fixture);
    crash(&fixture);
    assert_int_equal(oldest_of(&fixture), oldest);
    deinit(&fixture);
}

static void a_state_from_elsewhere_has_no_past(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 2, 1 << 24);
    while (fixture.revision < 20) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    assert_int_equal(fixture.companion.replace(fixture.journal), OK);
    crash(&fixture); /* right then, be the other state there or not */
    assert_int_equal(oldest_of(&fixture), fixture.checkpoint);
    assert_int_equal(fixture.companion.replace(fixture.journal), OK);
    fixture.companion.done(fixture.journal);
    fixture.revision = 100;
    history_restart(history_journal_history(fixture.journal), 100);
    apply(&fixture);
    apply(&fixture);
    checkpoint_now(&fixture);
    crash(&fixture);
    assert_int_equal(oldest_of(&fixture), 100);
    deinit(&fixture);
}

/* What has come until then is not written again when there is room: the ring still has it. */
static void for_want_of_space_it_begins_later(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 4, 1 << 24);
    while (fixture.revision < 20) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    while (fixture.revision < 30) {
        apply(&fixture);
    }
    limit_file_size(1);
    checkpoint_now(&fixture);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(history_journal_bytes(fixture.journal), 0);
    assert_int_equal(oldest_of(&fixture), 0);
    while (fixture.revision < 40) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    crash(&fixture);
    assert_int_equal(oldest_of(&fixture), 30);
    deinit(&fixture);
}

/* The checkpoint needs the room that the journal has. */
static void it_gives_way_to_the_checkpoint(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 5, 1 << 24);
    assert_false(fixture.companion.give_way(fixture.journal)); /* there is nothing */
    while (fixture.revision < 20) {
        apply(&fixture);
    }
    freeze(&fixture);
    fixture.companion.write(fixture.journal);
    assert_true(fixture.companion.give_way(fixture.journal));
    assert_false(fixture.companion.give_way(fixture.journal));
    fixture.checkpoint = fixture.frozen;
    fixture.is_frozen = false;
    fixture.companion.done(fixture.journal);
    assert_int_equal(history_journal_bytes(fixture.journal), 0);
    while (fixture.revision < 30) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    crash(&fixture);
    assert_int_equal(oldest_of(&fixture), 20);
    deinit(&fixture);
}

/* The store was lost, and the log makes it anew. */
static void without_a_state_nothing_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 3, 1 << 24);
    while (fixture.revision < 20) {
        apply(&fixture);
    }
    checkpoint_now(&fixture);
    fixture.checkpoint = 0;
    crash(&fixture);
    assert_int_equal(oldest_of(&fixture), 0);
    assert_int_equal(history_journal_bytes(fixture.journal), 0);
    deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_a_start_has_what_was),
        cmocka_unit_test(a_gap_begins_it_anew),
        cmocka_unit_test(a_state_from_elsewhere_has_no_past),
        cmocka_unit_test(for_want_of_space_it_begins_later),
        cmocka_unit_test(it_gives_way_to_the_checkpoint),
        cmocka_unit_test(without_a_state_nothing_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
