#include "proto/message.h"
#include "proto_testing.h"

static err decode(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct owned_message owned;
    err e = message_decode(&in, &owned);
    if (e == OK) {
        e = reader_finish(&in);
        message_deinit(&owned);
    }
    return e;
}

/* An append of three entries, the second without data. Each entry's buf is the caller's to drop. */
static struct message append_of(struct entry entries[3])
{
    entries[0] = (struct entry){.pos = {4, 11}, .data = buf_copy(SLICE_LITERAL("one"))};
    entries[1] = (struct entry){.pos = {5, 12}};
    entries[2] = (struct entry){
        .pos = {5, 13}, .type = ENTRY_CONF_CHANGE_V2, .data = buf_copy(SLICE_LITERAL("three"))};
    return (struct message){
        .type = MSG_APP,
        .to = 2,
        .from = 1,
        .term = 5,
        .log_term = 4,
        .index = 10,
        .commit = 9,
        .entries = entries,
        .entry_count = 3,
    };
}

static void entries_drop(struct entry entries[3])
{
    for (int i = 0; i < 3; i++) {
        buf_drop(&entries[i].data);
    }
}

static void every_type_has_the_name_of_the_reference(void **state)
{
    (void)state;
    assert_string_equal(message_type_name(MSG_HUP), "MsgHup");
    assert_string_equal(message_type_name(MSG_PRE_VOTE_RESP), "MsgPreVoteResp");
    for (unsigned type = 0; type < MSG_TYPE_COUNT; type++) {
        assert_memory_equal(message_type_name((enum message_type)type), "Msg", 3);
    }
}

static void every_field_comes_back(void **state)
{
    (void)state;
    struct message message = {
        .type = MSG_APP_RESP,
        .to = 1,
        .from = 2,
        .term = 3,
        .log_term = 4,
        .index = 5,
        .commit = 6,
        .commit_term = 11,
        .vote = 7,
        .reject = true,
        .reject_hint = 8,
        .read = {9, 10},
    };
    struct writer out = {0};
    message_encode(&message, &out);
    message.type = MSG_VOTE;
    message.reject = false;
    message.is_transfer = true;
    message_encode(&message, &out);

    struct reader in = reader_of(writer_slice(&out));
    struct owned_message first;
    struct owned_message second;
    assert_int_equal(message_decode(&in, &first), OK);
    assert_int_equal(message_decode(&in, &second), OK);
    assert_int_equal(reader_finish(&in), OK);
    assert_int_equal(first.message.type, MSG_APP_RESP);
    assert_int_equal(first.message.to, 1);
    assert_int_equal(first.message.from, 2);
    assert_int_equal(first.message.term, 3);
    assert_int_equal(first.message.log_term, 4);
    assert_int_equal(first.message.index, 5);
    assert_int_equal(first.message.commit, 6);
    assert_int_equal(first.message.commit_term, 11);
    assert_int_equal(first.message.vote, 7);
    assert_int_equal(first.message.reject_hint, 8);
    assert_int_equal(first.message.read.node, 9);
    assert_int_equal(first.message.read.sequence, 10);
    assert_true(first.message.reject);
    assert_false(first.message.is_transfer);
    assert_false(second.message.reject);
    assert_true(second.message.is_transfer);
    assert_null(second.message.snapshot);
    message_deinit(&first);
    message_deinit(&second);
    writer_deinit(&out);
}

static void entries_come_back_with_bufs_of_their_own(void **state)
{
    (void)state;
    struct entry entries[3];
    struct message message = append_of(entries);
    struct writer out = {0};
    message_encode(&message, &out);
    assert_prefixes_are_refused(writer_slice(&out), decode);

    struct reader in = reader_of(writer_slice(&out));
    struct owned_message owned;
    assert_int_equal(message_decode(&in, &owned), OK);
    assert_int_equal(owned.message.entry_count, 3);
    assert_ptr_equal(owned.message.entries, owned.entries);
    for (int i = 0; i < 3; i++) {
        const struct entry *entry = &owned.entries[i];
        assert_int_equal(entry->pos.term, entries[i].pos.term);
        assert_int_equal(entry->pos.index, entries[i].pos.index);
        assert_int_equal(entry->type, entries[i].type);
        assert_true(slice_equal(buf_slice(entry->data), buf_slice(entries[i].data)));
    }
    assert_null(owned.entries[1].data);
    assert_int_equal(owned.entries[0].data->ref_count, 1);
    message_deinit(&owned);
    message_deinit(&owned);
    entries_drop(entries);
    writer_deinit(&out);
}

