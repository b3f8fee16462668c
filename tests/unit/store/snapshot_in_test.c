#include "store/snapshot_int.h"
#include "store_testing.h"

/* A store, and the snapshot of another state that may come into it: header, three records, end. */
struct bench {
    struct world world;
    struct chunks chunks;
};

static void bench_make(struct bench *bench)
{
    world_make(&bench->world);
    world_put(&bench->world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_put(&bench->world, SLICE_LITERAL("b"), SLICE_EMPTY);
    world_put(&bench->world, SLICE_LITERAL("c"), SLICE_LITERAL("3"));
    bench->chunks = world_export(&bench->world, 1);
    assert_int_equal(bench->chunks.count, 5);
}

static void bench_remove(struct bench *bench)
{
    writer_deinit(&bench->chunks.bytes);
    world_remove(&bench->world);
}

/* Writes the chunks until one is refused. */
static err write_all(struct store_incoming *incoming, const struct chunks *chunks)
{
    err e = OK;
    for (size_t i = 0; e == OK && i < chunks->count; i++) {
        e = store_incoming_write(incoming, chunk_at(chunks, i), i + 1 == chunks->count);
    }
    return e;
}

static void a_complete_one_stays_and_says_whose_members_it_has(void **state)
{
    (void)state;
    struct bench bench = {0};
    bench_make(&bench);
    struct store_incoming *incoming = world_stage(&bench.world, &bench.chunks);
    const struct membership *membership = store_incoming_membership(incoming);
    assert_string_equal(membership_find(membership, 7)->peer_address, "127.0.0.1:4000");
    assert_int_equal(access(store_incoming_path(incoming), R_OK), 0);
    assert_int_equal(store_incoming_size(incoming), bench.chunks.bytes.size);
    assert_int_equal(staged_count(&bench.world.place), 1);
    struct slice last = chunk_at(&bench.chunks, bench.chunks.count - 1);
    assert_int_equal(store_incoming_write(incoming, last, true), ERR_DAMAGED);
    assert_true(store_incoming_is_complete(incoming));
    char *path = mem_strdup(store_incoming_path(incoming));
    store_incoming_close(incoming);
    assert_int_equal(unlink(path), 0);
    mem_free(path);
    bench_remove(&bench);
}

static void an_incomplete_one_is_removed(void **state)
{
    (void)state;
    struct bench bench = {0};
    bench_make(&bench);
    for (size_t count = 0; count < bench.chunks.count; count++) {
        struct store_incoming *incoming = world_begin(&bench.world, bench.chunks.pos);
        for (size_t i = 0; i < count; i++) {
            struct slice chunk = chunk_at(&bench.chunks, i);
            assert_int_equal(store_incoming_write(incoming, chunk, false), OK);
        }
        assert_int_equal(staged_count(&bench.world.place), 1);
        store_incoming_close(incoming);
        assert_int_equal(staged_count(&bench.world.place), 0);
    }
    bench_remove(&bench);
}

static void a_complete_one_that_is_not_wanted_is_removed(void **state)
{
    (void)state;
    struct bench bench = {0};
    bench_make(&bench);
    store_incoming_discard(world_stage(&bench.world, &bench.chunks));
    assert_int_equal(staged_count(&bench.world.place), 0);
    bench_remove(&bench);
}

static void every_flipped_byte_is_refused_and_nothing_stays(void **state)
{
    (void)state;
    struct bench bench = {0};
    bench_make(&bench);
    for (size_t i = 0; i < bench.chunks.bytes.size; i++) {
        struct store_incoming *incoming = world_begin(&bench.world, bench.chunks.pos);
        bench.chunks.bytes.data[i] ^= 0xff;
        assert_int_equal(write_all(incoming, &bench.chunks), ERR_DAMAGED);
        bench.chunks.bytes.data[i] ^= 0xff;
        assert_int_equal(write_all(incoming, &bench.chunks), ERR_DAMAGED); /* it is final */
        assert_false(store_incoming_is_complete(incoming));
        store_incoming_close(incoming);
        assert_int_equal(staged_count(&bench.world.place), 0);
    }
    bench_remove(&bench);
}

static void another_region_or_position_than_announced_is_refused(void **state)
{
    (void)state;
    struct bench bench = {0};
    struct err_note note = {""};
    struct store_incoming *incoming;
    bench_make(&bench);
    struct raft_pos pos = bench.chunks.pos;
    const struct raft_pos wrong[] = {{pos.term + 1, pos.index}, {pos.term, pos.index + 1}};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        incoming = world_begin(&bench.world, wrong[i]);
        assert_int_equal(write_all(incoming, &bench.chunks), ERR_DAMAGED);
        store_incoming_close(incoming);
    }
    err e = store_incoming_begin(bench.world.store, REGION + 1, pos, &incoming, &note);
    assert_int_equal(e, OK);
    assert_int_equal(write_all(incoming, &bench.chunks), ERR_DAMAGED);
    store_incoming_close(incoming);
    bench_remove(&bench);
}

static void the_last_chunk_is_the_one_that_is_called_so(void **state)
{
    (void)state;
    struct bench bench = {0};
    bench_make(&bench);
    struct store_incoming *incoming = world_begin(&bench.world, bench.chunks.pos);
    assert_int_equal(store_incoming_write(incoming, chunk_at(&bench.chunks, 0), true), ERR_DAMAGED);
    store_incoming_close(incoming);
    incoming = world_begin(&bench.world, bench.chunks.pos);
    bench.chunks.count--;
    bench.chunks.begins[bench.chunks.count] = bench.chunks.bytes.size; /* two in one */
    assert_int_equal(write_all(incoming, &bench.chunks), ERR_DAMAGED);
    store_incoming_close(incoming);
    bench_remove(&bench);
}

static void the_same_snapshot_comes_in_once_at_a_time(void **state)
{
    (void)state;
    struct bench bench = {0};
    struct err_note note = {""};
    struct store_incoming *another;
    bench_make(&bench);
    struct raft_pos pos = bench.chunks.pos;
    struct store_incoming *incoming = world_begin(&bench.world, pos);
    err e = store_incoming_begin(bench.world.store, REGION, pos, &another, &note);
    assert_int_equal(e, ERR_EXISTS);
    assert_non_null(strstr(note.text, ".partial"));
    assert_int_equal(write_all(incoming, &bench.chunks), OK);
    store_incoming_discard(incoming);
    bench_remove(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_one_stays_and_says_whose_members_it_has),
        cmocka_unit_test(an_incomplete_one_is_removed),
        cmocka_unit_test(a_complete_one_that_is_not_wanted_is_removed),
        cmocka_unit_test(every_flipped_byte_is_refused_and_nothing_stays),
        cmocka_unit_test(another_region_or_position_than_announced_is_refused),
        cmocka_unit_test(the_last_chunk_is_the_one_that_is_called_so),
        cmocka_unit_test(the_same_snapshot_comes_in_once_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
