/*
 * What `pontoon bench` says: of each phase that ran, as text and as JSON. What the numbers mean
 * stands in its --help.
 */
#ifndef MAIN_BENCH_REPORT_H
#define MAIN_BENCH_REPORT_H

#include <json-c/json_object.h>

#include "base/codec.h"
#include "main/bench.h"

/* From that share of a core on the tool is what is measured: it has one thread. */
#define BENCH_TOOL_SHARE_MAX 0.9

/* Appends some lines: each operation of the phase, and what there is to say of the tool. */
void main_bench_report_text(const struct bench_result *result, struct writer *out);
/* The same as an object, which the caller puts. */
struct json_object *main_bench_report_json(const struct bench_result *result);

#endif
