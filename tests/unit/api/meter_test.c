#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/meter.h"

static const char *render(const struct metrics *metrics, struct writer *out)
{
    writer_reset(out);
    metrics_render(metrics, out);
    writer_u8(out, 0);
    return (const char *)out->data;
}

static void a_series_begins_with_its_first_request(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct meter meter;
    struct writer out = {0};
    api_meter_init(&meter, metrics);
    assert_null(strstr(render(metrics, &out), "pontoon_http_requests_total"));
    api_meter_count(&meter, ROUTE_KV, HTTP_METHOD_GET, 200, 100);
    api_meter_count(&meter, ROUTE_KV, HTTP_METHOD_GET, 200, 200);
    api_meter_count(&meter, ROUTE_KV, HTTP_METHOD_GET, 404, 300);
    const char *text = render(metrics, &out);
    assert_non_null(strstr(
        text, "\npontoon_http_requests_total{method=\"GET\",route=\"kv\",code=\"200\"} 2\n"));
    assert_non_null(strstr(
        text, "\npontoon_http_requests_total{method=\"GET\",route=\"kv\",code=\"404\"} 1\n"));
    assert_non_null(
        strstr(text, "\npontoon_http_request_duration_seconds_count{route=\"kv\"} 3\n"));
    assert_non_null(
        strstr(text, "\npontoon_http_request_duration_seconds_sum{route=\"kv\"} 0.0006\n"));
    api_meter_deinit(&meter);
    metrics_free(metrics);
    writer_deinit(&out);
}

static void a_status_that_no_row_has_is_counted_under_0(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct meter meter;
    struct writer out = {0};
    api_meter_init(&meter, metrics);
    api_meter_count(&meter, ROUTE_NONE, HTTP_METHOD_OTHER, 299, 1);
    api_meter_count(&meter, ROUTE_NONE, HTTP_METHOD_OTHER, 298, 1);
    assert_non_null(strstr(render(metrics, &out), "route=\"none\",code=\"0\"} 2\n"));
    api_meter_deinit(&meter);
    metrics_free(metrics);
    writer_deinit(&out);
}

static void every_error_has_a_status_of_its_own_row(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct meter meter;
    struct writer out = {0};
    api_meter_init(&meter, metrics);
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        api_meter_count(&meter, ROUTE_KV, HTTP_METHOD_PUT, err_http_status(e), 1);
    }
    assert_null(strstr(render(metrics, &out), "code=\"0\""));
    api_meter_deinit(&meter);
    metrics_free(metrics);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_begins_with_its_first_request),
        cmocka_unit_test(a_status_that_no_row_has_is_counted_under_0),
        cmocka_unit_test(every_error_has_a_status_of_its_own_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
