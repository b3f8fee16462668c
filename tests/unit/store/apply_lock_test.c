/* Locks against a model: who holds one, who waits, with which tokens, as time passes. */
#include "store/system_read.h"
#include "txn_testing.h"

#define PARTIES_MAX 64u
#define LIMIT 2u

struct model_party {
    uint64_t number; /* token, or place */
    uint64_t place;  /* of a holder: where it waited */
    uint64_t lease;  /* 0: none */
    uint64_t ttl_ms;
    uint64_t due_ms; /* of a holder with a lease; of who waits */
    struct slice said;
};

struct model {
    uint64_t elapsed_ms;
    uint64_t revision;
    uint64_t last_token;
    bool is_revision; /* of the operation at hand */
    size_t holder_count;
    size_t waiter_count;
    struct model_party holders[PARTIES_MAX]; /* in the order of their tokens */
    struct model_party waiters[PARTIES_MAX];
};

static const struct slice name = SLICE_INIT("lock");

static void model_hold(struct model *model, struct model_party party)
{
    uint64_t next = model->revision + 1;
    model->last_token = model->last_token + 1 > next ? model->last_token + 1 : next;
    model->is_revision = true;
    party.number = model->last_token;
    party.due_ms = model->elapsed_ms + party.ttl_ms;
    model->holders[model->holder_count++] = party;
}

static void remove_at(struct model_party *parties, size_t *count, size_t at)
{
    (*count)--;
    memmove(parties + at, parties + at + 1, (*count - at) * sizeof(*parties));
}

static void model_promote(struct model *model)
{
    while (model->holder_count < LIMIT && model->waiter_count > 0) {
        struct model_party next = model->waiters[0];
        remove_at(model->waiters, &model->waiter_count, 0);
        next.place = next.number;
        model_hold(model, next);
    }
}

static void model_release(struct model *model, size_t at)
{
    remove_at(model->holders, &model->holder_count, at);
    model->is_revision = true;
    model_promote(model);
}

static size_t find(const struct model_party *parties, size_t count, uint64_t number)
{
    size_t at = 0;
    while (at < count && parties[at].number != number) {
        at++;
    }
    return at;
}

/* What the operation would do to the model, and its error. */
static err model_lock(struct model *model, const struct txn_op *op)
{
    struct model_party party = {.lease = op->lease, .ttl_ms = op->ttl_ms, .said = op->value};
    if (model->holder_count < LIMIT && model->waiter_count == 0) {
        model_hold(model, party);
        return OK;
    }
    if (op->wait_ms == 0) {
        return ERR_LOCKED;
    }
    party.number = ++model->last_token;
    party.due_ms = model->elapsed_ms + op->wait_ms;
    model->waiters[model->waiter_count++] = party;
    return OK;
}

static err model_change(struct model *model, const struct txn_op *op)
{
    size_t holder = find(model->holders, model->holder_count, op->number);
    size_t waiter = find(model->waiters, model->waiter_count, op->number);
    bool is_holder = holder < model->holder_count;
    if (op->type == TXN_LOCK_LEAVE) {
        if (waiter < model->waiter_count) {
            remove_at(model->waiters, &model->waiter_count, waiter);
        }
        return OK;
    }
    if (op->type == TXN_UNLOCK && (op->flags & TXN_FORCE) != 0) {
        for (size_t left = model->holder_count; left > 0; left--) {
            model_release(model, 0);
        }
        return OK;
    }
    if (!is_holder) {
        return ERR_FENCE_LOST;
    }
    if (op->type == TXN_UNLOCK) {
        model_release(model, holder);
        return OK;
    }
    if (op->value.size > 0) {
        model->is_revision = true;
        model->holders[holder].said = op->value;
    }
    if (model->holders[holder].lease != 0) {
        model->holders[holder].due_ms = model->elapsed_ms + model->holders[holder].ttl_ms;
    }
    return OK;
}

