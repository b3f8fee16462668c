#include "base/log.h"
#include "base_testing.h"

static char lines[1 << 20];
static size_t lines_size;
static size_t line_count;
static uint64_t now_ms;
static struct log *log_under_test;

static void collect(void *ctx, enum log_level level, const char *line, size_t size)
{
    (void)ctx;
    (void)level;
    assert_true(size <= LOG_LINE_SIZE_MAX);
    assert_int_equal(line[size - 1], '\n');
    memcpy(lines + lines_size, line, size);
    lines_size += size;
    lines[lines_size] = '\0';
    line_count++;
}

static uint64_t read_clock(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static void open_log(enum log_level level, enum log_format format, uint64_t node_id)
{
    const struct log_options options = {
        .level = level,
        .format = format,
        .node_id = node_id,
        .sink = collect,
        .clock = read_clock,
    };
    log_under_test = log_new(&options);
}

static int set_up(void **state)
{
    (void)state;
    lines_size = 0;
    line_count = 0;
    lines[0] = '\0';
    now_ms = 1700000000123;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_free(log_under_test);
    log_under_test = NULL;
    return 0;
}

static void logfmt_has_time_level_node_message_and_fields(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 3);
    LOG_INFO(log_under_test, "leader elected", LOG_U64("term", UINT64_MAX), LOG_I64("lag", -5),
             LOG_TEXT("peer", "127.0.0.1:1"), LOG_ERR(ERR_IO));
    assert_string_equal(lines, "ts=2023-11-14T22:13:20.123Z level=info node=3 "
                               "msg=\"leader elected\" term=18446744073709551615 lag=-5 "
                               "peer=127.0.0.1:1 err=ERR_IO\n");
}

static void json_has_the_same(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, 3);
    LOG_WARN(log_under_test, "disk slow", LOG_U64("us", 7), LOG_TEXT("path", "a b"));
    assert_string_equal(lines, "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\",\"node\":3,"
                               "\"msg\":\"disk slow\",\"us\":7,\"path\":\"a b\"}\n");
}

static void a_line_without_fields_and_without_a_node(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    LOG_ERROR(log_under_test, "stopping");
    log_set_node_id(log_under_test, 9);
    LOG_ERROR(log_under_test, "stopping");
    assert_string_equal(lines, "ts=2023-11-14T22:13:20.123Z level=error msg=stopping\n"
                               "ts=2023-11-14T22:13:20.123Z level=error node=9 msg=stopping\n");
}

static void less_important_levels_are_left_out(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, 0);
    assert_true(log_enabled(log_under_test, LOG_LEVEL_ERROR));
    assert_false(log_enabled(log_under_test, LOG_LEVEL_INFO));
    LOG_INFO(log_under_test, "hidden");
    LOG_DEBUG(log_under_test, "hidden");
    assert_int_equal(line_count, 0);
    log_set_level(log_under_test, LOG_LEVEL_DEBUG);
    LOG_DEBUG(log_under_test, "shown");
    assert_int_equal(line_count, 1);
}

static void no_log_is_a_log_that_writes_nothing(void **state)
{
    (void)state;
    assert_false(log_enabled(NULL, LOG_LEVEL_ERROR));
    LOG_ERROR(NULL, "nobody hears this", LOG_U64("n", 1));
    log_free(NULL);
}

