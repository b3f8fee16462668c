#include "base/crc32c.h"
#include "store/record.h"
#include "store/snapshot_format.h"
#include "store_testing.h"

/* A snapshot of two records, in four chunks. */
struct sample {
    struct store_region region;
    struct chunks chunks;
    struct store_snapshot_chain chain;
};

static void put_in(struct sample *sample, struct writer *out, enum store_space space,
                   struct slice key)
{
    struct slice value = SLICE_LITERAL("one");
    struct store_record record = {.value = value, .mod_revision = 1, .version = 1};
    record.flags = space == STORE_SPACE_SYSTEM ? STORE_RECORD_SYSTEM : 0;
    store_record_seal(&record, key);
    uint8_t bytes[1024];
    assert_true(store_record_size(&record) <= sizeof(bytes));
    store_record_encode(&record, key, bytes);
    store_snapshot_put_record(out, key, (struct slice){bytes, store_record_size(&record)});
    struct hash128 hash = store_record_hash(&record, key);
    if (space == STORE_SPACE_USER) {
        sample->region.keys++;
        sample->region.key_bytes += key.size;
        sample->region.value_bytes += value.size;
    } else {
        sample->region.system_keys++;
        sample->region.system_bytes += key.size + value.size;
    }
    sample->region.state_hash = hash128_add(sample->region.state_hash, hash);
}

static void put(struct sample *sample, struct writer *out, const char *name)
{
    put_in(sample, out, STORE_SPACE_USER, slice_from_text(name));
}

static void add_chunk(struct sample *sample, enum store_snapshot_kind kind,
                      const struct writer *payload)
{
    struct chunks *chunks = &sample->chunks;
    chunks->begins[chunks->count++] = chunks->bytes.size;
    size_t begin = store_snapshot_begin(&chunks->bytes);
    if (kind == STORE_SNAPSHOT_HEADER) {
        store_snapshot_put_header(&chunks->bytes, &sample->region);
    } else if (kind == STORE_SNAPSHOT_END) {
        store_snapshot_put_end(&chunks->bytes, sample->region.keys + sample->region.system_keys,
                               &sample->chain);
    } else {
        writer_bytes(&chunks->bytes, writer_slice(payload));
    }
    store_snapshot_finish(&sample->chain, kind, &chunks->bytes, begin);
    chunks->begins[chunks->count] = chunks->bytes.size;
}

static struct sample sample_make(const char *first, const char *second)
{
    struct sample sample = {.region = {.id = 1, .applied = {2, 3}, .revision = 1}};
    struct writer payloads[2] = {{0}};
    put(&sample, &payloads[0], first);
    put(&sample, &payloads[1], second);
    add_chunk(&sample, STORE_SNAPSHOT_HEADER, NULL);
    add_chunk(&sample, STORE_SNAPSHOT_RECORDS, &payloads[0]);
    add_chunk(&sample, STORE_SNAPSHOT_RECORDS, &payloads[1]);
    add_chunk(&sample, STORE_SNAPSHOT_END, NULL);
    writer_deinit(&payloads[0]);
    writer_deinit(&payloads[1]);
    return sample;
}

/* Checks the chunks in this order (-1 ends it); the first error, or OK. */
static err check_order(const struct chunks *chunks, const int *order, bool *out_is_complete)
{
    struct store_snapshot_check check = {0};
    err e = OK;
    for (size_t i = 0; e == OK && order[i] >= 0; i++) {
        struct reader records;
        e = store_snapshot_check(&check, chunk_at(chunks, (size_t)order[i]), &records);
    }
    *out_is_complete = check.is_complete;
    return e;
}

static err check_all(const struct chunks *chunks, bool *out_is_complete)
{
    return check_order(chunks, (int[]){0, 1, 2, 3, -1}, out_is_complete);
}

