#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "store/journal_format.h"
#include "store/record.h"

#define KEY SLICE_LITERAL("app/a")

static struct store_record record_of(const char *value, uint64_t revision)
{
    struct store_record record = {.value = slice_from_text(value),
                                  .create_revision = 1,
                                  .mod_revision = revision,
                                  .version = revision};
    store_record_seal(&record, KEY);
    return record;
}

static void a_header_is_of_its_region(void **state)
{
    (void)state;
    uint8_t header[STORE_JOURNAL_HEADER_SIZE];
    store_journal_header_encode(7, header);
    struct slice bytes = {header, sizeof(header)};
    assert_true(store_journal_header_is(bytes, 7));
    assert_false(store_journal_header_is(bytes, 8));
    bytes.size--;
    assert_false(store_journal_header_is(bytes, 7));
    bytes.size++;
    header[7] = 2; /* a format that is to come */
    assert_false(store_journal_header_is(bytes, 7));
}

/* Revisions 4 to 6: two puts and what became of the key. */
static void make_block(struct writer *block)
{
    struct store_record first = record_of("one", 4);
    struct store_record second = record_of("two", 5);
    struct store_change change = {
        .kind = STORE_CHANGE_PUT, .revision = 4, .clock_ms = 40, .key = KEY, .record = &first};
    store_journal_block_begin(block, 3);
    store_journal_block_add(block, &change);
    change.revision = 5;
    change.record = &second;
    change.replaced = &first;
    store_journal_block_add(block, &change);
    change.revision = 6;
    change.kind = STORE_CHANGE_EXPIRE;
    change.record = NULL;
    change.replaced = &second;
    store_journal_block_add(block, &change);
    store_journal_block_end(block, 9);
}

static void a_block_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct writer bytes = {0};
    struct store_journal_block block;
    struct store_journal_change told;
    size_t size = 0;
    make_block(&bytes);
    size_t whole = bytes.size;
    writer_u8(&bytes, 0); /* of the next one */
    assert_int_equal(store_journal_block_open(writer_slice(&bytes), &block, &size), OK);
    assert_int_equal(size, whole);
    assert_int_equal(block.after, 3);
    assert_int_equal(block.through, 9);
    assert_int_equal(store_journal_block_next(&block, &told), OK);
    assert_int_equal(told.change.revision, 4);
    assert_int_equal(told.change.clock_ms, 40);
    assert_true(slice_equal(told.change.key, KEY));
    assert_true(slice_equal(told.change.record->value, SLICE_LITERAL("one")));
    assert_null(told.change.replaced);
    buf_unref(told.record.owner);
    assert_int_equal(store_journal_block_next(&block, &told), OK);
    assert_true(slice_equal(told.change.record->value, SLICE_LITERAL("two")));
    assert_true(slice_equal(told.change.replaced->value, SLICE_LITERAL("one")));
    assert_null(told.change.replaced->owner);
    buf_unref(told.record.owner);
    assert_int_equal(store_journal_block_next(&block, &told), OK);
    assert_int_equal(told.change.kind, STORE_CHANGE_EXPIRE);
    assert_null(told.change.record);
    assert_null(told.record.owner);
    assert_int_equal(store_journal_block_next(&block, &told), ERR_NOT_FOUND);
    writer_deinit(&bytes);
}

static void no_bytes_are_no_block_and_fewer_are_a_torn_one(void **state)
{
    (void)state;
    struct writer bytes = {0};
    struct store_journal_block block;
    size_t size;
    assert_int_equal(store_journal_block_open(SLICE_EMPTY, &block, &size), ERR_NOT_FOUND);
    make_block(&bytes);
    for (size_t cut = 1; cut < bytes.size; cut++) {
        struct slice torn = {bytes.data, cut};
        assert_int_equal(store_journal_block_open(torn, &block, &size), ERR_CORRUPT);
    }
    writer_deinit(&bytes);
}

/* With a checksum that is right. */
static err first_change_of(struct writer *bytes)
{
    struct store_journal_block block;
    struct store_journal_change told;
    size_t size;
    store_u32(bytes->data + 4, crc32c(0, bytes->data + 8, bytes->size - 8));
    err e = store_journal_block_open(writer_slice(bytes), &block, &size);
    if (e == OK) {
        e = store_journal_block_next(&block, &told);
    }
    if (e == OK) {
        buf_unref(told.record.owner);
    }
    return e;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t place;
        uint8_t byte;
    } cases[] = {
        {8, 4},    /* after the change's revision */
        {16, 3},   /* which is past the end */
        {16, 2},   /* the end before the beginning */
        {40, 3},   /* a kind that there is not */
        {40, 1},   /* a delete with a record */
        {41, 0},   /* a put without one */
        {41, 5},   /* a flag that there is not */
        {42, 0},   /* no key */
        {46, 'b'}, /* the record of another key */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct writer bytes = {0};
        make_block(&bytes);
        assert_int_equal(first_change_of(&bytes), OK);
        assert_int_not_equal(bytes.data[cases[i].place], cases[i].byte);
        bytes.data[cases[i].place] = cases[i].byte;
        assert_int_equal(first_change_of(&bytes), ERR_CORRUPT);
        writer_deinit(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_of_its_region),
        cmocka_unit_test(a_block_is_read_as_it_was_written),
        cmocka_unit_test(no_bytes_are_no_block_and_fewer_are_a_torn_one),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
