#include "store/system.h"
#include "store_testing.h"

static void numbers_in_keys_are_in_order(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1, 255, 256, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 1; i < ARRAY_COUNT(times); i++) {
        struct system_key before;
        struct system_key after;
        struct slice a =
            system_key_expiry(&before, times[i - 1], SYSTEM_OF_KEY, SLICE_LITERAL("zzz"));
        struct slice b = system_key_expiry(&after, times[i], SYSTEM_OF_KEY, SLICE_LITERAL("a"));
        assert_true(slice_compare(a, b) < 0);
        assert_true(system_key_number(b, 1) == times[i]);
        assert_true(slice_compare(system_key_age(&before, times[i - 1], SLICE_LITERAL("z")),
                                  system_key_age(&after, times[i], SLICE_EMPTY)) < 0);
        assert_true(slice_compare(system_key_holder(&before, SLICE_LITERAL("lx"), times[i - 1]),
                                  system_key_holder(&after, SLICE_LITERAL("lx"), times[i])) < 0);
    }
}

/* What one lock's parties begin with, no other's do. */
static void a_name_that_begins_with_another_is_kept_apart(void **state)
{
    (void)state;
    struct system_key key;
    struct system_key other;
    struct slice of_x = system_key_waiter(&key, SLICE_LITERAL("lx"), 0);
    struct slice of_xy = system_key_waiter(&other, SLICE_LITERAL("lxy"), 0);
    assert_true(memcmp(of_x.data, of_xy.data, of_x.size - 8) != 0);
}

static void the_longest_of_each_fits(void **state)
{
    (void)state;
    static uint8_t bytes[KEY_SIZE_MAX];
    struct slice longest = {bytes, KEY_SIZE_MAX};
    struct slice name = {bytes, 1 + TXN_LOCK_NAME_SIZE_MAX};
    struct slice idempotency_key = {bytes, TXN_IDEMPOTENCY_KEY_SIZE_MAX};
    struct system_key key;
    const size_t sizes[] = {
        system_key_expiry(&key, UINT64_MAX, SYSTEM_OF_KEY, longest).size,
        system_key_leased(&key, UINT64_MAX, longest).size,
        system_key_expiry_of_place(&key, UINT64_MAX, UINT64_MAX, name).size,
        system_key_lease_holder(&key, UINT64_MAX, UINT64_MAX, name).size,
        system_key_holder(&key, name, UINT64_MAX).size,
        system_key_age(&key, UINT64_MAX, idempotency_key).size,
    };
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        assert_in_range(sizes[i], 1, STORE_SYSTEM_KEY_SIZE_MAX - 1); /* and a step behind it */
    }
}

static void a_step_leads_to_the_next_key_there_can_be(void **state)
{
    (void)state;
    struct system_key key;
    struct system_key longer;
    (void)system_key_idempotency(&key, SLICE_LITERAL("k"));
    struct slice before = system_key_idempotency(&longer, SLICE_LITERAL("k\0"));
    assert_true(slice_compare(system_key_slice(&key), before) < 0);
    system_key_step(&key);
    assert_true(slice_equal(system_key_slice(&key), before));
}

static void values_come_back_and_what_is_cut_does_not(void **state)
{
    (void)state;
    const struct system_party party = {.lease = 1,
                                       .ttl_ms = 2,
                                       .place = 3,
                                       .due_ms = 4,
                                       .content_type = SLICE_LITERAL("text/plain"),
                                       .owner = SLICE_LITERAL("who")};
    const struct system_lease lease = {.ttl_ms = 5, .due_ms = 6};
    const struct system_lock lock = {.limit = 7, .holders = 8, .waiters = 9};
    struct system_party party_back;
    struct system_lease lease_back;
    struct system_lock lock_back;
    struct writer out = {0};
    system_party_encode(&party, &out);
    assert_true(system_party_decode(writer_slice(&out), &party_back));
    assert_true(party_back.lease == 1 && party_back.ttl_ms == 2 && party_back.place == 3 &&
                party_back.due_ms == 4);
    assert_true(slice_equal(party_back.owner, party.owner));
    assert_true(slice_equal(party_back.content_type, party.content_type));
    assert_false(system_party_decode((struct slice){out.data, 40}, &party_back));
    writer_reset(&out);
    system_lease_encode(&lease, &out);
    assert_true(system_lease_decode(writer_slice(&out), &lease_back));
    assert_true(lease_back.ttl_ms == 5 && lease_back.due_ms == 6);
    assert_false(system_lease_decode((struct slice){out.data, out.size - 1}, &lease_back));
    writer_reset(&out);
    system_lock_encode(&lock, &out);
    assert_true(system_lock_decode(writer_slice(&out), &lock_back));
    assert_true(lock_back.limit == 7 && lock_back.holders == 8 && lock_back.waiters == 9);
    assert_false(system_lock_decode((struct slice){out.data, out.size - 1}, &lock_back));
    writer_reset(&out);
    const struct system_answer answer = {
        .fingerprint = {1, 2}, .due_ms = 3, .result = SLICE_LITERAL("result")};
    struct system_answer answer_back;
    system_answer_encode(&answer, &out);
    assert_true(system_answer_decode(writer_slice(&out), &answer_back));
    assert_true(hash128_equal(answer_back.fingerprint, answer.fingerprint));
    assert_true(answer_back.due_ms == 3);
    assert_true(slice_equal(answer_back.result, answer.result));
    assert_false(system_answer_decode((struct slice){out.data, 23}, &answer_back));
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_keys_are_in_order),
        cmocka_unit_test(a_name_that_begins_with_another_is_kept_apart),
        cmocka_unit_test(the_longest_of_each_fits),
        cmocka_unit_test(a_step_leads_to_the_next_key_there_can_be),
        cmocka_unit_test(values_come_back_and_what_is_cut_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
