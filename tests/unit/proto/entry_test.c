/* An entry on its way between nodes. */
#include "base/limits.h"
#include "proto/entry.h"
#include "proto_testing.h"

static void an_entry_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    for (int has_data = 0; has_data < 2; has_data++) {
        struct entry entry = {.pos = {.term = 3, .index = 9}, .type = ENTRY_CONF_CHANGE_V2};
        entry.data = has_data ? buf_copy(SLICE_LITERAL("data")) : NULL;
        struct entry back = {.data = NULL};
        struct writer out = {0};
        entry_encode(&entry, &out);
        assert_int_equal(out.size, ENTRY_ENCODED_MIN + (has_data ? 4 : 0));
        struct reader in = reader_of(writer_slice(&out));
        assert_true(entry_decode(&in, &back));
        assert_int_equal(in.size, 0);
        assert_int_equal(back.pos.term, 3);
        assert_int_equal(back.pos.index, 9);
        assert_int_equal(back.type, ENTRY_CONF_CHANGE_V2);
        assert_true(slice_equal(buf_slice(back.data), buf_slice(entry.data)));
        assert_true((back.data != NULL) == (has_data != 0));
        buf_unref(back.data);
        buf_unref(entry.data);
        writer_deinit(&out);
    }
}

static void what_is_no_entry_is_refused(void **state)
{
    (void)state;
    struct entry entry = {.pos = {.term = 3, .index = 9}, .data = buf_copy(SLICE_LITERAL("data"))};
    struct entry back;
    struct writer out = {0};
    entry_encode(&entry, &out);
    for (size_t size = 0; size < out.size; size++) {
        struct reader in = reader_of((struct slice){out.data, size});
        assert_false(entry_decode(&in, &back));
    }
    out.data[16] = ENTRY_BOOTSTRAP + 1;
    struct reader in = reader_of(writer_slice(&out));
    assert_false(entry_decode(&in, &back));
    out.data[16] = ENTRY_BOOTSTRAP;
    store_u32(out.data + 17, ENTRY_SIZE_MAX + 1);
    in = reader_of(writer_slice(&out));
    assert_false(entry_decode(&in, &back));
    buf_unref(entry.data);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_back_as_it_was_encoded),
        cmocka_unit_test(what_is_no_entry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
