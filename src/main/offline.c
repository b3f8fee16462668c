#include "main/offline.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "api/suggest.h"
#include "base/assert.h"
#include "base/crash.h"
#include "base/mem.h"
#include "env/uv.h"
#include "proto/text.h"
#include "wal/wal_segment.h"

/* The log's names are appended to it. */
#define DIRECTORY_SIZE_MAX 900u

_Static_assert(DIRECTORY_SIZE_MAX + sizeof("/wal") <= WAL_DIRECTORY_SIZE_MAX, "paths have to fit");

/* ---- the command line ---- */

static struct offline_flag *find_flag(struct slice name, struct offline_flag *flags,
                                      size_t flag_count)
{
    for (size_t i = 0; i < flag_count; i++) {
        if (slice_equal(name, slice_from_text(flags[i].name))) {
            return &flags[i];
        }
    }
    return NULL;
}

static err refuse_flag(const char *argument, struct slice name, const struct offline_flag *flags,
                       size_t flag_count, struct err_note *note)
{
    struct suggest suggest = {.name = name};
    for (size_t i = 0; i < flag_count; i++) {
        api_suggest_offer(&suggest, flags[i].name);
    }
    const char *meant = api_suggest_meant(&suggest);
    return meant == NULL ? err_note_set(note, ERR_BAD_REQUEST, "unknown flag %s", argument)
                         : err_note_set(note, ERR_BAD_REQUEST,
                                        "unknown flag %s: did you mean --%s?", argument, meant);
}

/* Takes the flag at arguments[*index], which begins with "--". */
static err take_flag(int count, char *const *arguments, int *index, struct offline_flag *flags,
                     size_t flag_count, struct err_note *note)
{
    const char *text = arguments[*index] + 2;
    const char *equals = strchr(text, '=');
    size_t size = equals != NULL ? (size_t)(equals - text) : strlen(text);
    struct slice name = {(const uint8_t *)text, size};
    struct offline_flag *flag = find_flag(name, flags, flag_count);
    if (flag == NULL) {
        return refuse_flag(arguments[*index], name, flags, flag_count, note);
    }
    if (flag->value != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST, "--%s is given twice", flag->name);
    }
    if (equals == NULL && *index + 1 == count) {
        return err_note_set(note, ERR_BAD_REQUEST, "--%s needs a value", flag->name);
    }
    *index += equals == NULL ? 1 : 0;
    flag->value = equals == NULL ? arguments[*index] : equals + 1;
    return OK;
}

err main_offline_parse(int count, char *const *arguments, const char **out_directory,
                       struct offline_flag *flags, size_t flag_count, struct err_note *note)
{
    const char *directory = NULL;
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "--", 2) == 0) {
            err e = take_flag(count, arguments, &i, flags, flag_count, note);
            if (e != OK) {
                return e;
            }
        } else if (directory != NULL) {
            return err_note_set(note, ERR_BAD_REQUEST, "unexpected argument \"%s\"", arguments[i]);
        } else {
            directory = arguments[i];
        }
    }
    if (directory == NULL || directory[0] == '\0') {
        return err_note_set(note, ERR_BAD_REQUEST, "say which data directory to look at");
    }
    if (strlen(directory) > DIRECTORY_SIZE_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "the name of the directory is too long");
    }
    *out_directory = directory;
    return OK;
}

/* ---- the directory ---- */

struct names {
    bool has_identity;
    bool has_data;
};

static void on_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    names->has_identity = names->has_identity || strcmp(name, "identity") == 0;
    names->has_data = names->has_data || strcmp(name, "wal") == 0 || strcmp(name, "store") == 0;
}

static char *join(const char *directory, const char *name)
{
    struct writer path = {0};
    writer_format(&path, "%s/%s", directory, name);
    writer_u8(&path, '\0');
    char *text = mem_strdup((const char *)path.data);
    writer_deinit(&path);
    return text;
}

static err check_names(const struct offline *offline, struct err_note *note)
{
    struct names names = {.has_identity = false};
    err e = env_dir_list(offline->env, offline->directory, on_name, &names);
    if (e == ERR_NO_FILE) {
        return err_note_set(note, e, "%s: there is no such directory", offline->directory);
    }
    if (e != OK) {
        return err_note_set(note, e, "%s: cannot be listed: %s", offline->directory, err_title(e));
    }
    if (!names.has_identity && !names.has_data) {
        return err_note_set(note, ERR_NO_FILE,
                            "%s is no data directory: it has neither identity, wal nor store; give "
                            "what the node has as --data",
                            offline->directory);
    }
    return OK;
}

static err take_lock(struct offline *offline, struct err_note *note)
{
    struct err_note why = {.text = ""};
    char *path = join(offline->directory, "lock");
    err e = env_uv_lock_share(path, &offline->lock, &why);
    mem_free(path);
    if (e == ERR_BUSY) {
        return err_note_set(note, e, "%s is in use: %s; stop the node, or look at a copy",
                            offline->directory, why.text);
    }
    return e == OK || e == ERR_NO_FILE ? OK : err_note_set(note, e, "%s", why.text);
}

err main_offline_open(struct offline *offline, struct env *env, const char *directory,
                      struct err_note *note)
{
    *offline = (struct offline){.env = env, .directory = directory};
    err e = check_names(offline, note);
    if (e == OK) {
        e = take_lock(offline, note);
    }
    if (e != OK) {
        return e;
    }
    offline->log_directory = join(directory, "wal");
    offline->store_directory = join(directory, "store");
    offline->identity_error =
        identity_read(env, directory, &offline->identity, &offline->identity_note);
    return OK;
}

void main_offline_close(struct offline *offline)
{
    env_lock_release(offline->lock);
    mem_free(offline->log_directory);
    mem_free(offline->store_directory);
    *offline = (struct offline){.env = offline->env};
}

enum exit_status main_offline_finish(const char *command)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return EXIT_OK;
    }
    struct err_note note;
    (void)err_note_set(&note, ERR_IO, "standard output: not all of it could be written");
    return main_command_complain(command, &note, EXIT_FAILED);
}

/* ---- damaged pages ---- */

static void on_fault(int signum)
{
    struct crash_out out;
    (void)signum;
    crash_init(&out, STDERR_FILENO);
    crash_text(&out, "pontoon: the store's data.mdb is damaged: a page leads out of the file\n");
    crash_flush(&out);
    _exit(EXIT_FAILED);
}

void main_offline_guard(void)
{
    struct sigaction action = {.sa_handler = on_fault};
    int status = sigaction(SIGBUS, &action, NULL) + sigaction(SIGSEGV, &action, NULL);
    /* A reader that has gone, as head does, ends it as it ends other filters. */
    struct sigaction standard = {.sa_handler = SIG_DFL};
    status += sigaction(SIGPIPE, &standard, NULL);
    ASSERT(status == 0);
    status = setvbuf(stdout, NULL, _IOLBF, 0);
    ASSERT(status == 0);
}

/* ---- text ---- */

const char *main_offline_escape(struct slice bytes, struct writer *scratch)
{
    writer_reset(scratch);
    text_escape(bytes, scratch);
    writer_u8(scratch, '\0');
    return (const char *)scratch->data;
}
