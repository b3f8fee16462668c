/* pontoon backup: a node's state into a file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/document.h"
#include "main/backup_file.h"
#include "main/backup_text.h"
#include "main/client.h"
#include "main/progress.h"

/* A node may have to make a checkpoint before it begins. */
#define TIMEOUT_MS 60000u
/* A node whose store has to grow breaks a backup off; that is rare, twice in a row rarer. */
#define ATTEMPTS_MAX 3u

static const char text[] =
    "pontoon backup writes the state of a running node into a file, checks all of it, and only\n"
    "then gives it its name. Writes go on meanwhile.\n"
    "\n"
    "  pontoon backup monday.backup\n"
    "  pontoon backup -e 10.0.0.1:3000,10.0.0.2:3000 monday.backup\n"
    "  pontoon backup - | ssh vault 'cat >monday.backup'   check the exit status: the far end\n"
    "                                                      cannot tell that it is whole\n"
    "\n"
    "What it is of: all that the node which answers had applied when it was asked. \"pontoon\n"
    "restore\" makes a new cluster of it. --timeout is on silence, not on the whole.\n";

const struct command_form main_form_backup = {
    .synopsis = "FILE|-",
    .text = text,
    .timeout_ms = TIMEOUT_MS,
    .takes_files = true,
};

struct download {
    struct backup_file *file;
    struct progress progress;
};

/* For client_request. */
static bool take(void *ctx, struct slice bytes)
{
    struct download *download = ctx;
    main_progress_tell(&download->progress, main_backup_file_size(download->file), 0);
    return main_backup_file_take(download->file, bytes);
}

/* `path` NULL: standard output. */
static enum exit_status attempt(struct client *client, struct env *env, const char *path,
                                struct store_backup *out_backup, bool *out_may_repeat,
                                struct err_note *note)
{
    struct backup_file *file = NULL;
    *out_may_repeat = false;
    if (main_backup_file_open(&file, env, path, note) != OK) {
        return EXIT_FAILED;
    }
    struct download download = {.file = file};
    main_progress_begin(&download.progress, env, stderr, "backup", NULL);
    const struct client_request request = {
        .method = "GET", .path = "/admin/snapshot", .piece = take, .ctx = &download};
    enum exit_status status = main_client_ask(client, &request, note);
    main_progress_end(&download.progress);
    if (status == EXIT_OK || status == EXIT_FAILED) { /* it says more: why it would not take more */
        struct err_note why;
        err e = main_backup_file_finish(file, out_backup, &why);
        if (e != OK && (status == EXIT_OK || main_backup_file_size(file) > 0)) {
            *note = why;
            status = EXIT_FAILED;
        }
    }
    *out_may_repeat = status == EXIT_UNAVAILABLE && main_backup_file_size(file) > 0;
    main_backup_file_close(file);
    return status;
}

static void report(const struct client_settings *settings, const char *path,
                   const struct store_backup *backup)
{
    FILE *out = path == NULL ? stderr : stdout;
    if (settings->output == CLIENT_OUTPUT_JSON) {
        struct json_object *document = json_object_new_object();
        if (path != NULL) {
            api_document_add_text(document, "file", path);
        }
        main_backup_text_add(document, backup);
        main_backup_text_print(document, out);
        return;
    }
    char hash[BACKUP_TEXT_HASH_SIZE];
    main_backup_text_hash(backup->state.state_hash, hash);
    (void)fprintf(out,
                  "%s: revision %" PRIu64 ", %" PRIu64 " keys, %" PRIu64 " bytes, state hash %s\n",
                  path == NULL ? "backup" : path, backup->state.revision, backup->state.keys,
                  backup->size_bytes, hash);
}

static enum exit_status run(struct env *env, const struct client_settings *settings,
                            const char *path, struct err_note *note)
{
    struct client *client = NULL;
    if (main_client_open(&client, settings, environ, note) != OK) {
        return EXIT_USAGE;
    }
    struct store_backup backup;
    bool may_repeat = true;
    enum exit_status status = EXIT_UNAVAILABLE;
    for (unsigned i = 0; i < ATTEMPTS_MAX && may_repeat; i++) {
        if (i > 0) {
            (void)fprintf(stderr, "pontoon: %s; beginning again\n", note->text);
        }
        status = attempt(client, env, path, &backup, &may_repeat, note);
        may_repeat = may_repeat && path != NULL; /* what went out cannot be taken back */
    }
    main_client_close(client);
    if (status == EXIT_OK) {
        report(settings, path, &backup);
    }
    return status;
}

enum exit_status main_cmd_backup(struct env *env, int count, char *const *arguments)
{
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    settings.timeout_ms = TIMEOUT_MS;
    const struct flag_group groups[] = {{main_client_flags, &settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        bool is_stdout = words.count == 1 && strcmp(words.items[0], "-") == 0;
        if (words.count == 0) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "say where to: \"pontoon backup FILE\", or - for standard output");
        } else if (is_stdout && isatty(STDOUT_FILENO) != 0) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "a backup is no text for a terminal: name a file, or pipe it");
        } else {
            status = run(env, &settings, is_stdout ? NULL : words.items[0], &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("backup", &note, status);
}
