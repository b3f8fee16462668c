/* pontoon export: a state as lines of JSON, out of a running node or a backup. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/client.h"
#include "main/export.h"
#include "main/offline.h"
#include "main/progress.h"
#include "store/backup.h"
#include "store/inspect.h"
#include "wal/wal_inspect.h"

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
    "  pontoon export monday.ndjson --from pontoon-data    of a stopped one\n"
    "\n"
    "A line a key, in the order of their bytes; what is not UTF-8 stands as base64. The first\n"
    "line has the revision, the last one number and checksum: \"pontoon import\" refuses what was\n"
    "cut or changed. Times and revisions of the keys are not in it: \"pontoon backup\" has them.\n";

/* --timeout was not given. */
#define TIMEOUT_NONE UINT64_MAX

struct export_settings {
    const char *from;
};

static const struct flag export_flags[] = {
    {"from", 0, FLAG_TEXT, offsetof(struct export_settings, from), NULL, "FILE|DIR",
     "of a backup, or of a stopped node's data directory"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_export = {
    .synopsis = "FILE|-",
    .text = text,
    .flags = export_flags,
    .timeout_ms = TIMEOUT_MS,
    .takes_files = true,
};

/* ---- out of a backup, from a node or a file ---- */

struct transfer {
    struct export export;
    struct store_backup_check check;
    struct progress progress;
    err failure;
};

static void on_record(void *ctx, struct slice key, const struct store_record *record)
{
    struct transfer *transfer = ctx;
    main_export_add(&transfer->export, &transfer->check.snapshot.region, key, record);
}

static bool take(void *ctx, struct slice bytes)
{
    struct transfer *transfer = ctx;
    main_progress_tell(&transfer->progress, transfer->export.sums.records,
                       transfer->check.snapshot.region.keys);
    transfer->failure = store_backup_take(&transfer->check, bytes);
    if (transfer->failure == OK) {
        transfer->failure = main_export_flush(&transfer->export, 0);
    }
    return transfer->failure == OK;
}

static err fail_writing(const struct export *export, err e, struct err_note *note)
{
    return err_note_set(note, e, "write %s: %s", main_out_file_name(export->out), err_title(e));
}

static err finish(struct transfer *transfer, struct store_region *out_state, struct err_note *note)
{
    struct store_backup backup;
    err e = transfer->failure;
    if (e == OK) {
        e = store_backup_finish(&transfer->check, &backup);
    }
    if (e == OK) {
        *out_state = backup.state;
        e = main_export_end(&transfer->export, out_state);
    }
    if (e == ERR_DAMAGED) {
        return err_note_set(note, e, "what came is no whole backup: it was cut or changed");
    }
    if (e == ERR_VERSION) {
        return err_note_set(note, e, "what came was made by a newer pontoon: use that one");
    }
    return e == OK ? OK : fail_writing(&transfer->export, e, note);
}

static err transfer_open(struct transfer *transfer, struct env *env, const char *path,
                         struct err_note *note)
{
    *transfer = (struct transfer){.check = {.record = on_record}};
    transfer->check.ctx = transfer;
    main_progress_begin(&transfer->progress, env, stderr, "export", "keys");
    return main_export_open(&transfer->export, env, path, note);
}

static void transfer_close(struct transfer *transfer)
{
    main_progress_end(&transfer->progress);
    main_export_close(&transfer->export);
    store_backup_check_deinit(&transfer->check);
}

/* ---- out of a node ---- */

static enum exit_status attempt(struct client *client, struct env *env, const char *path,
                                struct store_region *out_state, bool *out_may_repeat,
                                struct err_note *note)
{
    struct transfer transfer;
    *out_may_repeat = false;
    if (transfer_open(&transfer, env, path, note) != OK) {
        return EXIT_FAILED;
    }
    const struct client_request request = {
        .method = "GET", .path = "/admin/snapshot", .piece = take, .ctx = &transfer};
    enum exit_status status = main_client_ask(client, &request, note);
    if (status == EXIT_OK || transfer.failure != OK) {
        status = finish(&transfer, out_state, note) == OK ? EXIT_OK : EXIT_FAILED;
    }
    /* What went to standard output cannot be taken back. */
    *out_may_repeat = status == EXIT_UNAVAILABLE && transfer.check.size_bytes > 0 && path != NULL;
    transfer_close(&transfer);
    return status;
}

static enum exit_status export_node(struct env *env, const struct client_settings *settings,
                                    const char *path, struct store_region *out_state,
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
        status = attempt(client, env, path, out_state, &may_repeat, note);
    }
    main_client_close(client);
    return status;
}

/* ---- out of a backup ---- */

static err read_backup(struct transfer *transfer, struct env_file *file, const char *from,
                       struct err_note *note)
{
    uint8_t *block = mem_alloc(READ_SIZE);
    size_t size = READ_SIZE;
    err e = OK;
    for (uint64_t offset = 0; e == OK && size == READ_SIZE; offset += size) {
        e = env_file_read(file, offset, block, READ_SIZE, &size);
        if (e == OK && !take(transfer, (struct slice){block, size})) {
            break; /* finish says why */
        }
    }
    mem_free(block);
    return e == OK ? OK : err_note_set(note, e, "read %s: %s", from, err_title(e));
}

static enum exit_status export_backup(struct env *env, const char *from, const char *path,
                                      struct store_region *out_state, struct err_note *note)
{
    struct env_file *file = NULL;
    struct transfer transfer;
    if (env_file_open(env, from, ENV_OPEN_READ, &file, note) != OK) {
        return EXIT_FAILED;
    }
    err e = transfer_open(&transfer, env, path, note);
    if (e == OK) {
        e = read_backup(&transfer, file, from, note);
    }
    if (e == OK) {
        e = finish(&transfer, out_state, note);
        if (e == ERR_DAMAGED || e == ERR_VERSION) {
            e = err_note_wrap(note, e, "%s", from);
        }
    }
    transfer_close(&transfer);
    env_file_close(file);
    return e == OK ? EXIT_OK : EXIT_FAILED;
}

/* ---- out of a stopped node's directory ---- */

struct look {
    struct export export;
    struct store_region state;
    bool has_state;
    struct writer scratch;
    err failure;
    struct err_note *note;
};

static void on_store_region(void *ctx, const struct store_region *region, err e)
{
    struct look *look = ctx;
    if (e != OK) {
        look->failure =
            err_note_set(look->note, e, "the state of region %" PRIu64 " is damaged", region->id);
        return;
    }
    look->state = *region;
    look->has_state = true;
}

static void on_store_record(void *ctx, const struct store_inspect_record *record)
{
    struct look *look = ctx;
    if (look->failure != OK) {
        return;
    }
    if (record->fault != NULL) {
        look->failure =
            err_note_set(look->note, ERR_CORRUPT, "key %s: %s",
                         main_offline_escape(record->key, &look->scratch), record->fault);
        return;
    }
    if (record->space != STORE_SPACE_USER) {
        return; /* it only has to be whole, as the state counts it */
    }
    main_export_add(&look->export, &look->state, record->key, record->record);
    err e = main_export_flush(&look->export, READ_SIZE);
    if (e != OK) {
        look->failure = fail_writing(&look->export, e, look->note);
    }
}

static void on_log_fault(void *ctx, err e, const char *why)
{
    struct look *look = ctx;
    if (look->failure == OK) {
        look->failure = err_note_set(look->note, e, "%s", why);
    }
}

/* What the log has behind the checkpoint would be missing: refused. */
static err check_log(struct look *look, const struct offline *offline)
{
    static const struct wal_inspect_handler handler = {.fault = on_log_fault};
    struct wal_marks_view marks;
    struct wal_inspect *inspect = NULL;
    err e = wal_marks_look(offline->env, offline->log_directory, &marks, look->note);
    if (e != OK) {
        return e;
    }
    const struct wal_inspect_options options = {
        .env = offline->env,
        .directory = offline->log_directory,
        .cluster_id = offline->identity.cluster_id,
        .node = offline->identity.node,
        .mark = marks.mark,
    };
    e = wal_inspect_open(&inspect, &options, &handler, look);
    if (e == OK) {
        uint64_t last = wal_bounds(wal_inspect_log(inspect), look->state.id).last_index;
        uint64_t applied = look->state.applied.index;
        if (last > applied) {
            e = err_note_set(look->note, ERR_CONFLICT,
                             "its log has %" PRIu64
                             " entries that are not in its checkpoint: start "
                             "it and stop it by SIGTERM, or export while it runs",
                             last - applied);
        }
    }
    wal_inspect_close(inspect);
    return e;
}

static err look_at(struct look *look, const struct offline *offline)
{
    struct store_inspect *inspect = NULL;
    err e = offline->identity_error;
    if (e != OK) {
        return err_note_set(look->note, e, "%s", offline->identity_note.text);
    }
    e = store_inspect_open(&inspect, offline->env, offline->store_directory, look->note);
    if (e == OK) {
        e = store_inspect_regions(inspect, on_store_region, look, look->note);
    }
    e = e == OK ? look->failure : e;
    if (e == OK && !look->has_state) {
        e = err_note_set(look->note, ERR_UNAVAILABLE, "nothing was ever checkpointed in it");
    }
    if (e == OK) {
        e = check_log(look, offline);
    }
    for (enum store_space space = 0; e == OK && space < STORE_SPACES; space++) {
        e = store_inspect_records(inspect, space, SLICE_EMPTY, on_store_record, look, look->note);
    }
    e = e == OK ? look->failure : e;
    if (e == OK && !store_inspect_agrees(inspect, &look->state, look->note)) {
        e = ERR_CORRUPT;
    }
    store_inspect_close(inspect);
    return e;
}

static enum exit_status export_directory(struct env *env, const char *from, const char *path,
                                         struct store_region *out_state, struct err_note *note)
{
    struct look look = {.note = note};
    struct offline offline;
    err e = main_offline_open(&offline, env, from, note);
    if (e == OK) {
        main_offline_guard();
        e = main_export_open(&look.export, env, path, note);
    }
    if (e == OK) {
        e = look_at(&look, &offline);
        if (e != OK) {
            e = err_note_wrap(note, e, "%s", from);
        } else {
            *out_state = look.state;
            e = main_export_end(&look.export, &look.state);
            e = e == OK ? OK : fail_writing(&look.export, e, note);
        }
    }
    main_offline_close(&offline);
    main_export_close(&look.export);
    writer_deinit(&look.scratch);
    return e == OK ? EXIT_OK : EXIT_FAILED;
}

static enum exit_status export_from(struct env *env, const char *from, const char *path,
                                    struct store_region *out_state, struct err_note *note)
{
    struct stat status;
    bool is_directory = stat(from, &status) == 0 && S_ISDIR(status.st_mode);
    return is_directory ? export_directory(env, from, path, out_state, note)
                        : export_backup(env, from, path, out_state, note);
}

/* ---- the command ---- */

static enum exit_status run(struct env *env, const struct client_settings *client_settings,
                            const struct export_settings *settings, const char *path,
                            struct err_note *note)
{
    struct store_region state = {.id = 0};
    enum exit_status status = settings->from != NULL
                                  ? export_from(env, settings->from, path, &state, note)
                                  : export_node(env, client_settings, path, &state, note);
    if (status == EXIT_OK) {
        FILE *out = path == NULL ? stderr : stdout;
        const char *name = path == NULL ? "export" : path;
        bool is_json = client_settings->output == CLIENT_OUTPUT_JSON;
        (void)fprintf(out,
                      is_json ? "{\"revision\":%" PRIu64 ",\"keys\":%" PRIu64 "}\n"
                              : "revision %" PRIu64 ", %" PRIu64 " keys: %s\n",
                      state.revision, state.keys, name);
    }
    return status;
}

/* What was given of that only a node can use; NULL: nothing. */
static const char *flag_of_node(const struct client_settings *settings)
{
    if (settings->endpoints != NULL) {
        return "-e";
    }
    if (settings->timeout_ms != TIMEOUT_NONE) {
        return "--timeout";
    }
    return settings->show_curl ? "--show-curl" : NULL;
}

enum exit_status main_cmd_export(struct env *env, int count, char *const *arguments)
{
    struct client_settings client_settings = CLIENT_SETTINGS_DEFAULT;
    struct export_settings settings = {.from = NULL};
    client_settings.timeout_ms = TIMEOUT_NONE;
    const struct flag_group groups[] = {
        {export_flags, &settings}, {main_client_flags, &client_settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        const char *of_node = flag_of_node(&client_settings);
        if (words.count == 0) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "say where to: \"pontoon export FILE\", or - for standard output");
        } else if (settings.from != NULL && of_node != NULL) {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "--from reads what is there, %s is for asking a node: one of them",
                               of_node);
        } else {
            bool is_timed = client_settings.timeout_ms != TIMEOUT_NONE;
            client_settings.timeout_ms = is_timed ? client_settings.timeout_ms : TIMEOUT_MS;
            bool is_stdout = strcmp(words.items[0], "-") == 0;
            status =
                run(env, &client_settings, &settings, is_stdout ? NULL : words.items[0], &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("export", &note, status);
}
