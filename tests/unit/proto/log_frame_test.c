/* Entries of a log, asked for and told. */
#include "proto/log_frame.h"
#include "proto_testing.h"

static void a_question_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct log_frame_ask ask = {.number = 7, .low = 5, .high = 5 + LOG_FRAME_ENTRIES_MAX};
    struct log_frame_ask back;
    struct writer out = {0};
    log_frame_ask_encode(&ask, &out);
    assert_int_equal(log_frame_ask_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.number, 7);
    assert_int_equal(back.low, 5);
    assert_int_equal(back.high, 69);
    assert_int_equal(log_frame_ask_decode((struct slice){out.data, 23}, &back), ERR_MALFORMED);
    struct {
        size_t at;
        uint64_t value;
    } cases[] = {{0, 0}, {8, 0}, {8, 69}, {8, 70}, {16, 70}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = load_u64(out.data + cases[i].at);
        store_u64(out.data + cases[i].at, cases[i].value);
        assert_int_equal(log_frame_ask_decode(writer_slice(&out), &back), ERR_MALFORMED);
        store_u64(out.data + cases[i].at, before);
    }
    writer_deinit(&out);
}

static void fill(struct log_frame_answer *answer)
{
    *answer = (struct log_frame_answer){.number = 7, .leads = true, .count = 2};
    answer->entries[0] = (struct entry){.pos = {.term = 1, .index = 5}};
    answer->entries[1] = (struct entry){
        .pos = {.term = 2, .index = 9},
        .type = ENTRY_BOOTSTRAP,
        .data = buf_copy(SLICE_LITERAL("data")),
    };
}

static void an_answer_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct log_frame_answer answer;
    struct log_frame_answer back;
    struct writer out = {0};
    fill(&answer);
    log_frame_answer_encode(&answer, &out);
    assert_int_equal(log_frame_answer_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.number, 7);
    assert_true(back.leads);
    assert_false(back.is_all);
    assert_int_equal(back.count, 2);
    assert_int_equal(back.entries[0].pos.index, 5);
    assert_null(back.entries[0].data);
    assert_int_equal(back.entries[1].pos.term, 2);
    assert_int_equal(back.entries[1].type, ENTRY_BOOTSTRAP);
    assert_true(slice_equal(buf_slice(back.entries[1].data), SLICE_LITERAL("data")));
    log_frame_answer_deinit(&back);
    log_frame_answer_deinit(&answer);
    writer_deinit(&out);
}

static void an_answer_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct log_frame_answer answer;
    struct log_frame_answer back;
    struct writer out = {0};
    fill(&answer);
    log_frame_answer_encode(&answer, &out);
    for (size_t size = 0; size < out.size; size++) {
        struct slice cut = {out.data, size};
        assert_int_equal(log_frame_answer_decode(cut, &back), ERR_MALFORMED);
    }
    struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{0, 0}, {8, 4}, {9, 1}, {9, LOG_FRAME_ENTRIES_MAX + 1}, {10 + 21 + 8, 5}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t before = out.data[cases[i].at];
        out.data[cases[i].at] = cases[i].byte;
        assert_int_equal(log_frame_answer_decode(writer_slice(&out), &back), ERR_MALFORMED);
        out.data[cases[i].at] = before;
    }
    log_frame_answer_deinit(&answer);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_comes_back_as_it_was_encoded),
        cmocka_unit_test(an_answer_comes_back_as_it_was_encoded),
        cmocka_unit_test(an_answer_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
