#include "api/list_walk.h"
#include "api_testing.h"
#include "base/prng.h"

static void put(struct node *node, const char *key)
{
    struct fake_record *place = fake_place(node, slice_from_text(key));
    fake_clear(place);
    place->key = buf_copy(slice_from_text(key));
    place->value = buf_copy(SLICE_LITERAL("v"));
    node->revision++;
    place->record.mod_revision = node->revision;
    place->record.create_revision = (node->revision + 1) / 2;
}

/* All items with a space behind each, a prefix with '+' before it; `piece` keys a turn. */
static void walk(struct node *node, const struct list_params *params, uint64_t piece, char *text,
                 size_t size)
{
    struct list_walk walk;
    err e = ERR_OVERLOADED;
    text[0] = '\0';
    api_list_walk_init(&walk, params);
    while (e == ERR_OVERLOADED) {
        struct node_scan scan;
        struct list_item item;
        uint64_t budget = piece;
        struct node_scan_options options = api_list_walk_options(&walk, 0);
        assert_int_equal(node_scan_open(node, &options, &scan), OK);
        while ((e = api_list_walk_next(&walk, &scan, &budget, &item)) == OK) {
            size_t used = strlen(text);
            (void)snprintf(text + used, size - used, "%s%.*s ", item.is_prefix ? "+" : "",
                           (int)item.key.size, (const char *)item.key.data);
        }
        node_scan_close(&scan);
        struct list_walk next;
        struct slice place = api_list_walk_place(&walk);
        api_list_walk_init(&next, params); /* as if another page went on */
        if (place.size > 0) {
            api_list_walk_resume(&next, place);
        }
        next.is_over = walk.is_over;
        walk = next;
    }
    assert_int_equal(e, ERR_NOT_FOUND);
    assert_true(walk.is_over);
}

static void assert_walk(struct node *node, struct list_params params, const char *expected)
{
    char text[256];
    for (uint64_t piece = 1; piece < 8; piece++) {
        walk(node, &params, piece, text, sizeof(text));
        assert_string_equal(text, expected);
    }
}

#define TEXT(text) SLICE_LITERAL(text)

static void a_list_is_what_its_bounds_leave(void **state)
{
    struct node *node = &((struct fixture *)*state)->node;
    static const char *const keys[] = {"a", "a!", "a/", "a/b", "a/c/d", "a/c/e", "b", "b/x", "c"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        put(node, keys[i]);
    }
    assert_walk(node, (struct list_params){0}, "a a! a/ a/b a/c/d a/c/e b b/x c ");
    assert_walk(node, (struct list_params){.start = TEXT("a/"), .end = TEXT("b")},
                "a/ a/b a/c/d a/c/e ");
    assert_walk(node, (struct list_params){.after = TEXT("a/"), .before = TEXT("b")},
                "a/b a/c/d a/c/e ");
    assert_walk(node, (struct list_params){.after = TEXT("a/b"), .prefix = TEXT("a/")},
                "a/c/d a/c/e ");
    assert_walk(node, (struct list_params){.prefix = TEXT("a/"), .is_reverse = true},
                "a/c/e a/c/d a/b a/ ");
    assert_walk(node, (struct list_params){.start = TEXT("c"), .end = TEXT("a")}, "");
    assert_walk(node, (struct list_params){.match = TEXT("a*/d")}, "a/c/d ");
    assert_walk(node, (struct list_params){.match = TEXT("*x")}, "b/x ");
}

static void a_delimiter_makes_one_of_many(void **state)
{
    struct node *node = &((struct fixture *)*state)->node;
    static const char *const keys[] = {"a",   "a/",   "a/b",      "a/c/d",      "a/c/e",     "b",
                                       "b/x", "c::d", "\xff\xff", "\xff\xff/1", "\xff\xff/2"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        put(node, keys[i]);
    }
    const struct list_params level = {.delimiter = TEXT("/")};
    struct list_params back = level;
    back.is_reverse = true;
    assert_walk(node, level, "a +a/ b +b/ c::d \xff\xff +\xff\xff/ ");
    assert_walk(node, back, "+\xff\xff/ \xff\xff c::d +b/ b +a/ a ");
    assert_walk(node, (struct list_params){.delimiter = TEXT("/"), .prefix = TEXT("a/")},
                "a/ a/b +a/c/ ");
    assert_walk(node, (struct list_params){.delimiter = TEXT("::")},
                "a a/ a/b a/c/d a/c/e b b/x +c:: \xff\xff \xff\xff/1 \xff\xff/2 ");
    /* A prefix that ends in all ones has nothing behind it. */
    assert_walk(node, (struct list_params){.delimiter = TEXT("\xff")}, /* the first of both */
                "a a/ a/b a/c/d a/c/e b b/x c::d +\xff ");
    assert_walk(node, (struct list_params){.delimiter = TEXT("/"), .match = TEXT("*e")}, "+a/ ");
}

