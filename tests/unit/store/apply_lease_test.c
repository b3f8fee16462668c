/* Leases against a model: which there are, until when, and which keys are on them. */
#include "store/system_read.h"
#include "txn_testing.h"

#define LEASES 5u
#define KEYS 8u

struct model {
    uint64_t ttl_ms[LEASES + 1]; /* 0: there is none */
    uint64_t due_ms[LEASES + 1];
    bool is_there[KEYS];
    uint64_t lease[KEYS]; /* 0: on none */
};

static uint64_t model_end(struct model *model, uint64_t lease)
{
    uint64_t keys = 0;
    model->ttl_ms[lease] = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (model->is_there[i] && model->lease[i] == lease) {
            model->is_there[i] = false;
            keys++;
        }
    }
    return keys;
}

static err model_apply(struct model *model, const struct txn_op *op, size_t key,
                       uint64_t elapsed_ms, uint64_t *out_keys)
{
    bool is_there = op->lease == 0 || model->ttl_ms[op->lease] != 0;
    switch ((int)op->type) {
    case TXN_LEASE_GRANT:
        if (is_there) {
            return ERR_CONFLICT;
        }
        model->ttl_ms[op->lease] = op->ttl_ms;
        model->due_ms[op->lease] = elapsed_ms + op->ttl_ms;
        return OK;
    case TXN_LEASE_KEEP:
        if (is_there) {
            model->due_ms[op->lease] = elapsed_ms + model->ttl_ms[op->lease];
        }
        return is_there ? OK : ERR_LEASE_NOT_FOUND;
    case TXN_LEASE_REVOKE:
        if (is_there) {
            *out_keys = model_end(model, op->lease);
        }
        return is_there ? OK : ERR_LEASE_NOT_FOUND;
    case TXN_PUT:
        if (is_there) {
            model->is_there[key] = true;
            model->lease[key] = op->lease;
        }
        return is_there ? OK : ERR_LEASE_NOT_FOUND;
    default:
        for (uint64_t lease = 1; lease <= LEASES; lease++) {
            if (model->ttl_ms[lease] != 0 && model->due_ms[lease] <= elapsed_ms) {
                (void)model_end(model, lease);
            }
        }
        return OK;
    }
}

static void compare(struct world *world, const struct model *model)
{
    for (uint64_t lease = 1; lease <= LEASES; lease++) {
        struct system_lease found;
        struct system_key key = {.size = 0};
        err e = store_lease_get(world->store, lease, &found);
        assert_int_equal(e, model->ttl_ms[lease] != 0 ? OK : ERR_NOT_FOUND);
        if (e == OK) {
            assert_int_equal(found.ttl_ms, model->ttl_ms[lease]);
            assert_int_equal(found.due_ms, model->due_ms[lease]);
        }
        for (size_t i = 0; i < KEYS; i++) {
            char text[KEY_TEXT_SIZE];
            if (model->is_there[i] && model->lease[i] == lease) {
                assert_int_equal(store_leased_next(world->store, lease, &key), OK);
                assert_true(slice_equal(system_key_slice(&key), key_of(text, i)));
            }
        }
        assert_int_equal(store_leased_next(world->store, lease, &key), ERR_NOT_FOUND);
    }
    world_check(world);
}

static struct txn_op random_op(struct prng *chance, struct slice key)
{
    struct txn_op op = {.lease = 1 + prng_below(chance, LEASES)};
    switch (prng_below(chance, 7)) {
    case 0:
        op.type = TXN_LEASE_GRANT;
        op.ttl_ms = 1 + prng_below(chance, 60);
        break;
    case 1:
        op.type = TXN_LEASE_KEEP;
        break;
    case 2:
        op.type = TXN_LEASE_REVOKE;
        break;
    case 3:
        op = (struct txn_op){.type = TXN_EXPIRE, .number = 1000};
        break;
    default:
        op.type = TXN_PUT;
        op.key = key;
        op.value = SLICE_LITERAL("v");
        op.lease = prng_below(chance, 4) == 0 ? 0 : op.lease;
        break;
    }
    return op;
}

static void leases_are_what_the_model_says(void **state)
{
    (void)state;
    struct prng chance;
    struct world world = {0};
    struct model model = {0};
    uint64_t elapsed_ms = 0;
    prng_init(&chance, 11);
    world_make(&world);
    for (unsigned i = 0; i < 3000; i++) {
        char text[KEY_TEXT_SIZE];
        size_t key = prng_below(&chance, KEYS);
        uint64_t keys = 0;
        elapsed_ms += prng_below(&chance, 6);
        struct txn_op op = random_op(&chance, key_of(text, key));
        err e = model_apply(&model, &op, key, elapsed_ms, &keys);
        uint64_t revision = world_region(&world)->revision;
        struct answered answered = world_op(&world, &op, elapsed_ms);
        assert_int_equal(answered.result.e, e);
        if (op.type == TXN_LEASE_REVOKE && e == OK) {
            assert_int_equal(answered.ops[0].number, keys);
            assert_int_equal(world_region(&world)->revision, revision + (keys > 0 ? 1 : 0));
        }
        answered_drop(&answered);
        compare(&world, &model);
        if (prng_below(&chance, 100) == 0) {
            world_checkpoint(&world);
        }
    }
    world_remove(&world);
}

/* A lock's lease takes the lock with it, and what else is on it. */
static void a_lease_ends_with_all_that_is_on_it(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_party holder;
    world_make(&world);
    const struct txn_op lock = {
        .type = TXN_LOCK, .key = SLICE_LITERAL("la"), .number = 1, .lease = 7, .ttl_ms = 10};
    const struct txn_op put = {.type = TXN_PUT, .key = SLICE_LITERAL("k"), .lease = 7};
    const struct txn_op revoke = {.type = TXN_LEASE_REVOKE, .lease = 7};
    assert_int_equal(world_op_error(&world, &lock, 0), OK);
    assert_int_equal(world_op_error(&world, &put, 0), OK);
    uint64_t revision = world_region(&world)->revision;
    struct answered answered = world_op(&world, &revoke, 0);
    assert_int_equal(answered.ops[0].number, 1);
    assert_int_equal(world_region(&world)->revision, revision + 1);
    assert_int_equal(store_holder_next(world.store, lock.key, 0, &holder), ERR_NOT_FOUND);
    assert_int_equal(world_region(&world)->keys, 0);
    assert_int_equal(world_region(&world)->system_keys, 0);
    answered_drop(&answered);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_are_what_the_model_says),
        cmocka_unit_test(a_lease_ends_with_all_that_is_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
