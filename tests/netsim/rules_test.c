#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rules.h"

#define PORTS 3u
#define PACKETS 10000u

static struct rules rules;

static void say(const char *line, const char *expected)
{
    struct writer answer = {0};
    rules_command(&rules, slice_from_text(line), &answer);
    assert_int_equal(answer.size, strlen(expected));
    assert_memory_equal(answer.data, expected, answer.size);
    writer_deinit(&answer);
}

static void assert_refused(const char *line)
{
    struct rules before = rules;
    struct writer answer = {0};
    rules_command(&rules, slice_from_text(line), &answer);
    assert_true(answer.size > 7);
    assert_memory_equal(answer.data, "error: ", 7);
    writer_deinit(&answer);
    assert_memory_equal(&rules, &before, sizeof(rules)); /* R1 */
}

static bool is_open(unsigned from, unsigned to)
{
    struct rules_fate fate;
    rules_judge(&rules, from, to, &fate);
    return fate.count > 0;
}

static int set_up(void **state)
{
    (void)state;
    rules_init(&rules, PORTS, 1);
    return 0;
}

static void a_new_link_is_perfect(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PACKETS; i++) {
        struct rules_fate fate;
        rules_judge(&rules, 1, 2, &fate);
        assert_int_equal(fate.count, 1);
        assert_false(fate.copies[0].is_corrupt);
        assert_int_equal(fate.copies[0].delay_us, 0);
    }
    say("counts", "forwarded=10000 cut=0 lost=0 duplicated=0 corrupted=0 overflowed=0\n");
}

static void a_cut_has_one_direction_and_heals(void **state)
{
    (void)state;
    say("cut 1 2", "ok\n");
    assert_false(is_open(1, 2));
    assert_true(is_open(2, 1));
    assert_true(is_open(1, 3));
    say("counts", "forwarded=2 cut=1 lost=0 duplicated=0 corrupted=0 overflowed=0\n");
    say("heal 1 2", "ok\n");
    assert_true(is_open(1, 2));
}

static void a_star_is_every_port(void **state)
{
    (void)state;
    say("cut * 3", "ok\n");
    assert_false(is_open(1, 3));
    assert_false(is_open(2, 3));
    assert_true(is_open(3, 1));
    say("cut * *", "ok\n");
    say("heal 3 *", "ok\n");
    assert_true(is_open(3, 1));
    assert_true(is_open(3, 2));
    assert_false(is_open(1, 2));
}

static void a_link_line_sets_all_of_a_rule_but_a_cut(void **state)
{
    (void)state;
    say("cut 1 2", "ok\n");
    say("link 1 2 loss=1000 delay=5", "ok\n");
    say("link 1 2 duplicate=1000", "ok\n");
    assert_false(is_open(1, 2));
    say("heal 1 2", "ok\n");
    struct rules_fate fate;
    rules_judge(&rules, 1, 2, &fate);
    assert_int_equal(fate.count, 2);
    assert_int_equal(fate.copies[0].delay_us, 0);
    say("link 1 2", "ok\n");
    rules_judge(&rules, 1, 2, &fate);
    assert_int_equal(fate.count, 1);
}

/* When a packet of 1,000 bytes that comes in at 1 ns has left. */
static uint64_t left_ns(unsigned from, unsigned to)
{
    uint64_t left = 0;
    assert_true(queue_add(rules_queue(&rules, from, to), 1, 1000, &left));
    return left;
}

static void each_direction_has_a_rate_of_its_own(void **state)
{
    (void)state;
    say("link 1 * rate=1000000", "ok\n");
    assert_int_equal(left_ns(1, 2), 1000001);
    assert_int_equal(left_ns(1, 2), 2000001);
    assert_int_equal(left_ns(1, 3), 1000001);
    assert_int_equal(left_ns(2, 1), 1);
    say("cut 1 2", "ok\n");
    say("heal 1 2", "ok\n");
    assert_int_equal(left_ns(1, 2), 3000001);
    say("link 1 2 rate=1000000000", "ok\n");
    assert_int_equal(left_ns(1, 2), 1001);
    say("link 1 2", "ok\n");
    assert_int_equal(left_ns(1, 2), 1);
}

