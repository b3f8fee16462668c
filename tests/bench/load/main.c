/*
 * bench-load: one thread that loads one server and says, in a line of JSON, how that went
 * (README.md). Exit status 0: no request failed; 1: some did; 2: it could not begin.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

/* What it prints goes out as a whole, or the status says that it did not. */
static bool print(FILE *file, struct slice text)
{
    return fwrite(text.data, 1, text.size, file) == text.size && fflush(file) == 0;
}

int main(int count, char **arguments)
{
    struct options options;
    struct writer text = {0};
    if (count == 2 && strcmp(arguments[1], "--help") == 0) {
        return print(stdout, slice_from_text(options_help)) ? 0 : 2;
    }
    if (!options_read(count, arguments, &options, &text)) {
        (void)fprintf(stderr, "bench-load: %.*s (--help tells)\n", (int)text.size,
                      (const char *)text.data);
        writer_deinit(&text);
        return 2;
    }
    struct load load;
    int status = 2;
    if (!load_init(&load, &options)) {
        (void)fprintf(stderr, "bench-load: cannot connect: %s\n", strerrordesc_np(errno));
    } else {
        load_run(&load);
        load_report(&load, &text);
        if (print(stdout, writer_slice(&text))) {
            status = load_error_count(&load) == 0 ? 0 : 1;
        }
    }
    load_deinit(&load);
    writer_deinit(&text);
    return status;
}
