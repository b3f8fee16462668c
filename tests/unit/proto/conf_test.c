#include "proto/conf.h"
#include "proto_testing.h"

/* ---- sets ---- */

static struct id_set set_of(const node_id *ids, uint32_t count)
{
    struct id_set set = {0};
    for (uint32_t i = 0; i < count; i++) {
        assert_true(id_set_add(&set, ids[i]));
    }
    return set;
}

#define SET(...)                                                                                   \
    set_of((const node_id[]){__VA_ARGS__}, sizeof((const node_id[]){__VA_ARGS__}) / sizeof(node_id))

static void a_set_stays_sorted_and_without_duplicates(void **state)
{
    (void)state;
    struct id_set set = SET(5, 1, 3, 5, 1);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.ids[0], 1);
    assert_int_equal(set.ids[1], 3);
    assert_int_equal(set.ids[2], 5);
    assert_true(id_set_has(&set, 3));
    assert_false(id_set_has(&set, 2));
    assert_false(id_set_has(&set, 6));
}

static void removing_closes_the_gap(void **state)
{
    (void)state;
    struct id_set set = SET(1, 2, 3);
    id_set_remove(&set, 2);
    id_set_remove(&set, 7);
    struct id_set expected = SET(1, 3);
    assert_true(id_set_equal(&set, &expected));
    id_set_remove(&set, 1);
    id_set_remove(&set, 3);
    assert_int_equal(set.count, 0);
}

static void a_full_set_takes_only_what_it_has(void **state)
{
    (void)state;
    struct id_set set = {0};
    for (node_id id = 1; id <= MEMBERS_MAX; id++) {
        assert_true(id_set_add(&set, id * 2));
    }
    assert_true(id_set_add(&set, (node_id)MEMBERS_MAX * 2));
    assert_false(id_set_add(&set, 1));
    assert_false(id_set_add(&set, (node_id)MEMBERS_MAX * 2 + 1));
    assert_int_equal(set.count, MEMBERS_MAX);
}

/* ---- configurations ---- */

static struct conf_state joint_conf(void)
{
    return (struct conf_state){
        .voters = SET(2, 3),
        .voters_outgoing = SET(1, 2),
        .learners = SET(7),
        .learners_next = SET(1),
        .auto_leave = true,
    };
}

static err decode_conf_state(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct conf_state conf;
    err e = conf_state_decode(&in, &conf);
    return e == OK ? reader_finish(&in) : e;
}

static void a_configuration_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct conf_state conf = joint_conf();
    struct writer out = {0};
    conf_state_encode(&conf, &out);
    struct reader in = reader_of(writer_slice(&out));
    struct conf_state decoded;
    assert_int_equal(conf_state_decode(&in, &decoded), OK);
    assert_true(conf_state_equal(&conf, &decoded));
    assert_int_equal(in.size, 0);
    decoded.auto_leave = false;
    assert_false(conf_state_equal(&conf, &decoded));
    assert_prefixes_are_refused(writer_slice(&out), decode_conf_state);
    writer_deinit(&out);
}

static void unsorted_doubled_and_zero_ids_are_refused(void **state)
{
    (void)state;
    struct conf_state conf = {.voters = SET(1, 2)};
    struct writer out = {0};
    conf_state_encode(&conf, &out);
    static const node_id pairs[][2] = {{2, 1}, {2, 2}, {0, 1}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        store_u64(out.data + 1, pairs[i][0]);
        store_u64(out.data + 9, pairs[i][1]);
        assert_int_equal(decode_conf_state(writer_slice(&out)), ERR_MALFORMED);
    }
    writer_deinit(&out);
}