static void chances_are_thousandths(void **state)
{
    (void)state;
    say("link 1 2 loss=50 duplicate=100 corrupt=200 delay=100-300", "ok\n");
    unsigned arrived = 0;
    unsigned copies = 0;
    unsigned corrupt = 0;
    uint64_t delay_us = 0;
    for (unsigned i = 0; i < PACKETS; i++) {
        struct rules_fate fate;
        rules_judge(&rules, 1, 2, &fate);
        arrived += fate.count > 0;
        for (unsigned j = 0; j < fate.count; j++) {
            copies++;
            corrupt += fate.copies[j].is_corrupt;
            assert_in_range(fate.copies[j].delay_us, 100, 300);
            delay_us += fate.copies[j].delay_us;
        }
    }
    assert_in_range(PACKETS - arrived, 400, 600);
    assert_in_range(copies - arrived, 800, 1100);
    assert_in_range(corrupt, copies / 6, copies / 4);
    assert_in_range(delay_us / copies, 190, 210);
    assert_int_equal(rules.counts.lost, PACKETS - arrived);
    assert_int_equal(rules.counts.forwarded, arrived);
    assert_int_equal(rules.counts.duplicated, copies - arrived);
}

/* What becomes of the next 100 packets of 1 to 2, as bits. */
static void draw(uint64_t bits[2])
{
    bits[0] = bits[1] = 0;
    for (unsigned i = 0; i < 100; i++) {
        bits[i / 64] |= (uint64_t)is_open(1, 2) << i % 64;
    }
}

static void a_seed_decides_and_links_do_not_disturb_each_other(void **state)
{
    (void)state;
    uint64_t drawn[3][2];
    for (unsigned i = 0; i < 3; i++) {
        rules_init(&rules, PORTS, i == 2 ? 6 : 5);
        say("link * * loss=500", "ok\n");
        for (unsigned j = 0; i == 1 && j < 10; j++) {
            (void)is_open(2, 1); /* R2 */
        }
        draw(drawn[i]);
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof(drawn[0]));
    assert_memory_not_equal(drawn[0], drawn[2], sizeof(drawn[0]));
}

static void what_is_not_understood_is_refused_whole(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "cut",
        "cut 1",
        "cut 0 1",
        "cut 1 4",
        "cut 1 2 3",
        "cut a b",
        "cut -1 2",
        "CUT 1 2",
        "sever 1 2",
        "link 1 2 x",
        "link 1 2 x=1",
        "link 1 2 loss=",
        "link 1 2 loss=1x",
        "link 1 2 loss=1001",
        "heal 1",
        "count",
        "counts 1",
        "link 1 2 delay=",
        "link 1 2 delay=2-1",
        "cut 1 99999999999999999999",
        "link 1 2 delay=10000001",
        "link 1 2 loss=1 loss=-1",
        "link 1 2 rate=",
        "link 1 2 rate=1M",
        "link 1 2 rate=-1",
        "link 1 2 rate=1000000001",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_refused(lines[i]);
    }
    say("  cut   1  2 ", "ok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_link_is_perfect, set_up),
        cmocka_unit_test_setup(a_cut_has_one_direction_and_heals, set_up),
        cmocka_unit_test_setup(a_star_is_every_port, set_up),
        cmocka_unit_test_setup(a_link_line_sets_all_of_a_rule_but_a_cut, set_up),
        cmocka_unit_test_setup(each_direction_has_a_rate_of_its_own, set_up),
        cmocka_unit_test_setup(chances_are_thousandths, set_up),
        cmocka_unit_test_setup(a_seed_decides_and_links_do_not_disturb_each_other, set_up),
        cmocka_unit_test_setup(what_is_not_understood_is_refused_whole, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
