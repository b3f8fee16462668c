#include <errno.h>
#include <uv.h>

#include "env/errno.h"
#include "env_testing.h"

static void errnos_have_the_err_that_callers_can_act_on(void **state)
{
    (void)state;
    const struct {
        int errno_value;
        err expected;
    } cases[] = {
        {ENOENT, ERR_NO_FILE},
        {EEXIST, ERR_EXISTS},
        {EACCES, ERR_PERMISSION},
        {EPERM, ERR_PERMISSION},
        {EROFS, ERR_PERMISSION},
        {ENOSPC, ERR_NO_SPACE},
        {EDQUOT, ERR_NO_SPACE},
        {EFBIG, ERR_NO_SPACE},
        {EWOULDBLOCK, ERR_BUSY},
        {EADDRINUSE, ERR_ADDRESS},
        {EADDRNOTAVAIL, ERR_ADDRESS},
        {ECONNREFUSED, ERR_REFUSED},
        {ECONNRESET, ERR_CLOSED},
        {EPIPE, ERR_CLOSED},
        {ETIMEDOUT, ERR_CLOSED},
        {EIO, ERR_IO},
        {EINVAL, ERR_IO},
        {EMFILE, ERR_IO},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(env_err_of_errno(cases[i].errno_value), cases[i].expected);
        assert_int_equal(env_err_of_uv(-cases[i].errno_value), cases[i].expected);
    }
}

static void what_only_libuv_reports_is_translated_too(void **state)
{
    (void)state;
    assert_int_equal(env_err_of_uv(UV_EOF), ERR_CLOSED);
    assert_int_equal(env_err_of_uv(UV_EAI_NONAME), ERR_ADDRESS);
    assert_int_equal(env_err_of_uv(UV_EAI_PROTOCOL), ERR_ADDRESS);
    assert_int_equal(env_err_of_uv(UV_UNKNOWN), ERR_IO);
}

static void every_status_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(env_status_text(UV_ENOENT), "No such file or directory");
    assert_string_equal(env_status_text(UV_EAI_NONAME), "unknown node or service");
    assert_string_equal(env_status_text(UV_EOF), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errnos_have_the_err_that_callers_can_act_on),
        cmocka_unit_test(what_only_libuv_reports_is_translated_too),
        cmocka_unit_test(every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