static void what_was_made_is_found_right(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    struct store_snapshot_check check = {0};
    struct reader records;
    struct slice key;
    struct slice bytes;
    for (size_t i = 0; i < 4; i++) {
        size_t size;
        struct slice chunk = chunk_at(&sample.chunks, i);
        assert_int_equal(store_snapshot_chunk_size(chunk.data, &size), OK);
        assert_int_equal(size, chunk.size);
        assert_false(check.is_complete);
        assert_int_equal(store_snapshot_check(&check, chunk, &records), OK);
        bool has_record = i == 1 || i == 2;
        assert_true((records.size > 0) == has_record);
        if (has_record) {
            assert_true(store_snapshot_next_record(&records, &key, &bytes));
            assert_true(slice_equal(key, i == 1 ? SLICE_LITERAL("a") : SLICE_LITERAL("b")));
            assert_false(store_snapshot_next_record(&records, &key, &bytes));
        }
    }
    assert_true(check.is_complete);
    assert_int_equal(check.region.applied.term, 2);
    assert_int_equal(check.region.applied.index, 3);
    writer_deinit(&sample.chunks.bytes);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    for (size_t i = 0; i < 8 * sample.chunks.bytes.size; i++) {
        bool is_complete;
        sample.chunks.bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(check_all(&sample.chunks, &is_complete), ERR_DAMAGED);
        assert_false(is_complete);
        sample.chunks.bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    writer_deinit(&sample.chunks.bytes);
}

static void a_chunk_that_is_cut_or_longer_is_found(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    for (size_t i = 0; i < 4; i++) {
        struct slice chunk = chunk_at(&sample.chunks, i);
        for (size_t size = 0; size <= chunk.size + 1; size++) {
            if (size == chunk.size) {
                continue;
            }
            struct store_snapshot_check check = {0};
            struct reader records;
            for (size_t j = 0; j < i; j++) {
                struct slice before = chunk_at(&sample.chunks, j);
                assert_int_equal(store_snapshot_check(&check, before, &records), OK);
            }
            uint8_t *copy = mem_calloc(1, size + 1); /* of the very size, for the sanitizer */
            memcpy(copy, chunk.data, size < chunk.size ? size : chunk.size);
            struct slice wrong = {copy, size};
            assert_int_equal(store_snapshot_check(&check, wrong, &records), ERR_DAMAGED);
            mem_free(copy);
        }
    }
    writer_deinit(&sample.chunks.bytes);
}

static void missing_doubled_and_reordered_chunks_are_found(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    const int wrong[][6] = {{1, -1},          {3, -1},       {0, 2, -1},         {0, 1, 3, -1},
                            {0, 1, 1, -1},    {0, 0, -1},    {0, 2, 1, -1},      {0, 3, -1},
                            {0, 1, 2, 2, -1}, {0, 1, 0, -1}, {0, 1, 2, 3, 3, -1}};
    bool is_complete;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(check_order(&sample.chunks, wrong[i], &is_complete), ERR_DAMAGED);
        assert_true(is_complete == (i + 1 == ARRAY_COUNT(wrong))); /* it was, before the last */
    }
    assert_int_equal(check_order(&sample.chunks, (int[]){0, 1, 2, -1}, &is_complete), OK);
    assert_false(is_complete);
    writer_deinit(&sample.chunks.bytes);
}

/* A chunk of another snapshot is as whole as ours, and has its number. */
static void a_chunk_of_another_snapshot_is_found(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    struct sample other = sample_make("a", "c");
    struct store_snapshot_check check = {0};
    struct reader records;
    for (size_t i = 0; i < 2; i++) {
        struct slice chunk = chunk_at(&sample.chunks, i);
        assert_int_equal(store_snapshot_check(&check, chunk, &records), OK);
    }
    struct slice chunk = chunk_at(&other.chunks, 2);
    assert_int_equal(store_snapshot_check(&check, chunk, &records), ERR_DAMAGED);
    writer_deinit(&sample.chunks.bytes);
    writer_deinit(&other.chunks.bytes);
}

static void keys_that_do_not_grow_are_refused(void **state)
{
    (void)state;
    bool is_complete;
    const char *pairs[][2] = {{"b", "a"}, {"a", "a"}, {"ab", "a"}};
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct sample sample = sample_make(pairs[i][0], pairs[i][1]);
        assert_int_equal(check_all(&sample.chunks, &is_complete), ERR_DAMAGED);
        writer_deinit(&sample.chunks.bytes);
    }
}

/* Chains a snapshot whose header says `region`, and whose chunks are right as such. */
static err check_forged(const struct store_region *region, uint64_t record_count)
{
    struct sample sample = {.region = *region};
    struct sample scratch = {0};
    struct writer payload = {0};
    put(&scratch, &payload, "a");
    add_chunk(&sample, STORE_SNAPSHOT_HEADER, NULL);
    add_chunk(&sample, STORE_SNAPSHOT_RECORDS, &payload);
    sample.region.keys = record_count;
    add_chunk(&sample, STORE_SNAPSHOT_END, NULL);
    bool is_complete;
    err e = check_order(&sample.chunks, (int[]){0, 1, 2, -1}, &is_complete);
    assert_true(is_complete == (e == OK));
    writer_deinit(&payload);
    writer_deinit(&sample.chunks.bytes);
    return e;
}

