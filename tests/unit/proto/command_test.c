#include "proto/command.h"
#include "proto_testing.h"

static err decode(struct slice bytes)
{
    struct command command;
    return command_decode(bytes, &command);
}

static struct command put_command(void)
{
    return (struct command){
        .type = COMMAND_PUT,
        .stamp_ms = 1700000000000,
        .quota_bytes = 1 << 20,
        .key = SLICE_LITERAL("a/b"),
        .value = SLICE_LITERAL("\0\xff value"),
        .content_type = SLICE_LITERAL("text/plain"),
    };
}

static void a_put_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct command command = put_command();
    struct buf *encoded = command_encode(&command);
    struct command decoded;
    assert_int_equal(command_decode(buf_slice(encoded), &decoded), OK);
    assert_int_equal(decoded.type, COMMAND_PUT);
    assert_int_equal(decoded.stamp_ms, 1700000000000);
    assert_int_equal(decoded.quota_bytes, 1 << 20);
    assert_int_equal(command_type_of(encoded), COMMAND_PUT);
    assert_true(slice_equal(decoded.key, command.key));
    assert_true(slice_equal(decoded.value, command.value));
    assert_true(slice_equal(decoded.content_type, command.content_type));
    assert_true(slice_equal(command_key(encoded), command.key));
    assert_prefixes_are_refused(buf_slice(encoded), decode);
    buf_unref(encoded);
}

static void what_is_no_command_has_no_key(void **state)
{
    (void)state;
    struct command command = put_command();
    struct buf *encoded = command_encode(&command);
    for (size_t size = 0; size < 25 + command.key.size; size++) {
        struct buf *cut = buf_copy((struct slice){encoded->data, size});
        assert_int_equal(command_key(cut).size, 0);
        buf_unref(cut);
    }
    encoded->data[0]++;
    assert_int_equal(command_key(encoded).size, 0);
    buf_unref(encoded);
}

static void a_delete_carries_a_key_alone(void **state)
{
    (void)state;
    struct command command = {.type = COMMAND_DELETE, .key = SLICE_LITERAL("k")};
    struct buf *encoded = command_encode(&command);
    assert_int_equal(decode(buf_slice(encoded)), OK);
    buf_unref(encoded);

    command = put_command();
    encoded = command_encode(&command);
    encoded->data[1] = COMMAND_DELETE;
    assert_int_equal(decode(buf_slice(encoded)), ERR_MALFORMED);
    buf_unref(encoded);
}

static void the_stamp_is_set_in_place(void **state)
{
    (void)state;
    struct command command = put_command();
    command.stamp_ms = 0;
    struct buf *encoded = command_encode(&command);
    command_stamp(encoded, (struct command_stamp){.ms = 77, .quota_bytes = 88});
    struct command decoded;
    assert_int_equal(command_decode(buf_slice(encoded), &decoded), OK);
    assert_int_equal(decoded.stamp_ms, 77);
    assert_int_equal(decoded.quota_bytes, 88);
    assert_true(slice_equal(decoded.key, command.key));
    buf_unref(encoded);
}

static void a_command_of_the_first_format_has_no_quota(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, COMMAND_PUT, 9, 0, 0, 0, 0, 0,   0,  0,
                                    1, 0,           0, 1, 0, 0, 0, 'k', 'v'};
    struct buf *encoded = buf_copy((struct slice){bytes, sizeof(bytes)});
    command_stamp(encoded, (struct command_stamp){.ms = 77, .quota_bytes = 88});
    struct command decoded;
    assert_int_equal(command_decode(buf_slice(encoded), &decoded), OK);
    assert_int_equal(decoded.stamp_ms, 77);
    assert_int_equal(decoded.quota_bytes, 0);
    assert_true(slice_equal(decoded.key, SLICE_LITERAL("k")));
    assert_true(slice_equal(decoded.value, SLICE_LITERAL("v")));
    buf_unref(encoded);
}