/* The first that is due: leases before places of the same time. True: there was one. */
static bool model_expire_one(struct model *model)
{
    size_t holder = model->holder_count;
    size_t waiter = model->waiter_count;
    uint64_t first_ms = model->elapsed_ms;
    for (size_t i = 0; i < model->waiter_count; i++) {
        if (model->waiters[i].due_ms <= first_ms &&
            (waiter == model->waiter_count || model->waiters[i].due_ms < first_ms)) {
            waiter = i;
            first_ms = model->waiters[i].due_ms;
        }
    }
    for (size_t i = 0; i < model->holder_count; i++) {
        const struct model_party *found = &model->holders[i];
        bool is_first = holder == model->holder_count || found->due_ms < first_ms ||
                        found->lease < model->holders[holder].lease;
        if (found->lease != 0 && found->due_ms <= first_ms && is_first) {
            holder = i;
            first_ms = found->due_ms;
        }
    }
    if (holder < model->holder_count) {
        model_release(model, holder);
        return true;
    }
    if (waiter < model->waiter_count) {
        remove_at(model->waiters, &model->waiter_count, waiter);
        return true;
    }
    return false;
}

static err model_apply(struct model *model, const struct txn_op *op, uint64_t elapsed_ms)
{
    err e = OK;
    model->elapsed_ms = elapsed_ms;
    model->is_revision = false;
    if (op->type == TXN_EXPIRE) {
        while (model_expire_one(model)) {
        }
    } else {
        e = op->type == TXN_LOCK ? model_lock(model, op) : model_change(model, op);
    }
    model->revision += model->is_revision ? 1 : 0;
    return e;
}

/* ---- comparing ---- */

static void compare(struct world *world, const struct model *model)
{
    struct store_party party;
    uint64_t number = 0;
    assert_int_equal(world_region(world)->last_token, model->last_token);
    assert_int_equal(world_region(world)->revision, model->revision);
    for (size_t i = 0; i < model->holder_count; i++) {
        assert_int_equal(store_holder_next(world->store, name, number, &party), OK);
        assert_int_equal(party.number, model->holders[i].number);
        assert_int_equal(party.party.lease, model->holders[i].lease);
        assert_int_equal(party.party.place, model->holders[i].place);
        assert_true(slice_equal(party.party.owner, model->holders[i].said));
        number = party.number;
    }
    assert_int_equal(store_holder_next(world->store, name, number, &party), ERR_NOT_FOUND);
    number = 0;
    for (size_t i = 0; i < model->waiter_count; i++) {
        assert_int_equal(store_waiter_next(world->store, name, number, &party), OK);
        assert_int_equal(party.number, model->waiters[i].number);
        assert_int_equal(party.party.due_ms, model->waiters[i].due_ms);
        number = party.number;
    }
    assert_int_equal(store_waiter_next(world->store, name, number, &party), ERR_NOT_FOUND);
    world_check(world);
}

static struct txn_op random_op(struct prng *chance, const struct model *model, uint64_t *next_lease)
{
    static const struct slice owners[] = {SLICE_INIT("me"), SLICE_INIT(""), SLICE_INIT("you")};
    struct txn_op op = {.type = TXN_LOCK, .key = name, .number = LIMIT};
    uint64_t recent = model->last_token < 8 ? 0 : model->last_token - 8;
    switch (prng_below(chance, 8)) {
    case 0:
    case 1:
    case 2:
        op.ttl_ms = prng_below(chance, 3) > 0 ? 1 + prng_below(chance, 30) : 0;
        op.lease = op.ttl_ms > 0 ? (*next_lease)++ : 0;
        op.wait_ms = model->waiter_count + 2 < PARTIES_MAX ? prng_below(chance, 40) : 0;
        op.value = owners[prng_below(chance, ARRAY_COUNT(owners))];
        return op;
    case 3:
        op.type = TXN_LOCK_RENEW;
        op.value = owners[prng_below(chance, ARRAY_COUNT(owners))];
        break;
    case 4:
        op.type = TXN_LOCK_LEAVE;
        break;
    case 5:
        op.type = TXN_UNLOCK;
        op.flags = prng_below(chance, 6) == 0 ? TXN_FORCE : 0;
        break;
    default:
        return (struct txn_op){.type = TXN_EXPIRE, .number = 1000};
    }
    op.number = recent + 1 + prng_below(chance, 9);
    return op;
}