static void logfmt_quotes_what_would_break_a_line(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"bare", "v=bare\n"},
        {"", "v=\"\"\n"},
        {NULL, "v=\"\"\n"},
        {"a b", "v=\"a b\"\n"},
        {"a=b", "v=\"a=b\"\n"},
        {"say \"x\"", "v=\"say \\\"x\\\"\"\n"},
        {"a\\b", "v=\"a\\\\b\"\n"},
        {"two\nlines", "v=\"two\\nlines\"\n"},
        {"\x1b[31mred", "v=\"\\u001b[31mred\"\n"},
        {"del\x7f", "v=\"del\\u007f\"\n"},
        {"\xc2\x9b"
         "31m",
         "v=\"\\u009b31m\"\n"},
        {"gr\xc3\xbc\xc3\x9f", "v=gr\xc3\xbc\xc3\x9f\n"},
        {"\xf0\x9f\x98\x80", "v=\xf0\x9f\x98\x80\n"},
        {"bad\xff", "v=\"bad\\ufffd\"\n"},
        {"cut\xe2\x82", "v=\"cut\\ufffd\\ufffd\"\n"},
        {"overlong\xc0\xaf", "v=\"overlong\\ufffd\\ufffd\"\n"},
        {"surrogate\xed\xa0\x80", "v=\"surrogate\\ufffd\\ufffd\\ufffd\"\n"},
        {"beyond\xf4\x90\x80\x80", "v=\"beyond\\ufffd\\ufffd\\ufffd\\ufffd\"\n"},
    };
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        lines_size = 0;
        now_ms += LOG_BURST_WINDOW_MS;
        LOG_INFO(log_under_test, "m", LOG_TEXT("v", cases[i].text));
        assert_string_equal(strstr(lines, "v="), cases[i].expected);
    }
}

static void json_stays_json_whatever_a_text_holds(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, 0);
    LOG_INFO(log_under_test, "m", LOG_TEXT("v", "\x01\t\n\"\\/\x7f\xff\xc3\xa9"));
    assert_string_equal(strstr(lines, "\"v\":"),
                        "\"v\":\"\\u0001\\u0009\\n\\\"\\\\/\\u007f\\ufffd\xc3\xa9\"}\n");
}

static void every_byte_leaves_a_line_of_printable_utf8(void **state)
{
    (void)state;
    char text[256];
    for (unsigned i = 0; i < 255; i++) {
        text[i] = (char)(i + 1);
    }
    text[255] = '\0';
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    LOG_INFO(log_under_test, "m", LOG_TEXT("v", text));
    for (size_t i = 0; i < lines_size - 1; i++) {
        assert_in_range((unsigned char)lines[i], 0x20, 0x7e);
    }
}

static void a_long_text_is_cut_and_says_so(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    char text[LOG_TEXT_SIZE_MAX + 2];
    memset(text, 'x', sizeof(text) - 1);
    text[LOG_TEXT_SIZE_MAX + 1] = '\0';
    LOG_INFO(log_under_test, "m", LOG_TEXT("v", text));
    assert_string_equal(lines + lines_size - 7, "xx...\"\n");
    assert_int_equal(strspn(strstr(lines, "v=\"") + 3, "x"), LOG_TEXT_SIZE_MAX);
    text[LOG_TEXT_SIZE_MAX] = '\0';
    lines_size = 0;
    LOG_INFO(log_under_test, "m", LOG_TEXT("v", text));
    assert_int_equal(strspn(strstr(lines, "v=") + 2, "x"), LOG_TEXT_SIZE_MAX);
    assert_string_equal(lines + lines_size - 3, "xx\n");
}

static void assert_fits_with_fields_left_out(enum log_format format)
{
    char text[LOG_TEXT_SIZE_MAX + 1];
    memset(text, '\x01', sizeof(text) - 1); /* six bytes each when escaped */
    text[LOG_TEXT_SIZE_MAX] = '\0';
    open_log(LOG_LEVEL_INFO, format, 0);
    LOG_INFO(log_under_test, "m", LOG_TEXT("a", text), LOG_U64("b", 1), LOG_TEXT("c", text));
    assert_true(lines_size <= LOG_LINE_SIZE_MAX);
}

static void a_field_without_room_is_left_out_and_the_line_says_so(void **state)
{
    (void)state;
    assert_fits_with_fields_left_out(LOG_FORMAT_LOGFMT);
    assert_string_equal(strstr(lines, "msg="), "msg=m b=1 truncated=true\n");
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    assert_fits_with_fields_left_out(LOG_FORMAT_JSON);
    assert_string_equal(strstr(lines, "\"msg\""), "\"msg\":\"m\",\"b\":1,\"truncated\":true}\n");
}