static void records_that_are_not_what_the_region_counts_are_refused(void **state)
{
    (void)state;
    struct sample scratch = {.region = {.id = 1, .applied = {2, 3}, .revision = 1}};
    struct writer payload = {0};
    put(&scratch, &payload, "a");
    writer_deinit(&payload);
    const struct store_region right = scratch.region;
    assert_int_equal(check_forged(&right, 1), OK);
    assert_int_equal(check_forged(&right, 2), ERR_DAMAGED);
    struct store_region wrong = right;
    wrong.keys++;
    assert_int_equal(check_forged(&wrong, 1), ERR_DAMAGED);
    wrong = right;
    wrong.key_bytes++;
    assert_int_equal(check_forged(&wrong, 1), ERR_DAMAGED);
    wrong = right;
    wrong.value_bytes++;
    assert_int_equal(check_forged(&wrong, 1), ERR_DAMAGED);
    wrong = right;
    wrong.state_hash.high++;
    assert_int_equal(check_forged(&wrong, 1), ERR_DAMAGED);
}

/* ---- the system's records ---- */

/* A chunk of records of one space; no keys end a snapshot's. */
struct part {
    enum store_snapshot_kind kind;
    enum store_space space; /* of its records */
    const char *keys[2];
};

/* What the check says of a snapshot of these parts, whose figures and checksums are all right. */
static err check_parts(const struct part *parts, size_t count)
{
    struct sample sample = {.region = {.id = 1, .applied = {2, 3}, .revision = 1}};
    struct writer payloads[3] = {{0}};
    assert_true(count <= ARRAY_COUNT(payloads));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < ARRAY_COUNT(parts[i].keys) && parts[i].keys[j] != NULL; j++) {
            put_in(&sample, &payloads[i], parts[i].space, slice_from_text(parts[i].keys[j]));
        }
    }
    add_chunk(&sample, STORE_SNAPSHOT_HEADER, NULL);
    for (size_t i = 0; i < count; i++) {
        add_chunk(&sample, parts[i].kind, &payloads[i]);
        writer_deinit(&payloads[i]);
    }
    add_chunk(&sample, STORE_SNAPSHOT_END, NULL);
    struct store_snapshot_check check = {0};
    err e = OK;
    for (size_t i = 0; e == OK && i < sample.chunks.count; i++) {
        struct reader records;
        e = store_snapshot_check(&check, chunk_at(&sample.chunks, i), &records);
        if (e == OK && records.size > 0) {
            assert_int_equal(check.space, parts[i - 1].space);
        }
    }
    assert_true(check.is_complete == (e == OK));
    writer_deinit(&sample.chunks.bytes);
    return e;
}

