/* What a fuzz target is to libFuzzer and to replay.c. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Tries one input; a finding is a crash, an ASSERT or a sanitizer's report. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
