/* pontoon export: a state as lines of JSON, out of a running node or a backup. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/client.h"
#include "main/export_format.h"
#include "main/out_file.h"
#include "store/backup.h"

#define TIMEOUT_MS 60000u /* a node may have to make a checkpoint before it begins */
#define ATTEMPTS_MAX 3u   /* as of "pontoon backup" */
#define READ_SIZE (1u << 20)

static const char text[] =
    "pontoon export writes all keys and values as lines of JSON: the consistent state of one\n"
    "revision, while writes go on.\n"
    "\n"
    "  pontoon export monday.ndjson\n"
    "  pontoon export - -e 10.0.0.1:3000 | zstd >monday.ndjson.zst\n"
    "  pontoon export monday.ndjson --from monday.backup   without a node\n"
    "\n"
    "A line a key, in the order of their bytes; what is not UTF-8 stands as base64. The first\n"
    "line has the revision, the last one number and checksum: \"pontoon import\" refuses what was\n"
    "cut or changed. Times and revisions of the keys are not in it: \"pontoon backup\" has them.\n"
    "\n"
    "Flags:\n";

struct export_settings {
    const char *from;
};

static const struct flag export_flags[] = {
    {"from", 0, FLAG_TEXT, offsetof(struct export_settings, from), NULL, "FILE",
     "of a file that \"pontoon backup\" wrote, not of a node"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

void main_cmd_export_help(FILE *out)
{
    (void)fputs(text, out);
    main_flags_print(export_flags, out);
    main_flags_print(main_client_flags, out);
}

/* A backup on its way into an export. */
struct export
{
    struct out_file *out;
    struct store_backup_check check;
    struct export_sums sums;
    struct writer lines; /* not written yet */
    bool has_head;
    err failure;
};

static void put_head(struct export *export)
{
    if (!export->has_head) {
        main_export_put_head(&export->sums, &export->check.snapshot.region, &export->lines);
        export->has_head = true;
    }
}

static void on_record(void *ctx, struct slice key, const struct store_record *record)
{
    struct export *export = ctx;
    put_head(export);
    main_export_put_record(&export->sums, key, record, &export->lines);
}

static err flush(struct export *export)
{
    err e = main_out_file_put(export->out, writer_slice(&export->lines));
    writer_reset(&export->lines);
    return e;
}

static bool take(void *ctx, struct slice bytes)
{
    struct export *export = ctx;
    export->failure = store_backup_take(&export->check, bytes);
    if (export->failure == OK) {
        export->failure = flush(export);
    }
    return export->failure == OK;
}

static err finish(struct export *export, struct store_backup *out_backup, struct err_note *note)
{
    err e = export->failure;
    if (e == OK) {
        e = store_backup_finish(&export->check, out_backup);
    }
    if (e == OK) {
        put_head(export);
        main_export_put_end(&export->sums, &export->lines);
        e = flush(export);
    }
    if (e == OK) {
        e = main_out_file_finish(export->out);
    }
    if (e == ERR_DAMAGED) {
        return err_note_set(note, e, "what came is no whole backup: it was cut or changed");
    }
    if (e == ERR_VERSION) {
        return err_note_set(note, e, "what came was made by a newer pontoon: use that one");
    }
    return e == OK ? OK
                   : err_note_set(note, e, "write %s: %s", main_out_file_name(export->out),
                                  err_title(e));
}

static err export_open(struct export *export, struct env *env, const char *path,
                       struct err_note *note)
{
    *export = (struct export){.check = {.record = on_record}};
    export->check.ctx = export;
    return main_out_file_open(&export->out, env, path, note);
}

static void export_close(struct export *export)
{
    main_out_file_close(export->out);
    store_backup_check_deinit(&export->check);
    writer_deinit(&export->lines);
}

/* ---- out of a node ---- */

static enum exit_status attempt(struct client *client, struct env *env, const char *path,
                                struct store_backup *out_backup, bool *out_may_repeat,
                                struct err_note *note)
{
    struct export export;
    *out_may_repeat = false;
    if (export_open(&export, env, path, note) != OK) {
        return EXIT_FAILED;
    }
    const struct client_request request = {
        .method = "GET", .path = "/admin/snapshot", .piece = take, .ctx = &export};
    enum exit_status status = main_client_ask(client, &request, note);
    if (status == EXIT_OK || export.failure != OK) {
        status = finish(&export, out_backup, note) == OK ? EXIT_OK : EXIT_FAILED;
    }
    /* What went to standard output cannot be taken back. */
    *out_may_repeat = status == EXIT_UNAVAILABLE && export.check.size_bytes > 0 && path != NULL;
    export_close(&export);
    return status;
}

static enum exit_status export_node(struct env *env, const struct client_settings *settings,
                                    const char *path, struct store_backup *out_backup,
                                    struct err_note *note)
{
    struct client *client = NULL;
    if (main_client_open(&client, settings, environ, note) != OK) {
        return EXIT_USAGE;
    }
    bool may_repeat = true;
    enum exit_status status = EXIT_UNAVAILABLE;
    for (unsigned i = 0; i < ATTEMPTS_MAX && may_repeat; i++) {
        if (i > 0) {
            (void)fprintf(stderr, "pontoon: %s; beginning again\n", note->text);
        }
        status = attempt(client, env, path, out_backup, &may_repeat, note);
    }
    main_client_close(client);
    return status;
}

/* ---- out of a backup ---- */

static err read_backup(struct export *export, struct env_file *file, const char *from,
                       struct err_note *note)
{
    uint8_t *block = mem_alloc(READ_SIZE);
    size_t size = READ_SIZE;
    err e = OK;
    for (uint64_t offset = 0; e == OK && size == READ_SIZE; offset += size) {
        e = env_file_read(file, offset, block, READ_SIZE, &size);
        if (e == OK && !take(export, (struct slice){block, size})) {
            break; /* finish says why */
        }
    }
    mem_free(block);
    return e == OK ? OK : err_note_set(note, e, "read %s: %s", from, err_title(e));
}

static enum exit_status export_backup(struct env *env, const char *from, const char *path,
                                      struct store_backup *out_backup, struct err_note *note)
{
    struct env_file *file = NULL;
    struct export export;
    if (env_file_open(env, from, ENV_OPEN_READ, &file, note) != OK) {
        return EXIT_FAILED;
    }
    err e = export_open(&export, env, path, note);
    if (e == OK) {
        e = read_backup(&export, file, from, note);
    }
    if (e == OK) {
        e = finish(&export, out_backup, note);
        if (e == ERR_DAMAGED || e == ERR_VERSION) {
            e = err_note_wrap(note, e, "%s", from);
        }
    }
    export_close(&export);
    env_file_close(file);
    return e == OK ? EXIT_OK : EXIT_FAILED;
}

/* ---- the command ---- */

static enum exit_status run(struct env *env, const struct client_settings *client_settings,
                            const struct export_settings *settings, const char *path,
                            struct err_note *note)
{
    struct store_backup backup;
    enum exit_status status = settings->from != NULL
                                  ? export_backup(env, settings->from, path, &backup, note)
                                  : export_node(env, client_settings, path, &backup, note);
    if (status == EXIT_OK) {
        FILE *out = path == NULL ? stderr : stdout;
        const char *name = path == NULL ? "export" : path;
        bool is_json = client_settings->output == CLIENT_OUTPUT_JSON;
        (void)fprintf(out,
                      is_json ? "{\"revision\":%" PRIu64 ",\"keys\":%" PRIu64 "}\n"
                              : "revision %" PRIu64 ", %" PRIu64 " keys: %s\n",
                      backup.state.revision, backup.state.keys, name);
    }
    return status;
}

enum exit_status main_cmd_export(struct env *env, int count, char *const *arguments)
{
    struct client_settings client_settings = CLIENT_SETTINGS_DEFAULT;
    struct export_settings settings = {.from = NULL};
    client_settings.timeout_ms = TIMEOUT_MS;
    const struct flag_group groups[] = {
        {export_flags, &settings}, {main_client_flags, &client_settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        if (words.count == 0) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "say where to: \"pontoon export FILE\", or - for standard output");
        } else if (settings.from != NULL && client_settings.endpoints != NULL) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "--from reads a file, -e asks a node: one of them");
        } else {
            bool is_stdout = strcmp(words.items[0], "-") == 0;
            status =
                run(env, &client_settings, &settings, is_stdout ? NULL : words.items[0], &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("export", &note, status);
}
