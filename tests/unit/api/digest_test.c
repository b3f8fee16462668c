#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/digest.h"
#include "base/compiler.h"

/* Of "hello world": RFC 9530, appendix B, has the same of other bodies. */
#define SHA_256 "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:"
#define SHA_512                                                                                    \
    "sha-512=:MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6"     \
    "TrpzXbw==:"

static const struct slice hello = SLICE_INIT("hello world");

static void a_digest_is_of_these_bytes_or_not(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    static const char both[] = " " SHA_256 ";x=1 , " SHA_512;
    static const char with_other[] = "md5=:AA==:," SHA_256;
    const char *const good[] = {SHA_256, SHA_512, both, with_other};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct slice text = slice_from_text(good[i]);
        assert_int_equal(api_digest_check("Repr-Digest", text, &problem), OK);
        assert_true(api_digest_matches(text, hello));
        assert_false(api_digest_matches(text, SLICE_LITERAL("hello worlD")));
    }
    assert_false(api_digest_matches(SLICE_LITERAL(SHA_256), SLICE_EMPTY));
    /* Both have to match. */
    const char *const half = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:," SHA_512;
    assert_int_equal(api_digest_check("Repr-Digest", slice_from_text(half), &problem), OK);
    assert_false(api_digest_matches(slice_from_text(half), hello));
}

static void what_cannot_be_verified_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "md5=:AAAAAAAAAAAAAAAAAAAAAA==:",
                               "sha-256",
                               "sha-256=x",
                               "sha-256=::",
                               "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
                               "sha-256=uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
                               "sha-512=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:",
                               SHA_256 ",sha-512=:AA==:"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct problem problem = {.e = OK};
        assert_int_equal(api_digest_check("Repr-Digest", slice_from_text(bad[i]), &problem),
                         ERR_BAD_REQUEST);
        assert_non_null(strstr(problem.detail, "Repr-Digest"));
        assert_non_null(strstr(problem.detail, "sha-"));
    }
}

static void the_algorithm_that_is_wanted_most_is_given(void **state)
{
    (void)state;
    const struct {
        const char *want;
        const char *given;
    } cases[] = {
        {"sha-256=10", SHA_256},
        {"sha-512=3, sha-256=10", SHA_256},
        {"sha-512=3, sha-256=1, md5=10", SHA_512},
        {"sha-256=0", ""},
        {"md5=10", ""},
        {"sha-256=11", ""},
        {"sha-256", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[DIGEST_FIELD_SIZE_MAX];
        size_t size = api_digest_write(slice_from_text(cases[i].want), hello, text);
        assert_int_equal(size, strlen(cases[i].given));
        assert_memory_equal(text, cases[i].given, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_of_these_bytes_or_not),
        cmocka_unit_test(what_cannot_be_verified_is_refused),
        cmocka_unit_test(the_algorithm_that_is_wanted_most_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
