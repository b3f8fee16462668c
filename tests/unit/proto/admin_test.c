#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/admin.h"

static void a_request_comes_back(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 16; flags++) {
        struct admin_request request = {
            .number = 1,
            .left_ms = 2,
            .spec = {.op = ADMIN_REPLACE,
                     .id = 3,
                     .old = 4,
                     .is_learner = (flags & 1) != 0,
                     .is_forced = (flags & 2) != 0,
                     .is_again = (flags & 4) != 0,
                     .wants_vote = (flags & 8) != 0,
                     .address = "host:1"},
        };
        struct admin_request back;
        struct writer out = {0};
        admin_request_encode(&request, &out);
        assert_int_equal(admin_request_decode(writer_slice(&out), &back), OK);
        assert_int_equal(back.number, 1);
        assert_int_equal(back.left_ms, 2);
        assert_int_equal(back.spec.op, ADMIN_REPLACE);
        assert_int_equal(back.spec.id, 3);
        assert_int_equal(back.spec.old, 4);
        assert_int_equal(back.spec.is_learner, (flags & 1) != 0);
        assert_int_equal(back.spec.is_forced, (flags & 2) != 0);
        assert_int_equal(back.spec.is_again, (flags & 4) != 0);
        assert_int_equal(back.spec.wants_vote, (flags & 8) != 0);
        assert_string_equal(back.spec.address, "host:1");
        writer_deinit(&out);
    }
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    struct admin_request request = {.spec = {.op = ADMIN_ADD, .address = "host:1"}};
    struct writer out = {0};
    admin_request_encode(&request, &out);
    struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{12, 0}, {12, ADMIN_OP_LAST + 1}, {13, 16}, {out.size - 1, 10}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t before = out.data[cases[i].at];
        out.data[cases[i].at] = cases[i].byte;
        assert_int_equal(admin_request_decode(writer_slice(&out), &request), ERR_MALFORMED);
        out.data[cases[i].at] = before;
    }
    assert_int_equal(admin_request_decode(writer_slice(&out), &request), OK);
    struct slice cut = {out.data, 29};
    assert_int_equal(admin_request_decode(cut, &request), ERR_MALFORMED);
    for (size_t i = 0; i < ADDRESS_SIZE_MAX; i++) {
        writer_u8(&out, 'x');
    }
    assert_int_equal(admin_request_decode(writer_slice(&out), &request), ERR_MALFORMED);
    writer_deinit(&out);
}

static void a_result_comes_back_with_its_error_by_name(void **state)
{
    (void)state;
    struct admin_result result = {
        .number = 7, .e = ERR_CONFLICT, .id = 8, .text = SLICE_LITERAL("no")};
    struct admin_result back;
    struct writer out = {0};
    admin_result_encode(&result, &out);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.number, 7);
    assert_int_equal(back.e, ERR_CONFLICT);
    assert_int_equal(back.id, 8);
    assert_true(slice_equal(back.text, SLICE_LITERAL("no")));
    assert_int_equal(back.figures.last_index, 0);
    assert_int_equal(back.figures.count, 0);
    result.text = SLICE_LITERAL("no\n");
    writer_reset(&out);
    admin_result_encode(&result, &out);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), ERR_MALFORMED);
    uint8_t longer[ADMIN_TEXT_SIZE_MAX + 50];
    memset(longer, 'x', sizeof(longer));
    result.text = (struct slice){longer, sizeof(longer)};
    writer_reset(&out);
    admin_result_encode(&result, &out);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.text.size, ADMIN_TEXT_SIZE_MAX);
    writer_deinit(&out);
}

static const struct admin_result listed = {
    .number = 7,
    .e = OK,
    .id = 2,
    .figures = {.last_index = 100,
                .count = 3,
                .rows = {{.id = 1,
                          .match = 90,
                          .round_trip_us = 800,
                          .progress = ADMIN_PROGRESS_REPLICATE,
                          .is_reachable = true},
                         {.id = 2, .match = 100, .is_reachable = true},
                         {.id = 5, .match = 3, .progress = ADMIN_PROGRESS_SNAPSHOT}}},
};

static void a_result_comes_back_with_its_figures(void **state)
{
    (void)state;
    struct admin_result back;
    struct writer out = {0};
    admin_result_encode(&listed, &out);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.figures.last_index, 100);
    assert_int_equal(back.figures.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct admin_figure *row = &back.figures.rows[i];
        const struct admin_figure *sent = &listed.figures.rows[i];
        assert_int_equal(row->id, sent->id);
        assert_int_equal(row->match, sent->match);
        assert_int_equal(row->round_trip_us, sent->round_trip_us);
        assert_int_equal(row->progress, sent->progress);
        assert_int_equal(row->is_reachable, sent->is_reachable);
    }
    writer_deinit(&out);
}

/* The name of OK is empty and there is no text: the figures begin at 21, a row has 22 bytes. */
static void what_is_no_result_is_refused(void **state)
{
    (void)state;
    enum {
        COUNT = 29,
        FIRST = 30,
        SECOND = 52,
        PROGRESS = 20,
        FLAGS = 21
    };
    static const struct {
        size_t at;
        uint8_t byte;
    } cases[] = {
        {COUNT, 2},                                  /* what is left over */
        {COUNT, 4},                                  /* more than there are */
        {COUNT, MEMBERS_MAX + 1},                    /* than there can be */
        {FIRST, 0},                                  /* an id that is none */
        {FIRST, 2},                                  /* twice the same */
        {FIRST, 3},                                  /* and not ascending */
        {FIRST + 8, 101},                            /* more than the leader has */
        {FIRST + PROGRESS, ADMIN_PROGRESS_LAST + 1}, /* unknown */
        {SECOND + FLAGS, 2},                         /* likewise */
    };
    struct admin_result back;
    struct writer out = {0};
    admin_result_encode(&listed, &out);
    assert_int_equal(out.size, FIRST + 3 * 22);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t before = out.data[cases[i].at];
        out.data[cases[i].at] = cases[i].byte;
        assert_int_equal(admin_result_decode(writer_slice(&out), &back), ERR_MALFORMED);
        out.data[cases[i].at] = before;
    }
    for (size_t size = 0; size < out.size; size++) {
        struct slice cut = {out.data, size};
        assert_int_equal(admin_result_decode(cut, &back), ERR_MALFORMED);
    }
    writer_u8(&out, 0);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), ERR_MALFORMED);
    writer_deinit(&out);
}

static void a_result_has_at_most_members_max_figures(void **state)
{
    (void)state;
    struct admin_result full = {.number = 7, .figures = {.count = MEMBERS_MAX}};
    struct admin_result back;
    struct writer out = {0};
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        full.figures.rows[i].id = i + 1;
    }
    admin_result_encode(&full, &out);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), OK);
    assert_int_equal(back.figures.rows[MEMBERS_MAX - 1].id, MEMBERS_MAX);
    out.data[29]++; /* one more, and it is there */
    writer_u64(&out, MEMBERS_MAX + 1);
    memset(writer_extend(&out, 14), 0, 14);
    assert_int_equal(admin_result_decode(writer_slice(&out), &back), ERR_MALFORMED);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_comes_back),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_result_comes_back_with_its_error_by_name),
        cmocka_unit_test(a_result_comes_back_with_its_figures),
        cmocka_unit_test(what_is_no_result_is_refused),
        cmocka_unit_test(a_result_has_at_most_members_max_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
