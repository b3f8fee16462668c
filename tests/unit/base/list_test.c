#include "base/list.h"
#include "base_testing.h"

struct item {
    char name;
    struct list link;
};

static struct list list;
static struct item items[4];

static int set_up(void **state)
{
    (void)state;
    list_init(&list);
    for (size_t i = 0; i < 4; i++) {
        items[i].name = (char)('a' + i);
        list_push_back(&list, &items[i].link);
    }
    return 0;
}

static void assert_names(struct list *head, const char *expected)
{
    char names[16];
    size_t count = 0;
    LIST_FOREACH (node, head) {
        names[count] = CONTAINER_OF(node, struct item, link)->name;
        count++;
    }
    names[count] = '\0';
    assert_string_equal(names, expected);
}

static void nodes_stand_in_the_order_of_their_pushes(void **state)
{
    (void)state;
    assert_names(&list, "abcd");
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_names(&list, "");
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_names(&list, "acd");
}

static void a_walk_survives_the_removal_of_its_node(void **state)
{
    (void)state;
    LIST_FOREACH (node, &list) {
        list_remove(node);
    }
    assert_true(list_is_empty(&list));
}

static void a_splice_moves_everything_to_the_end(void **state)
{
    (void)state;
    struct list target;
    struct item first = {.name = '_'};
    list_init(&target);
    list_splice_back(&target, &list);
    assert_true(list_is_empty(&list));
    assert_names(&target, "abcd");
    list_splice_back(&target, &list);
    assert_names(&target, "abcd");
    list_push_back(&list, &first.link);
    list_splice_back(&list, &target);
    assert_names(&list, "_abcd");
    assert_true(list_is_empty(&target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nodes_stand_in_the_order_of_their_pushes, set_up),
        cmocka_unit_test_setup(removing_twice_is_harmless, set_up),
        cmocka_unit_test_setup(a_walk_survives_the_removal_of_its_node, set_up),
        cmocka_unit_test_setup(a_splice_moves_everything_to_the_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
