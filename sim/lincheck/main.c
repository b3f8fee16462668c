/*
 * lincheck FILE…: checks histories (README.md). Exit status: 0 all legal, 1 one is illegal, 2
 * called wrongly or a file that cannot be read, 3 one is undecided and none illegal.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "lincheck/generate.h"
#include "lincheck/lincheck.h"

#define EXIT_LEGAL 0
#define EXIT_ILLEGAL 1
#define EXIT_USAGE 2
#define EXIT_UNDECIDED 3

#define SEARCH_OPS_MAX 1000000u
#define READ_SIZE (1u << 20)

static const char usage[] = "usage: lincheck FILE...                   checks histories\n"
                            "       lincheck --bench COUNT [KEYS]      makes one of so many "
                            "operations, and times the ways\n";

static bool read_file(const char *path, struct writer *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t count;
    do {
        uint8_t *block = writer_extend(out, READ_SIZE);
        count = fread(block, 1, READ_SIZE, file);
        out->size -= READ_SIZE - count;
    } while (count > 0);
    bool is_whole = ferror(file) == 0;
    (void)fclose(file);
    return is_whole;
}

static int status_of(enum lincheck_verdict verdict)
{
    switch (verdict) {
    case LINCHECK_LEGAL:
        return EXIT_LEGAL;
    case LINCHECK_UNDECIDED:
        return EXIT_UNDECIDED;
    case LINCHECK_ILLEGAL:
        return EXIT_ILLEGAL;
    }
    UNREACHABLE();
}

static int check_file(const char *path)
{
    struct writer text = {0};
    struct lincheck_history history = {0};
    struct lincheck_result result = {0};
    struct err_note note = {""};
    int status = EXIT_USAGE;
    if (!read_file(path, &text)) {
        (void)fprintf(stderr, "lincheck: %s: cannot be read\n", path);
    } else if (lincheck_history_parse(writer_slice(&text), &history, &note) != OK) {
        (void)fprintf(stderr, "lincheck: %s: %s\n", path, note.text);
    } else {
        struct lincheck_options options = {.search_ops_max = SEARCH_OPS_MAX};
        size_t count = history.count;
        enum lincheck_verdict verdict = lincheck_run(&history, &options, &result);
        (void)printf("%s: %s, %zu operations\n%.*s", path, lincheck_verdict_name(verdict), count,
                     (int)result.text.size, (const char *)result.text.data);
        status = status_of(verdict);
    }
    lincheck_result_deinit(&result);
    lincheck_history_deinit(&history);
    writer_deinit(&text);
    return status;
}

/* The worst of all files: what could not be checked, then illegal, then undecided. */
static int worse(int a, int b)
{
    static const int order[] = {EXIT_LEGAL, EXIT_UNDECIDED, EXIT_ILLEGAL, EXIT_USAGE};
    int worst = EXIT_LEGAL;
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        worst = order[i] == a || order[i] == b ? order[i] : worst;
    }
    return worst;
}

/* ---- measuring ---- */

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A decimal number below a thousand million. */
static bool parse_count(const char *text, unsigned *out_count)
{
    unsigned count = 0;
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        count = count * 10 + (unsigned)(text[i] - '0');
    }
    *out_count = count;
    return size > 0 && size < 10 && count > 0;
}

static void print_time(const char *what, double begin, const struct lincheck_result *result)
{
    (void)printf("%-12s %8.3f s  %s, %" PRIu64 " steps\n", what, seconds() - begin,
                 lincheck_verdict_name(result->verdict), result->steps);
}

static int bench(unsigned op_count, unsigned key_count)
{
    struct lincheck_load load = {.seed = 1,
                                 .op_count = op_count,
                                 .client_count = 30,
                                 .key_count = key_count,
                                 .unknown_per_mille = 5};
    struct lincheck_history history = {0};
    struct lincheck_result result = {0};
    struct lincheck_options options = {.search_ops_max = op_count};
    lincheck_generate(&load, &history);
    double begin = seconds();
    int status = status_of(lincheck_search(&history, &options, &result));
    print_time("search", begin, &result);
    begin = seconds();
    status = worse(status, status_of(lincheck_settle(&history, &result)));
    print_time("settle", begin, &result);
    begin = seconds();
    status = worse(status, status_of(lincheck_certificate(&history, &result)));
    print_time("certificate", begin, &result);
    lincheck_result_deinit(&result);
    lincheck_history_deinit(&history);
    return status;
}

int main(int count, char **arguments)
{
    unsigned op_count;
    unsigned key_count = 100;
    if (count >= 3 && count <= 4 && strcmp(arguments[1], "--bench") == 0 &&
        parse_count(arguments[2], &op_count) &&
        (count == 3 || parse_count(arguments[3], &key_count))) {
        return bench(op_count, key_count);
    }
    if (count < 2 || arguments[1][0] == '-') {
        (void)fputs(usage, count == 2 && strcmp(arguments[1], "--help") == 0 ? stdout : stderr);
        return count == 2 && strcmp(arguments[1], "--help") == 0 ? EXIT_LEGAL : EXIT_USAGE;
    }
    int status = EXIT_LEGAL;
    for (int i = 1; i < count; i++) {
        status = worse(status, check_file(arguments[i]));
    }
    return status;
}