static void the_systems_records_come_behind_the_users_in_an_order_of_their_own(void **state)
{
    (void)state;
    const enum store_snapshot_kind users = STORE_SNAPSHOT_RECORDS;
    const enum store_snapshot_kind systems = STORE_SNAPSHOT_SYSTEM_RECORDS;
    const struct {
        struct part parts[3];
        size_t count;
        err expected;
    } cases[] = {
        {{{users, STORE_SPACE_USER, {"b", "c"}}, {systems, STORE_SPACE_SYSTEM, {"a", "b"}}}, 2, OK},
        {{{systems, STORE_SPACE_SYSTEM, {"a"}}, {systems, STORE_SPACE_SYSTEM, {"b"}}}, 2, OK},
        {{{users, STORE_SPACE_USER, {"a"}},
          {systems, STORE_SPACE_SYSTEM, {"a"}},
          {systems, STORE_SPACE_SYSTEM, {"a"}}},
         3,
         ERR_DAMAGED},
        {{{systems, STORE_SPACE_SYSTEM, {"b", "a"}}}, 1, ERR_DAMAGED},
        {{{systems, STORE_SPACE_SYSTEM, {"a"}}, {users, STORE_SPACE_USER, {"b"}}}, 2, ERR_DAMAGED},
        {{{systems, STORE_SPACE_USER, {"a"}}}, 1, ERR_DAMAGED}, /* records of the wrong space */
        {{{users, STORE_SPACE_SYSTEM, {"a"}}}, 1, ERR_DAMAGED},
        {{{systems, STORE_SPACE_SYSTEM, {NULL}}}, 1, ERR_DAMAGED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(check_parts(cases[i].parts, cases[i].count), cases[i].expected);
    }
}

static void the_systems_keys_may_be_longer_than_a_users(void **state)
{
    (void)state;
    char key[STORE_SYSTEM_KEY_SIZE_MAX + 2] = "";
    struct part users = {STORE_SNAPSHOT_RECORDS, STORE_SPACE_USER, {key}};
    struct part systems = {STORE_SNAPSHOT_SYSTEM_RECORDS, STORE_SPACE_SYSTEM, {key}};
    memset(key, 'k', KEY_SIZE_MAX);
    assert_int_equal(check_parts(&users, 1), OK);
    memset(key, 'k', KEY_SIZE_MAX + 1);
    assert_int_equal(check_parts(&users, 1), ERR_DAMAGED);
    memset(key, 'k', STORE_SYSTEM_KEY_SIZE_MAX);
    assert_int_equal(check_parts(&systems, 1), OK);
}

static void sums_that_differ_in_the_systems_part_do_not_agree(void **state)
{
    (void)state;
    struct store_snapshot_sums sums = {.keys = 1, .system_keys = 2, .system_bytes = 3};
    struct store_region region = {.keys = 1, .system_keys = 2, .system_bytes = 3};
    assert_true(store_snapshot_sums_agree(&sums, &region));
    assert_int_equal(store_snapshot_sum_records(&sums), 3);
    region.system_keys++;
    assert_false(store_snapshot_sums_agree(&sums, &region));
    region.system_keys--;
    region.system_bytes--;
    assert_false(store_snapshot_sums_agree(&sums, &region));
}

/* One chunk with this payload, its checksum right. */
static err check_payload(enum store_snapshot_kind kind, const struct writer *payload)
{
    struct sample sample = {.region = {.id = 1, .applied = {2, 3}, .revision = 1}};
    struct writer *bytes = &sample.chunks.bytes;
    struct store_snapshot_check check = {0};
    struct reader records;
    if (kind != STORE_SNAPSHOT_HEADER) {
        add_chunk(&sample, STORE_SNAPSHOT_HEADER, NULL);
        assert_int_equal(store_snapshot_check(&check, writer_slice(bytes), &records), OK);
    }
    size_t begin = store_snapshot_begin(bytes);
    writer_bytes(bytes, writer_slice(payload));
    store_snapshot_finish(&sample.chain, kind, bytes, begin);
    struct slice chunk = {bytes->data + begin, bytes->size - begin};
    err e = store_snapshot_check(&check, chunk, &records);
    writer_deinit(bytes);
    return e;
}

static void payloads_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct store_region region = {.id = 1, .applied = {2, 3}};
    struct writer payload = {0};
    assert_int_equal(check_payload(STORE_SNAPSHOT_RECORDS, &payload), ERR_DAMAGED);
    assert_int_equal(check_payload(STORE_SNAPSHOT_HEADER, &payload), ERR_DAMAGED);
    assert_int_equal(check_payload(STORE_SNAPSHOT_END, &payload), ERR_DAMAGED);
    assert_int_equal(check_payload(STORE_SNAPSHOT_SYSTEM_RECORDS, &payload), ERR_DAMAGED);
    assert_int_equal(check_payload((enum store_snapshot_kind)7, &payload), ERR_DAMAGED);
    store_snapshot_put_record(&payload, SLICE_LITERAL("k"), SLICE_LITERAL("not a record"));
    assert_int_equal(check_payload(STORE_SNAPSHOT_RECORDS, &payload), ERR_DAMAGED);
    writer_reset(&payload);
    store_snapshot_put_header(&payload, &region);
    assert_int_equal(check_payload(STORE_SNAPSHOT_HEADER, &payload), OK);
    payload.data[8] = 2; /* the format */
    assert_int_equal(check_payload(STORE_SNAPSHOT_HEADER, &payload), ERR_VERSION);
    payload.data[8] = 1;
    payload.data[12] = 2; /* the id, and not the one in the state */
    assert_int_equal(check_payload(STORE_SNAPSHOT_HEADER, &payload), ERR_DAMAGED);
    writer_deinit(&payload);
}