static void log_from_one_site(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        LOG_WARN(log_under_test, "again");
    }
}

static void a_site_repeats_only_so_often_and_then_says_how_many(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    log_from_one_site(LOG_BURST + 7);
    assert_int_equal(line_count, LOG_BURST);
    LOG_WARN(log_under_test, "other"); /* another site is not held back */
    assert_int_equal(line_count, LOG_BURST + 1);
    now_ms += LOG_BURST_WINDOW_MS;
    lines_size = 0;
    LOG_INFO(log_under_test, "next"); /* whoever comes next brings the news */
    assert_non_null(strstr(lines, "level=warn msg=\"lines left out\" repeated=again site="));
    assert_non_null(strstr(lines, " count=7\n"));
    line_count = 0;
    log_from_one_site(LOG_BURST + 1);
    assert_int_equal(line_count, LOG_BURST);
}

static void a_site_that_keeps_to_its_window_is_never_held_back(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    for (unsigned i = 0; i < 5; i++) {
        log_from_one_site(LOG_BURST);
        now_ms += LOG_BURST_WINDOW_MS;
    }
    assert_int_equal(line_count, 5 * LOG_BURST);
    assert_null(strstr(lines, "left out"));
}

static void what_is_held_back_is_said_at_the_end(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    log_from_one_site(LOG_BURST + 3);
    assert_int_equal(tear_down(NULL), 0);
    assert_non_null(strstr(lines, " count=3\n"));
}

static void a_clock_that_jumps_back_opens_a_new_window(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    log_from_one_site(LOG_BURST + 1);
    now_ms -= 1000;
    line_count = 0;
    log_from_one_site(1);
    assert_int_equal(line_count, 2); /* the news and the line */
}

static void a_line_without_a_site_is_never_held_back(void **state)
{
    (void)state;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    for (unsigned i = 0; i < 3 * LOG_BURST; i++) {
        log_write(log_under_test, LOG_LEVEL_INFO, NULL, "request", NULL, 0);
    }
    assert_int_equal(line_count, 3 * LOG_BURST);
}

static void more_sites_than_the_table_holds_lose_no_count(void **state)
{
    (void)state;
    static char names[2 * LOG_SITES_MAX][8];
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    for (size_t i = 0; i < 2 * LOG_SITES_MAX; i++) {
        now_ms++;
        for (unsigned j = 0; j < LOG_BURST + 1; j++) {
            log_write(log_under_test, LOG_LEVEL_INFO, names[i], "m", NULL, 0);
        }
    }
    assert_int_equal(line_count, 2 * LOG_SITES_MAX * LOG_BURST + LOG_SITES_MAX);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(line_count, 2 * LOG_SITES_MAX * (LOG_BURST + 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(logfmt_has_time_level_node_message_and_fields),
        TEST(json_has_the_same),
        TEST(a_line_without_fields_and_without_a_node),
        TEST(less_important_levels_are_left_out),
        TEST(no_log_is_a_log_that_writes_nothing),
        TEST(logfmt_quotes_what_would_break_a_line),
        TEST(json_stays_json_whatever_a_text_holds),
        TEST(every_byte_leaves_a_line_of_printable_utf8),
        TEST(a_long_text_is_cut_and_says_so),
        TEST(a_field_without_room_is_left_out_and_the_line_says_so),
        TEST(a_site_repeats_only_so_often_and_then_says_how_many),
        TEST(a_site_that_keeps_to_its_window_is_never_held_back),
        TEST(what_is_held_back_is_said_at_the_end),
        TEST(a_clock_that_jumps_back_opens_a_new_window),
        TEST(a_line_without_a_site_is_never_held_back),
        TEST(more_sites_than_the_table_holds_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
