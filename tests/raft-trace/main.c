/*
 * raft-trace FILE…: runs the reference's scripts against our core and compares every output. Prints
 * "ok FILE" or the first difference of each file; ends with the counts; exits with 1 if any failed.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "drivers.h"

enum kind {
    KIND_INTERACTION,
    KIND_QUORUM,
    KIND_CONFCHANGE,
};

/* The kinds have no command in common: the first one tells. */
static enum kind kind_of(const char *command)
{
    static const struct {
        const char *name;
        enum kind kind;
    } names[] = {
        {"committed", KIND_QUORUM},       {"vote", KIND_QUORUM},
        {"simple", KIND_CONFCHANGE},      {"enter-joint", KIND_CONFCHANGE},
        {"leave-joint", KIND_CONFCHANGE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(names[i].name, command) == 0) {
            return names[i].kind;
        }
    }
    return KIND_INTERACTION;
}

struct drivers {
    struct interaction *interaction;
    struct confchange *confchange;
};

static void run_block(struct drivers *drivers, const struct script_block *block, struct text *out)
{
    switch (kind_of(block->name)) {
    case KIND_QUORUM:
        quorum_run(block, out);
        break;
    case KIND_CONFCHANGE:
        confchange_run(drivers->confchange, block, out);
        break;
    case KIND_INTERACTION:
        interaction_run(drivers->interaction, block, out);
        break;
    }
    text_trim(out);
    if (out->size == 0) {
        text_add(out, "ok");
    }
}

/* The end of the line at `line`. */
static const char *line_end(const char *line)
{
    return line + strcspn(line, "\n");
}

static void print_difference(const char *path, const struct script_block *block, const char *actual)
{
    const char *expected = text_get(&block->expected);
    while (*expected != '\0' && *actual != '\0') {
        size_t size = (size_t)(line_end(expected) - expected);
        size_t actual_size = (size_t)(line_end(actual) - actual);
        if (size != actual_size || memcmp(expected, actual, size) != 0) {
            break;
        }
        expected = line_end(expected) + (*line_end(expected) == '\n' ? 1 : 0);
        actual = line_end(actual) + (*line_end(actual) == '\n' ? 1 : 0);
    }
    printf("FAILED %s:%u: %s\n  expected: %.*s\n  actual:   %.*s\n", path, block->line, block->name,
           (int)(line_end(expected) - expected), expected, (int)(line_end(actual) - actual),
           actual);
}

static bool run_blocks(const char *path, struct script *script)
{
    struct drivers drivers = {interaction_new(), confchange_new()};
    bool same = true;
    struct script_block block;
    unsigned count = 0;
    while (same && script_next(script, &block)) {
        struct text out = {0};
        run_block(&drivers, &block, &out);
        same = strcmp(text_get(&out), text_get(&block.expected)) == 0;
        if (!same) {
            print_difference(path, &block, text_get(&out));
        }
        text_deinit(&out);
        script_block_deinit(&block);
        count++;
    }
    if (count == 0) {
        printf("FAILED %s: no commands in it\n", path);
    }
    confchange_free(drivers.confchange);
    interaction_free(drivers.interaction);
    return same && count > 0;
}

static bool run_file(const char *path)
{
    struct script script;
    if (!script_open(&script, path)) {
        printf("FAILED %s: cannot be read\n", path);
        script_close(&script);
        return false;
    }
    bool passed = run_blocks(path, &script);
    if (passed) {
        printf("ok %s\n", path);
    }
    script_close(&script);
    return passed;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: raft-trace FILE...\n");
        return 2;
    }
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed += run_file(argv[i]) ? 0 : 1;
    }
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return failed == 0 ? 0 : 1;
}
