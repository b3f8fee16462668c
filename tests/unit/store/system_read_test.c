#include "damage_testing.h"
#include "store/system_read.h"
#include "txn_testing.h"

static void grant(struct world *world, uint64_t lease, uint64_t ttl_ms)
{
    const struct txn_op op = {.type = TXN_LEASE_GRANT, .lease = lease, .ttl_ms = ttl_ms};
    assert_int_equal(world_op_error(world, &op, 100), OK);
}

static void put_on(struct world *world, const char *key, uint64_t lease)
{
    const struct txn_op op = {
        .type = TXN_PUT, .key = slice_from_text(key), .value = SLICE_LITERAL("v"), .lease = lease};
    assert_int_equal(world_op_error(world, &op, 100), OK);
}

static void lock(struct world *world, const char *name, uint64_t lease, const char *owner)
{
    const struct txn_op op = {.type = TXN_LOCK,
                              .key = slice_from_text(name),
                              .number = 2,
                              .lease = lease,
                              .ttl_ms = 1000,
                              .wait_ms = 5000,
                              .value = slice_from_text(owner)};
    assert_int_equal(world_op_error(world, &op, 100), OK);
}

static void assert_key(const struct system_key *key, const char *text)
{
    assert_true(slice_equal(system_key_slice(key), slice_from_text(text)));
}

static void check_leases(struct world *world)
{
    struct system_lease lease;
    struct system_key key = {.size = 0};
    uint64_t id = 0;
    assert_int_equal(store_lease_get(world->store, 2, &lease), ERR_NOT_FOUND);
    assert_int_equal(store_lease_get(world->store, 3, &lease), OK);
    assert_int_equal(lease.ttl_ms, 30);
    assert_int_equal(lease.due_ms, 130);
    assert_int_equal(store_lease_next(world->store, &id, &lease), OK);
    assert_int_equal(id, 3);
    assert_int_equal(store_lease_next(world->store, &id, &lease), OK);
    assert_true(id == UINT64_MAX);
    assert_int_equal(lease.ttl_ms, 40);
    assert_int_equal(store_lease_next(world->store, &id, &lease), ERR_NOT_FOUND);
    assert_int_equal(store_leased_next(world->store, 3, &key), OK);
    assert_key(&key, "a");
    assert_int_equal(store_leased_next(world->store, 3, &key), OK);
    assert_key(&key, "ab");
    assert_int_equal(store_leased_next(world->store, 3, &key), ERR_NOT_FOUND);
    key.size = 0;
    assert_int_equal(store_leased_next(world->store, 4, &key), ERR_NOT_FOUND);
}

static void leases_and_what_is_on_them_are_walked(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 0};
    world_make(&world);
    grant(&world, 3, 30);
    grant(&world, UINT64_MAX, 40);
    put_on(&world, "ab", 3);
    put_on(&world, "a", 3);
    put_on(&world, "z", UINT64_MAX);
    check_leases(&world);
    world_checkpoint(&world);
    check_leases(&world);
    store_close(world.store);
    place_remove(&world.place);
}

static void check_locks(struct world *world)
{
    struct slice name = SLICE_LITERAL("la");
    struct system_lock found;
    struct store_party party;
    assert_int_equal(store_lock_get(world->store, SLICE_LITERAL("lb"), &found), ERR_NOT_FOUND);
    assert_int_equal(store_lock_get(world->store, name, &found), OK);
    assert_int_equal(found.limit, 2);
    assert_int_equal(found.holders, 2);
    assert_int_equal(found.waiters, 2);
    assert_int_equal(store_holder_next(world->store, name, 0, &party), OK);
    uint64_t first = party.number;
    assert_true(slice_equal(party.party.owner, SLICE_LITERAL("one")));
    assert_int_equal(store_holder_get(world->store, name, first, &party), OK);
    assert_int_equal(party.party.lease, 11);
    assert_int_equal(store_holder_get(world->store, name, first + 100, &party), ERR_NOT_FOUND);
    assert_int_equal(store_holder_next(world->store, name, first, &party), OK);
    assert_int_equal(party.party.lease, 12);
    assert_int_equal(store_holder_next(world->store, name, party.number, &party), ERR_NOT_FOUND);
    assert_int_equal(store_waiter_next(world->store, name, 0, &party), OK);
    assert_int_equal(party.party.lease, 13);
    assert_int_equal(party.number, party.party.place);
    uint64_t place = party.number;
    assert_int_equal(store_waiter_get(world->store, name, place, &party), OK);
    assert_int_equal(store_waiter_next(world->store, name, place, &party), OK);
    assert_int_equal(party.party.lease, 14);
    assert_int_equal(store_waiter_next(world->store, name, party.number, &party), ERR_NOT_FOUND);
    assert_int_equal(store_holder_of_place(world->store, name, place, &party), ERR_NOT_FOUND);
}

static void holders_and_waiters_are_walked_in_their_order(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 0};
    world_make(&world);
    lock(&world, "la", 11, "one");
    lock(&world, "laa", 21, "of another lock");
    lock(&world, "la", 12, "two");
    lock(&world, "la", 13, "three");
    lock(&world, "la", 14, "four");
    lock(&world, "ea", 31, "of another kind");
    check_locks(&world);
    check_locks(&world);
    world_checkpoint(&world);
    check_locks(&world);
    struct store_party party;
    assert_int_equal(store_waiter_next(world.store, SLICE_LITERAL("la"), 0, &party), OK);
    uint64_t place = party.number;
    const struct txn_op op = {.type = TXN_LEASE_REVOKE, .lease = 11};
    assert_int_equal(world_op_error(&world, &op, 200), OK);
    assert_int_equal(store_holder_of_place(world.store, SLICE_LITERAL("la"), place, &party), OK);
    assert_true(slice_equal(party.party.owner, SLICE_LITERAL("three")));
    assert_int_equal(store_waiter_get(world.store, SLICE_LITERAL("la"), place, &party),
                     ERR_NOT_FOUND);
    store_close(world.store);
    place_remove(&world.place);
}

static void what_is_damaged_is_no_answer(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 0};
    struct store_party party;
    world_make(&world);
    lock(&world, "la", 11, "a holder of its own");
    world_checkpoint(&world);
    assert_int_equal(store_holder_next(world.store, SLICE_LITERAL("la"), 0, &party), OK);
    assert_true(spoil(&world, SLICE_LITERAL("a holder of its own"), 0, 1) > 0);
    assert_int_equal(store_holder_next(world.store, SLICE_LITERAL("la"), 0, &party), ERR_CORRUPT);
    store_close(world.store);
    place_remove(&world.place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_and_what_is_on_them_are_walked),
        cmocka_unit_test(what_is_damaged_is_no_answer),
        cmocka_unit_test(holders_and_waiters_are_walked_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
