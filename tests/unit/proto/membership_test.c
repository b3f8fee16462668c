#include <stdio.h>

#include "proto/membership.h"
#include "proto_testing.h"

static struct member member_of(node_id id, const char *address)
{
    struct member member = {.id = id};
    (void)snprintf(member.peer_address, sizeof(member.peer_address), "%s", address);
    return member;
}

static void put(struct membership *membership, node_id id, const char *address)
{
    struct member member = member_of(id, address);
    assert_true(membership_put(membership, &member));
}

static err decode(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct membership membership;
    err e = membership_decode(&in, &membership);
    return e == OK ? reader_finish(&in) : e;
}

static void members_stay_sorted_and_are_found(void **state)
{
    (void)state;
    struct membership membership = {0};
    put(&membership, 3, "c:3");
    put(&membership, 1, "a:1");
    put(&membership, 2, "b:2");
    put(&membership, 3, "d:4");
    assert_int_equal(membership.member_count, 3);
    assert_int_equal(membership.members[0].id, 1);
    assert_int_equal(membership.members[2].id, 3);
    assert_string_equal(membership_find(&membership, 3)->peer_address, "d:4");
    assert_null(membership_find(&membership, 4));
    membership_remove(&membership, 1);
    membership_remove(&membership, 9);
    assert_int_equal(membership.member_count, 2);
    assert_null(membership_find(&membership, 1));
    assert_string_equal(membership_find(&membership, 2)->peer_address, "b:2");
}

static void a_full_membership_replaces_and_takes_no_more(void **state)
{
    (void)state;
    struct membership membership = {0};
    for (node_id id = 1; id <= MEMBERS_MAX; id++) {
        put(&membership, id, "h:1");
    }
    put(&membership, MEMBERS_MAX, "other:1");
    struct member one_more = member_of(MEMBERS_MAX + 1, "h:1");
    assert_false(membership_put(&membership, &one_more));
    assert_int_equal(membership.member_count, MEMBERS_MAX);
}

static void a_membership_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct membership membership = {0};
    char longest[ADDRESS_SIZE_MAX + 1];
    memset(longest, 'h', ADDRESS_SIZE_MAX);
    longest[ADDRESS_SIZE_MAX] = '\0';
    put(&membership, 1, "127.0.0.1:4001");
    put(&membership, 2, longest);
    assert_true(id_set_add(&membership.conf.voters, 1));
    assert_true(id_set_add(&membership.conf.learners, 2));
    struct writer out = {0};
    membership_encode(&membership, &out);
    struct reader in = reader_of(writer_slice(&out));
    struct membership decoded;
    assert_int_equal(membership_decode(&in, &decoded), OK);
    assert_int_equal(in.size, 0);
    assert_true(conf_state_equal(&decoded.conf, &membership.conf));
    assert_int_equal(decoded.member_count, 2);
    assert_string_equal(decoded.members[0].peer_address, "127.0.0.1:4001");
    assert_string_equal(decoded.members[1].peer_address, longest);
    assert_prefixes_are_refused(writer_slice(&out), decode);
    writer_deinit(&out);
}

static void the_highest_id_is_remembered_when_its_member_is_gone(void **state)
{
    (void)state;
    struct membership membership = {0};
    struct member member = {.id = 2};
    struct membership back;
    struct writer out = {0};
    assert_true(membership_put(&membership, &member));
    member.id = 7;
    assert_true(membership_put(&membership, &member));
    membership_encode(&membership, &out);
    assert_int_equal(out.data[0], 1); /* it is a member's: nothing to be said */
    membership_remove(&membership, 7);
    writer_reset(&out);
    membership_encode(&membership, &out);
    assert_int_equal(out.data[0], 3);
    struct reader in = reader_of(writer_slice(&out));
    assert_int_equal(membership_decode(&in, &back), OK);
    assert_int_equal(reader_finish(&in), OK);
    assert_int_equal(back.id_max, 7);
    assert_int_equal(back.member_count, 1);
    store_u64(out.data + out.size - 8, 2); /* a second encoding of what format 1 says */
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static void another_format_version_is_told_from_damage(void **state)
{
    (void)state;
    struct membership membership = {0};
    struct writer out = {0};
    membership_encode(&membership, &out);
    assert_int_equal(decode(writer_slice(&out)), OK);
    out.data[0] = 4;
    assert_int_equal(decode(writer_slice(&out)), ERR_VERSION);
    writer_deinit(&out);
}

static void unsorted_members_and_bad_addresses_are_refused(void **state)
{
    (void)state;
    struct membership membership = {0};
    put(&membership, 1, "a:1");
    put(&membership, 2, "b:2");
    struct writer out = {0};
    membership_encode(&membership, &out);
    uint8_t *second = out.data + out.size - 12;
    store_u64(second, 1);
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    store_u64(second, 2);
    assert_int_equal(decode(writer_slice(&out)), OK);
    second[9] = '\0';
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);

    static const uint8_t no_id[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 'a'};
    struct member member;
    struct reader in = reader_of((struct slice){no_id, sizeof(no_id)});
    assert_int_equal(member_decode(&in, &member), ERR_MALFORMED);
}

static void a_node_alone_needs_no_address(void **state)
{
    (void)state;
    struct membership membership = {0};
    put(&membership, 1, "");
    struct writer out = {0};
    membership_encode(&membership, &out);
    struct reader in = reader_of(writer_slice(&out));
    struct membership decoded;
    assert_int_equal(membership_decode(&in, &decoded), OK);
    assert_string_equal(membership_find(&decoded, 1)->peer_address, "");
    assert_prefixes_are_refused(writer_slice(&out), decode);
    writer_deinit(&out);
}

static void a_member_that_wants_a_vote_has_its_own_format_and_no_second_one(void **state)
{
    (void)state;
    struct membership membership = {0};
    put(&membership, 1, "a:1");
    put(&membership, 2, "b:2");
    membership.members[1].wants_vote = true;
    assert_true(id_set_add(&membership.conf.learners, 2));
    struct writer out = {0};
    membership_encode(&membership, &out);
    assert_int_equal(out.data[0], 2);
    struct reader in = reader_of(writer_slice(&out));
    struct membership decoded;
    assert_int_equal(membership_decode(&in, &decoded), OK);
    assert_false(decoded.members[0].wants_vote);
    assert_true(decoded.members[1].wants_vote);
    assert_prefixes_are_refused(writer_slice(&out), decode);
    out.data[out.size - 1] = 3; /* an unknown flag */
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    out.data[out.size - 1] = 0; /* then it would be format 1 */
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stay_sorted_and_are_found),
        cmocka_unit_test(a_full_membership_replaces_and_takes_no_more),
        cmocka_unit_test(a_membership_comes_back_as_it_was_encoded),
        cmocka_unit_test(the_highest_id_is_remembered_when_its_member_is_gone),
        cmocka_unit_test(another_format_version_is_told_from_damage),
        cmocka_unit_test(a_node_alone_needs_no_address),
        cmocka_unit_test(a_member_that_wants_a_vote_has_its_own_format_and_no_second_one),
        cmocka_unit_test(unsorted_members_and_bad_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