static void locks_are_what_the_model_says(void **state)
{
    (void)state;
    struct prng chance;
    struct world world = {0};
    struct model model = {0};
    uint64_t next_lease = 1;
    uint64_t elapsed_ms = 0;
    prng_init(&chance, 7);
    world_make(&world);
    model.revision = world_region(&world)->revision;
    for (unsigned i = 0; i < 3000; i++) {
        elapsed_ms += prng_below(&chance, 8);
        struct txn_op op = random_op(&chance, &model, &next_lease);
        err e = model_apply(&model, &op, elapsed_ms);
        assert_int_equal(world_op_error(&world, &op, elapsed_ms), e);
        compare(&world, &model);
        if (prng_below(&chance, 100) == 0) {
            world_checkpoint(&world);
        }
    }
    assert_true(model.last_token > 500);
    world_remove(&world);
}

/* ---- one by one ---- */

static struct answered ask(struct world *world, struct txn_op op, uint64_t elapsed_ms)
{
    op.key = name;
    return world_op(world, &op, elapsed_ms);
}

static void who_does_not_get_it_is_told_of_the_oldest_holder(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_op op = {.type = TXN_LOCK,
                        .number = 1,
                        .lease = 1,
                        .ttl_ms = 100,
                        .value = SLICE_LITERAL("first"),
                        .content_type = SLICE_LITERAL("text/x")};
    struct answered first = ask(&world, op, 10);
    assert_true(first.ops[0].is_held);
    assert_int_equal(first.ops[0].lease, 1);
    op.lease = 2;
    struct answered second = ask(&world, op, 50);
    assert_int_equal(second.result.e, ERR_LOCKED);
    assert_true(slice_equal(second.ops[0].value, SLICE_LITERAL("first")));
    assert_true(slice_equal(second.ops[0].content_type, SLICE_LITERAL("text/x")));
    assert_int_equal(second.ops[0].number, first.ops[0].number);
    assert_int_equal(second.ops[0].ttl_ms, 60);
    answered_drop(&second);
    op.number = 2;
    op.wait_ms = 10;
    second = ask(&world, op, 50);
    assert_int_equal(second.result.e, ERR_CONFLICT);
    answered_drop(&first);
    answered_drop(&second);
    world_remove(&world);
}

static void who_leaves_is_told_if_it_holds_the_lock(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    const struct txn_op take = {.type = TXN_LOCK, .number = 1, .lease = 1, .ttl_ms = 10};
    const struct txn_op queue = {
        .type = TXN_LOCK, .number = 1, .lease = 2, .ttl_ms = 20, .wait_ms = 100};
    struct answered first = ask(&world, take, 0);
    struct answered second = ask(&world, queue, 0);
    assert_false(second.ops[0].is_held);
    uint64_t place = second.ops[0].number;
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    assert_int_equal(world_op_error(&world, &expire, 10), OK);
    const struct txn_op leave = {.type = TXN_LOCK_LEAVE, .number = place};
    struct answered left = ask(&world, leave, 10);
    assert_true(left.ops[0].is_held);
    assert_true(left.ops[0].number > first.ops[0].number);
    assert_int_equal(left.ops[0].lease, 2);
    answered_drop(&first);
    answered_drop(&second);
    answered_drop(&left);
    world_remove(&world);
}

static void a_queue_has_its_bound(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_op op = {
        .type = TXN_LOCK, .key = name, .number = 1, .ttl_ms = 10, .wait_ms = 1000000};
    for (uint64_t i = 0; i <= 10000; i++) {
        op.lease = i + 1;
        assert_int_equal(world_op_error(&world, &op, 1), OK);
    }
    op.lease++;
    assert_int_equal(world_op_error(&world, &op, 1), ERR_LOCKED);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_are_what_the_model_says),
        cmocka_unit_test(who_does_not_get_it_is_told_of_the_oldest_holder),
        cmocka_unit_test(who_leaves_is_told_if_it_holds_the_lock),
        cmocka_unit_test(a_queue_has_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