static void a_count_above_the_maximum_is_refused(void **state)
{
    (void)state;
    struct writer out = {0};
    writer_u8(&out, MEMBERS_MAX + 1);
    for (node_id id = 1; id <= MEMBERS_MAX + 1; id++) {
        writer_u64(&out, id);
    }
    writer_u32(&out, 0);
    assert_int_equal(decode_conf_state(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static void sets_that_contradict_each_other_are_not_valid(void **state)
{
    (void)state;
    struct conf_state conf = joint_conf();
    assert_true(conf_state_is_valid(&conf));
    conf.learners = SET(3);
    assert_false(conf_state_is_valid(&conf));
    conf = joint_conf();
    conf.learners = SET(1);
    assert_false(conf_state_is_valid(&conf));
    conf = joint_conf();
    conf.learners_next = SET(2);
    assert_false(conf_state_is_valid(&conf));
    conf = joint_conf();
    conf.learners_next = SET(9);
    assert_false(conf_state_is_valid(&conf));
    conf = (struct conf_state){.voters = SET(1), .auto_leave = true};
    assert_false(conf_state_is_valid(&conf));
    conf = (struct conf_state){.voters = SET(1), .learners_next = SET(1)};
    assert_false(conf_state_is_valid(&conf));
}

/* ---- changes ---- */

static err decode_change(struct slice bytes)
{
    struct conf_change change;
    return conf_change_decode(bytes, &change);
}

static void an_empty_change_is_no_bytes(void **state)
{
    (void)state;
    struct conf_change change = {0};
    struct writer out = {0};
    conf_change_encode(&change, &out);
    assert_int_equal(out.size, 0);
    struct conf_change decoded = {.count = 9};
    assert_int_equal(conf_change_decode(SLICE_EMPTY, &decoded), OK);
    assert_int_equal(decoded.count, 0);
    assert_int_equal(decoded.transition, CONF_TRANSITION_AUTO);
    writer_deinit(&out);
}

static void a_change_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct conf_change change = {
        .transition = CONF_TRANSITION_EXPLICIT,
        .count = 2,
        .changes = {{CONF_CHANGE_ADD_LEARNER, 4}, {CONF_CHANGE_REMOVE, 0}},
        .context = SLICE_LITERAL("book"),
    };
    struct writer out = {0};
    conf_change_encode(&change, &out);
    struct conf_change decoded;
    assert_int_equal(conf_change_decode(writer_slice(&out), &decoded), OK);
    assert_int_equal(decoded.transition, CONF_TRANSITION_EXPLICIT);
    assert_int_equal(decoded.count, 2);
    assert_int_equal(decoded.changes[0].type, CONF_CHANGE_ADD_LEARNER);
    assert_int_equal(decoded.changes[0].id, 4);
    assert_int_equal(decoded.changes[1].type, CONF_CHANGE_REMOVE);
    assert_int_equal(decoded.changes[1].id, 0);
    assert_true(slice_equal(decoded.context, change.context));
    for (size_t size = 1; size < out.size; size++) {
        assert_int_equal(decode_copy((struct slice){out.data, size}, decode_change), ERR_MALFORMED);
    }
    writer_deinit(&out);
}

static void unknown_numbers_in_a_change_are_refused(void **state)
{
    (void)state;
    struct conf_change change = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 4}}};
    struct writer out = {0};
    conf_change_encode(&change, &out);
    static const struct {
        size_t offset;
        uint8_t value;
    } cases[] = {{0, 2}, {1, 3}, {2, MEMBERS_MAX + 1}, {2, 0}, {3, 4}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t original = out.data[cases[i].offset];
        out.data[cases[i].offset] = cases[i].value;
        assert_int_equal(decode_change(writer_slice(&out)), ERR_MALFORMED);
        out.data[cases[i].offset] = original;
    }
    assert_int_equal(decode_change(writer_slice(&out)), OK);
    writer_deinit(&out);
}

static void an_empty_change_has_no_second_encoding(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 0, 0, 0, 0, 0, 0};
    assert_int_equal(decode_change((struct slice){bytes, sizeof(bytes)}), ERR_MALFORMED);
    static const uint8_t leave_explicitly[] = {1, 2, 0, 0, 0, 0, 0};
    assert_int_equal(decode_change((struct slice){leave_explicitly, sizeof(leave_explicitly)}), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_stays_sorted_and_without_duplicates),
        cmocka_unit_test(removing_closes_the_gap),
        cmocka_unit_test(a_full_set_takes_only_what_it_has),
        cmocka_unit_test(a_configuration_comes_back_as_it_was_encoded),
        cmocka_unit_test(unsorted_doubled_and_zero_ids_are_refused),
        cmocka_unit_test(a_count_above_the_maximum_is_refused),
        cmocka_unit_test(sets_that_contradict_each_other_are_not_valid),
        cmocka_unit_test(an_empty_change_is_no_bytes),
        cmocka_unit_test(a_change_comes_back_as_it_was_encoded),
        cmocka_unit_test(unknown_numbers_in_a_change_are_refused),
        cmocka_unit_test(an_empty_change_has_no_second_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