/* Its state is of format 1, which ends its figures at byte 81 (README.md). */
static void a_header_that_is_older_than_the_systems_space_is_taken(void **state)
{
    (void)state;
    struct store_region region = {.id = 1, .applied = {2, 3}};
    struct writer payload = {0};
    store_snapshot_put_header(&payload, &region);
    uint8_t *bytes = payload.data + 20;
    payload.size -= 40;
    size_t size = payload.size - 20;
    memmove(bytes + 81, bytes + 81 + 40, size - 81);
    bytes[0] = 1;
    store_u32(bytes + size - 4, crc32c(0, bytes, size - 4));
    assert_int_equal(check_payload(STORE_SNAPSHOT_HEADER, &payload), OK);
    writer_deinit(&payload);
}

/* What only a newer pontoon could have put there: the checksums are right. */
static void reserved_bytes_are_zero(void **state)
{
    (void)state;
    struct sample sample = sample_make("a", "b");
    struct slice chunk = chunk_at(&sample.chunks, 0);
    uint8_t *head = sample.chunks.bytes.data;
    for (size_t i = 9; i <= 12; i++) { /* in the end none of them */
        struct store_snapshot_check check = {0};
        struct reader records;
        memset(head + 9, 0, 3);
        head[i] = i < 12 ? 1 : head[i];
        uint32_t crc = crc32c(0, head, 12);
        store_u32(head + 12, crc32c(crc, head + 16, chunk.size - 16));
        err e = store_snapshot_check(&check, chunk, &records);
        assert_int_equal(e, i < 12 ? ERR_DAMAGED : OK);
    }
    writer_deinit(&sample.chunks.bytes);
}

static void an_end_with_another_hash_of_the_whole_is_refused(void **state)
{
    (void)state;
    struct writer payload = {0};
    struct sample sample = {.region = {.id = 1, .applied = {2, 3}, .revision = 1}};
    add_chunk(&sample, STORE_SNAPSHOT_HEADER, NULL); /* as check_payload makes it */
    store_snapshot_put_end(&payload, 0, &sample.chain);
    assert_int_equal(check_payload(STORE_SNAPSHOT_END, &payload), OK);
    for (size_t i = 8; i < payload.size; i++) {
        payload.data[i] ^= 1;
        assert_int_equal(check_payload(STORE_SNAPSHOT_END, &payload), ERR_DAMAGED);
        payload.data[i] ^= 1;
    }
    writer_deinit(&payload);
    writer_deinit(&sample.chunks.bytes);
}

static void a_chunk_that_is_too_large_is_refused_by_its_head(void **state)
{
    (void)state;
    uint8_t head[STORE_SNAPSHOT_HEAD_SIZE] = {0};
    size_t size;
    store_u32(head + 4, STORE_SNAPSHOT_CHUNK_MAX - STORE_SNAPSHOT_HEAD_SIZE);
    assert_int_equal(store_snapshot_chunk_size(head, &size), OK);
    assert_int_equal(size, STORE_SNAPSHOT_CHUNK_MAX);
    store_u32(head + 4, STORE_SNAPSHOT_CHUNK_MAX - STORE_SNAPSHOT_HEAD_SIZE + 1);
    assert_int_equal(store_snapshot_chunk_size(head, &size), ERR_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_found_right),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_chunk_that_is_cut_or_longer_is_found),
        cmocka_unit_test(missing_doubled_and_reordered_chunks_are_found),
        cmocka_unit_test(a_chunk_of_another_snapshot_is_found),
        cmocka_unit_test(keys_that_do_not_grow_are_refused),
        cmocka_unit_test(records_that_are_not_what_the_region_counts_are_refused),
        cmocka_unit_test(the_systems_records_come_behind_the_users_in_an_order_of_their_own),
        cmocka_unit_test(the_systems_keys_may_be_longer_than_a_users),
        cmocka_unit_test(sums_that_differ_in_the_systems_part_do_not_agree),
        cmocka_unit_test(payloads_that_make_no_sense_are_refused),
        cmocka_unit_test(a_header_that_is_older_than_the_systems_space_is_taken),
        cmocka_unit_test(reserved_bytes_are_zero),
        cmocka_unit_test(an_end_with_another_hash_of_the_whole_is_refused),
        cmocka_unit_test(a_chunk_that_is_too_large_is_refused_by_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