static void appended_entries_must_follow_without_a_gap(void **state)
{
    (void)state;
    struct entry entries[3];
    struct message message = append_of(entries);
    struct writer out = {0};
    message_encode(&message, &out);
    uint8_t *first = out.data + 96; /* term, index, type, size, "one" */
    uint8_t *second = first + 21 + 3;
    static const struct {
        uint64_t term;
        uint64_t index;
        err expected;
    } cases[] = {
        {4, 12, OK},
        {5, 12, OK},
        {5, 13, ERR_MALFORMED}, /* a gap */
        {5, 11, ERR_MALFORMED}, /* twice */
        {3, 12, ERR_MALFORMED}, /* terms do not fall */
        {6, 12, ERR_MALFORMED}, /* here the third one's would */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        store_u64(second, cases[i].term);
        store_u64(second + 8, cases[i].index);
        assert_int_equal(decode(writer_slice(&out)), cases[i].expected);
    }
    store_u64(second, 5);
    store_u64(second + 8, 12);
    assert_int_equal(decode(writer_slice(&out)), OK);
    uint8_t *third = second + 21;
    store_u64(third, 6); /* above the message's own term */
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    store_u64(third, 5);
    store_u64(out.data + 40, UINT64_MAX - 1); /* the message's index; behind it they wrap around */
    store_u64(first + 8, UINT64_MAX);
    store_u64(second + 8, 0);
    store_u64(third + 8, 1);
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    entries_drop(entries);
    writer_deinit(&out);
}

static void proposed_entries_need_no_position(void **state)
{
    (void)state;
    struct entry entries[3];
    struct message message = append_of(entries);
    message.type = MSG_PROP;
    for (int i = 0; i < 3; i++) {
        entries[i].pos = (struct raft_pos){0, 0};
    }
    struct writer out = {0};
    message_encode(&message, &out);
    assert_int_equal(decode(writer_slice(&out)), OK);
    out.data[0] = MSG_HEARTBEAT; /* which carries none */
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    entries_drop(entries);
    writer_deinit(&out);
}

static void a_snapshot_comes_back_and_points_into_its_owner(void **state)
{
    (void)state;
    struct snapshot snapshot = {.pos = {3, 30}, .data = buf_copy(SLICE_LITERAL("s"))};
    assert_true(id_set_add(&snapshot.conf.voters, 1));
    struct message message = {.type = MSG_SNAP, .to = 2, .term = 4, .snapshot = &snapshot};
    struct writer out = {0};
    message_encode(&message, &out);
    assert_prefixes_are_refused(writer_slice(&out), decode);
    struct reader in = reader_of(writer_slice(&out));
    struct owned_message owned;
    assert_int_equal(message_decode(&in, &owned), OK);
    assert_ptr_equal(owned.message.snapshot, &owned.snapshot);
    assert_int_equal(owned.snapshot.pos.index, 30);
    assert_true(conf_state_equal(&owned.snapshot.conf, &snapshot.conf));
    assert_true(slice_equal(buf_slice(owned.snapshot.data), SLICE_LITERAL("s")));
    message_deinit(&owned);
    buf_drop(&snapshot.data);
    writer_deinit(&out);
}

static void a_count_beyond_the_bytes_is_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    struct message message = {.type = MSG_APP};
    struct writer out = {0};
    message_encode(&message, &out);
    assert_int_equal(decode(writer_slice(&out)), OK);
    store_u32(out.data + 4, UINT32_MAX);
    assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
    writer_deinit(&out);
}

static void what_never_travels_is_refused(void **state)
{
    (void)state;
    struct message message = {.type = MSG_HEARTBEAT};
    struct writer out = {0};
    message_encode(&message, &out);
    static const struct {
        size_t offset;
        uint8_t value;
    } cases[] = {{0, MSG_HUP},
                 {0, MSG_BEAT},
                 {0, MSG_UNREACHABLE},
                 {0, MSG_SNAP_STATUS},
                 {0, MSG_CHECK_QUORUM},
                 {0, MSG_TYPE_COUNT},
                 {1, 4},
                 {2, 1},
                 {3, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t original = out.data[cases[i].offset];
        out.data[cases[i].offset] = cases[i].value;
        assert_int_equal(decode(writer_slice(&out)), ERR_MALFORMED);
        out.data[cases[i].offset] = original;
    }
    assert_int_equal(decode(writer_slice(&out)), OK);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_the_name_of_the_reference),
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(entries_come_back_with_bufs_of_their_own),
        cmocka_unit_test(appended_entries_must_follow_without_a_gap),
        cmocka_unit_test(proposed_entries_need_no_position),
        cmocka_unit_test(a_snapshot_comes_back_and_points_into_its_owner),
        cmocka_unit_test(a_count_beyond_the_bytes_is_refused_before_anything_is_allocated),
        cmocka_unit_test(what_never_travels_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
