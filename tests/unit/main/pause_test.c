#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/pause.h"

static void it_takes_its_time(void **state)
{
    (void)state;
    struct env *env = env_uv_open();
    uint64_t begin_ms = env_now_ms(env);
    main_pause(env, 20);
    assert_true(env_now_ms(env) - begin_ms >= 20);
    env_uv_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