static void a_filter_leaves_what_its_revisions_have(void **state)
{
    struct node *node = &((struct fixture *)*state)->node;
    static const char *const keys[] = {"d", "a/2", "c", "a/1", "b/1", "a/3"}; /* 1 to 6 */
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        put(node, keys[i]);
    }
    assert_walk(node, (struct list_params){.filter.mod = {.min = 4}}, "a/1 a/3 b/1 ");
    assert_walk(node, (struct list_params){.filter.mod = {.max = 4}}, "a/1 a/2 c d ");
    assert_walk(node, (struct list_params){.filter.mod = {2, 4}, .is_reverse = true}, "c a/2 a/1 ");
    assert_walk(node, (struct list_params){.filter.create = {.min = 3}}, "a/3 b/1 ");
    assert_walk(node, (struct list_params){.filter.create = {.max = 1}}, "a/2 d ");
    assert_walk(node, (struct list_params){.filter = {.mod = {.min = 4}, .create = {.max = 2}}},
                "a/1 ");
    assert_walk(node, (struct list_params){.filter.mod = {.min = 5}, .match = TEXT("a*")}, "a/3 ");
    assert_walk(node, (struct list_params){.filter.mod = {.min = 7}}, "");
    /* A prefix stands for the keys that are left. */
    assert_walk(node, (struct list_params){.filter.mod = {.max = 4}, .delimiter = TEXT("/")},
                "+a/ c d ");
}

static void what_cannot_be_read_is_not_left_out(void **state)
{
    struct node *node = &((struct fixture *)*state)->node;
    const struct list_params params = {.filter.mod = {.min = 9}, .match = TEXT("b*")};
    struct list_walk walk;
    struct node_scan scan;
    struct list_item item;
    uint64_t budget = 100;
    put(node, "a");
    put(node, "b");
    node->scan_e = ERR_CORRUPT;
    api_list_walk_init(&walk, &params);
    struct node_scan_options options = api_list_walk_options(&walk, 0);
    assert_int_equal(node_scan_open(node, &options, &scan), OK);
    assert_int_equal(api_list_walk_next(&walk, &scan, &budget, &item), ERR_CORRUPT);
    assert_true(slice_equal(scan.key, TEXT("b"))); /* which is told */
    node_scan_close(&scan);
}

static void what_was_not_taken_comes_again(void **state)
{
    struct node *node = &((struct fixture *)*state)->node;
    put(node, "a");
    put(node, "b/1");
    put(node, "b/2");
    put(node, "c");
    for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
        const struct list_params params = {.delimiter = TEXT("/"), .is_reverse = is_reverse != 0};
        struct list_walk walk;
        api_list_walk_init(&walk, &params);
        for (int i = 0; i < 6; i++) { /* each of the three twice */
            struct node_scan scan;
            struct list_item item;
            uint64_t budget = 100;
            struct node_scan_options options = api_list_walk_options(&walk, 0);
            assert_int_equal(node_scan_open(node, &options, &scan), OK);
            assert_int_equal(api_list_walk_next(&walk, &scan, &budget, &item), OK);
            const char *expected = i / 2 == 1 ? "b/" : (i / 2 == 0) == !is_reverse ? "a" : "c";
            assert_true(slice_equal(item.key, slice_from_text(expected)));
            if (i % 2 == 0) {
                api_list_walk_back(&walk, &item);
            }
            node_scan_close(&scan);
        }
    }
}

static void lists_of_other_keys_have_another_hash(void **state)
{
    (void)state;
    const struct list_params lists[] = {
        {.prefix = TEXT("a")},         {.start = TEXT("a")},          {.end = TEXT("a")},
        {.after = TEXT("a")},          {.before = TEXT("a")},         {.delimiter = TEXT("a")},
        {.match = TEXT("a")},          {.is_reverse = true},          {.prefix = TEXT("ab")},
        {.prefix = TEXT("")},          {.filter.mod = {.min = 1}},    {.filter.mod = {.max = 1}},
        {.filter.create = {.min = 1}}, {.filter.create = {.max = 1}}, {.filter.mod = {.min = 11}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(lists); j++) {
            assert_int_equal(api_list_walk_hash(&lists[i]) == api_list_walk_hash(&lists[j]),
                             i == j);
        }
    }
    const struct list_params paged = {.prefix = TEXT("a"), .limit = 7, .has_limit = true};
    assert_int_equal(api_list_walk_hash(&paged), api_list_walk_hash(&lists[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_what_its_bounds_leave, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(a_delimiter_makes_one_of_many, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(a_filter_leaves_what_its_revisions_have, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_left_out, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(what_was_not_taken_comes_again, fixture_open,
                                        fixture_close),
        cmocka_unit_test(lists_of_other_keys_have_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
