/* pontoon import: the lines of an export into a running cluster. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/export_format.h"
#include "main/client.h"
#include "main/import_source.h"
#include "main/progress.h"
#include "main/put_pool.h"
#include "proto/text.h"

/* How long one key may be tried again: an election, or a rolling restart. */
#define TIMEOUT_MS 30000u

static const char text[] =
    "pontoon import writes the keys and values of an export into a running cluster.\n"
    "\n"
    "  pontoon import monday.ndjson\n"
    "  zstdcat monday.ndjson.zst | pontoon import - -e 10.0.0.1:3000,10.0.0.2:3000\n"
    "\n"
    "All of it is read and checked before the first key is written: a file that was cut or\n"
    "changed is refused. Then many keys are written at a time, each as by PUT, and again where\n"
    "that is safe (an import may be repeated). Keys that are there already are replaced, others\n"
    "stay. At the first refusal it stops and tells the line; what was begun by then may have been\n"
    "written. --timeout is how long one key is tried.\n";

const struct command_form main_form_import = {
    .synopsis = "FILE|-",
    .text = text,
    .timeout_ms = TIMEOUT_MS,
    .takes_files = true,
};

struct import {
    struct put_pool *pool;
    const char *name; /* of the file */
    struct writer path;
    struct progress progress;
    enum exit_status status;
    struct err_note *note;
};

static bool fail(struct import *import, enum exit_status status, uint64_t line)
{
    import->status = status;
    (void)err_note_wrap(import->note, ERR_UNAVAILABLE, "%s: line %" PRIu64, import->name, line);
    return false;
}

/* For main_import_source_each. */
static bool put_record(void *ctx, const struct export_parser *parser)
{
    struct import *import = ctx;
    uint64_t line = 0;
    writer_reset(&import->path);
    writer_bytes(&import->path, SLICE_LITERAL("/kv/"));
    text_escape(writer_slice(&parser->key), &import->path);
    writer_u8(&import->path, '\0');
    const struct put put = {
        .number = parser->lines,
        .path = (const char *)import->path.data,
        .body = writer_slice(&parser->value),
        .content_type = writer_slice(&parser->content_type),
    };
    main_progress_tell(&import->progress, main_put_pool_done(import->pool), parser->keys);
    enum exit_status status = main_put_pool_begin(import->pool, &put, &line, import->note);
    return status == EXIT_OK || fail(import, status, line);
}

static enum exit_status write_all(struct import *import, struct import_source *source)
{
    uint64_t line = 0;
    err e = main_import_source_each(source, put_record, import, import->note);
    if (e != OK) { /* it was changed since it was checked */
        return EXIT_FAILED;
    }
    if (import->status == EXIT_OK) {
        enum exit_status status = main_put_pool_finish(import->pool, &line, import->note);
        if (status != EXIT_OK) {
            (void)fail(import, status, line);
        }
    }
    return import->status;
}

static enum exit_status run(struct env *env, const struct client_settings *settings,
                            const char *path, struct err_note *note)
{
    struct import import = {.name = path == NULL ? "standard input" : path, .note = note};
    struct import_source *source = NULL;
    if (main_put_pool_open(&import.pool, env, settings, environ, note) != OK) {
        return EXIT_USAGE;
    }
    enum exit_status status = EXIT_FAILED;
    if (main_import_source_open(&source, path, note) == OK) {
        main_progress_begin(&import.progress, env, stderr, "import", "keys");
        status = write_all(&import, source);
        main_progress_end(&import.progress);
    }
    if (status == EXIT_OK) {
        bool is_json = settings->output == CLIENT_OUTPUT_JSON;
        (void)printf(is_json ? "{\"keys\":%" PRIu64 ",\"retries\":%" PRIu64 "}\n"
                             : "%" PRIu64 " keys written, %" PRIu64 " attempts repeated\n",
                     main_put_pool_done(import.pool), main_put_pool_retries(import.pool));
    }
    main_import_source_close(source);
    main_put_pool_close(import.pool);
    writer_deinit(&import.path);
    return status;
}

enum exit_status main_cmd_import(struct env *env, int count, char *const *arguments)
{
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    settings.timeout_ms = TIMEOUT_MS;
    const struct flag_group groups[] = {{main_client_flags, &settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        if (words.count == 0) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "say what: \"pontoon import FILE\", or - for standard input");
        } else if (settings.show_curl) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "--show-curl: an import is many requests; each is a PUT of a key");
        } else {
            bool is_stdin = strcmp(words.items[0], "-") == 0;
            status = run(env, &settings, is_stdin ? NULL : words.items[0], &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("import", &note, status);
}
