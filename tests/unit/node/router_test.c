#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/router.h"

/* The router never looks inside a replica: any address will do. */
static struct replica *replica_at(char *place)
{
    return (struct replica *)(void *)place;
}

static void each_key_belongs_to_the_last_range_that_starts_at_or_before_it(void **state)
{
    (void)state;
    _Alignas(16) char places[3][16];
    struct router router = {.count = 0};
    assert_null(router_find(&router, SLICE_LITERAL("a")));
    router_add(&router, SLICE_LITERAL("m"), replica_at(places[1]));
    router_add(&router, SLICE_EMPTY, replica_at(places[0]));
    router_add(&router, SLICE_LITERAL("t"), replica_at(places[2]));
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("\0")), places[0]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("lz")), places[0]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("m")), places[1]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("m\0")), places[1]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("s\xff")), places[1]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("t")), places[2]);
    assert_ptr_equal(router_find(&router, SLICE_LITERAL("\xff\xff")), places[2]);
    router_deinit(&router);
    assert_null(router_find(&router, SLICE_LITERAL("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_belongs_to_the_last_range_that_starts_at_or_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
