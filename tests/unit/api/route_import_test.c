/* An import from a node that is a map in memory. */
#include "api/export_format.h"
#include "api_testing.h"

/* The lines of an export with `count` keys k000…, values "v". */
static struct slice export_of(struct writer *out, unsigned count, const char *value)
{
    struct export_sums sums = {0};
    const struct store_region state = {.revision = 7, .keys = count};
    writer_reset(out);
    api_export_put_head(&sums, &state, out);
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        int size = snprintf(key, sizeof(key), "k%03u", i);
        const struct store_record record = {.value = slice_from_text(value),
                                            .content_type = SLICE_LITERAL("text/plain")};
        api_export_put_record(&sums, (struct slice){(const uint8_t *)key, (size_t)size}, &record,
                              out);
    }
    api_export_put_end(&sums, out);
    return writer_slice(out);
}

static void import(struct fixture *f, const char *target, struct slice body)
{
    struct writer text = {0};
    writer_bytes(&text, body);
    writer_u8(&text, 0);
    request(f, target, "", (const char *)text.data);
    writer_deinit(&text);
}

static void an_export_is_written_key_by_key(void **state)
{
    struct fixture *f = *state;
    struct writer lines = {0};
    import(f, "POST /import", export_of(&lines, 20, "v"));
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"keys\":20,\"written\":20,\"skipped\":0}\n");
    assert_field(f, "KV-Revision", "20");
    request(f, "GET /kv/k019", "", NULL);
    assert_body(f, "v");
    assert_field(f, "Content-Type", "text/plain");
    import(f, "POST /import?mode=overwrite", export_of(&lines, 2, "w"));
    assert_body(f, "{\"keys\":2,\"written\":2,\"skipped\":0}\n");
    request(f, "GET /kv/k000", "", NULL);
    assert_body(f, "w");
    import(f, "POST /import", export_of(&lines, 0, ""));
    assert_body(f, "{\"keys\":0,\"written\":0,\"skipped\":0}\n");
    writer_deinit(&lines);
}

static void what_is_not_whole_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct writer lines = {0};
    struct slice whole = export_of(&lines, 3, "v");
    struct slice cut = {whole.data, whole.size};
    do {
        cut.size--;
    } while (cut.data[cut.size - 1] != '\n'); /* the last line is gone */
    import(f, "POST /import", cut);
    assert_problem(f, 400, "bad-request", "nothing was written");
    lines.data[whole.size - cut.size] ^= 1; /* somewhere in the first two lines */
    import(f, "POST /import", whole);
    assert_problem(f, 400, "bad-request", "nothing was written");
    import(f, "POST /import", SLICE_LITERAL("{\"key\":\"a\"}\n"));
    assert_problem(f, 400, "bad-request", "line 1: ");
    import(f, "POST /import", SLICE_LITERAL(""));
    assert_problem(f, 400, "bad-request", "nothing was written");
    request(f, "GET /kv/k000", "", NULL);
    assert_int_equal(f->status, 404);
    writer_deinit(&lines);
}

static void what_put_would_refuse_is_refused(void **state)
{
    struct fixture *f = *state;
    struct writer lines = {0};
    char large[VALUE_BYTES_MAX + 2];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    import(f, "POST /import", export_of(&lines, 1, large));
    assert_problem(f, 413, "too-large", "line 2: its value is larger than a value may be");
    assert_member(f, "setting", "max-value-bytes");
    request(f, "POST /import?mode=merge", "", "x");
    assert_problem(f, 400, "bad-request", "mode is \"overwrite\"");
    request(f, "POST /import?Mode=create", "", "x");
    assert_problem(f, 400, "bad-request", "mode");
    writer_deinit(&lines);
}

static void the_first_refusal_ends_it_and_names_its_line(void **state)
{
    struct fixture *f = *state;
    struct writer lines = {0};
    f->node.e = ERR_QUOTA;
    import(f, "POST /import", export_of(&lines, 200, "v"));
    assert_problem(f, 507, "quota", "line 2: the storage quota is reached");
    assert_member(f, "outcome", "not-applied");
    assert_member(f, "setting", "quota-bytes");
    f->node.e = OK;
    writer_deinit(&lines);
}

static void what_was_written_before_a_refusal_is_said(void **state)
{
    struct fixture *f = *state;
    struct writer lines = {0};
    f->node.writes_until_quota = 5;
    import(f, "POST /import", export_of(&lines, 20, "v"));
    assert_problem(f, 507, "quota", "other keys were written");
    assert_member(f, "outcome", "partial");
    assert_member(f, "written", "5");
    writer_deinit(&lines);
}

static void a_condition_is_refused_not_ignored(void **state)
{
    struct fixture *f = *state;
    static const char *const fields[] = {"If-Match: \"1\"\r\n", "If-None-Match: *\r\n",
                                         "KV-Fence: a:1\r\n", "X-TTL: 5\r\n",
                                         "Idempotency-Key: k\r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        request(f, "POST /import", fields[i], "");
        assert_problem(f, 501, "not-implemented", "?mode=create");
    }
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(an_export_is_written_key_by_key),
        WITH_FIXTURE(what_is_not_whole_writes_nothing),
        WITH_FIXTURE(what_put_would_refuse_is_refused),
        WITH_FIXTURE(the_first_refusal_ends_it_and_names_its_line),
        WITH_FIXTURE(what_was_written_before_a_refusal_is_said),
        WITH_FIXTURE(a_condition_is_refused_not_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