static void keys_up_to_the_limit_and_not_beyond_are_decoded(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE_MAX];
    memset(key, 'k', sizeof(key));
    struct command command = {.type = COMMAND_PUT, .key = {key, sizeof(key)}};
    struct buf *encoded = command_encode(&command);
    assert_int_equal(decode(buf_slice(encoded)), OK);

    struct buf *longer = buf_new(encoded->size + 1);
    memcpy(longer->data, encoded->data, encoded->size);
    longer->data[encoded->size] = 'k';
    store_u16(longer->data + 18, KEY_SIZE_MAX + 1);
    assert_int_equal(decode(buf_slice(longer)), ERR_MALFORMED);
    buf_unref(longer);
    buf_unref(encoded);

    static const uint8_t no_key[25] = {2, COMMAND_PUT};
    assert_int_equal(decode((struct slice){no_key, sizeof(no_key)}), ERR_MALFORMED);
}

static void an_unknown_version_is_told_from_an_unknown_type(void **state)
{
    (void)state;
    struct command command = put_command();
    struct buf *encoded = command_encode(&command);
    encoded->data[0] = 4;
    assert_int_equal(decode(buf_slice(encoded)), ERR_VERSION);
    encoded->data[0] = 2;
    encoded->data[1] = 3;
    assert_int_equal(decode(buf_slice(encoded)), ERR_MALFORMED);
    encoded->data[1] = 0;
    assert_int_equal(decode(buf_slice(encoded)), ERR_MALFORMED);
    buf_unref(encoded);
}

/* ---- results ---- */

static err decode_result(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct command_result result;
    err e = command_result_decode(&in, &result);
    return e == OK ? reader_finish(&in) : e;
}

static void a_result_comes_back_with_every_error_of_the_list(void **state)
{
    (void)state;
    for (unsigned e = OK; e < ERR_COUNT; e++) {
        struct command_result result = {
            .e = (err)e,
            .existed = e % 2 == 0,
            .revision = 5,
            .create_revision = 2,
            .mod_revision = 4,
            .version = 3,
            .modified_ms = 1700000000000,
        };
        struct writer out = {0};
        command_result_encode(&result, &out);
        struct reader in = reader_of(writer_slice(&out));
        struct command_result decoded;
        assert_int_equal(command_result_decode(&in, &decoded), OK);
        assert_int_equal(in.size, 0);
        assert_int_equal(decoded.e, e);
        assert_int_equal(decoded.existed, e % 2 == 0);
        assert_int_equal(decoded.revision, 5);
        assert_int_equal(decoded.create_revision, 2);
        assert_int_equal(decoded.mod_revision, 4);
        assert_int_equal(decoded.version, 3);
        assert_int_equal(decoded.modified_ms, 1700000000000);
        assert_prefixes_are_refused(writer_slice(&out), decode_result);
        writer_deinit(&out);
    }
}

static void an_error_that_is_not_known_leaves_the_outcome_open(void **state)
{
    (void)state;
    struct command_result result = {.e = ERR_CONFLICT};
    struct writer out = {0};
    command_result_encode(&result, &out);
    out.data[1] = 'X';
    struct reader in = reader_of(writer_slice(&out));
    struct command_result decoded;
    assert_int_equal(command_result_decode(&in, &decoded), OK);
    assert_int_equal(decoded.e, ERR_INTERNAL);
    assert_int_equal(err_outcome(decoded.e), OUTCOME_UNKNOWN);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_comes_back_as_it_was_encoded),
        cmocka_unit_test(what_is_no_command_has_no_key),
        cmocka_unit_test(a_delete_carries_a_key_alone),
        cmocka_unit_test(the_stamp_is_set_in_place),
        cmocka_unit_test(a_command_of_the_first_format_has_no_quota),
        cmocka_unit_test(keys_up_to_the_limit_and_not_beyond_are_decoded),
        cmocka_unit_test(an_unknown_version_is_told_from_an_unknown_type),
        cmocka_unit_test(a_result_comes_back_with_every_error_of_the_list),
        cmocka_unit_test(an_error_that_is_not_known_leaves_the_outcome_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
