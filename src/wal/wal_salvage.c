#include "wal/wal_salvage.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_inspect.h"
#include "wal/wal_redo.h"

#define ASIDE_ENDING ".damaged"
#define MARK_NAME "synced"

struct search {
    region_id region;
    struct wal_salvage found;
    err worst; /* a fault that is no damage; OK: there was none */
    struct err_note note;
};

static void on_record(void *ctx, const struct wal_inspect_record *record)
{
    struct search *search = ctx;
    if (record->kind == WAL_KIND_HARD_STATE && record->region == search->region) {
        search->found = (struct wal_salvage){record->hard_state, true};
    }
}

static void on_fault(void *ctx, err e, const char *text)
{
    struct search *search = ctx;
    search->found.is_last = false;
    if (e != ERR_DAMAGED && search->worst == OK) {
        search->worst = e;
        (void)snprintf(search->note.text, sizeof(search->note.text), "%s", text);
    }
}

err wal_salvage(const struct wal_options *options, region_id region,
                struct wal_salvage *out_salvage, struct err_note *note)
{
    static const struct wal_inspect_handler handler = {.record = on_record, .fault = on_fault};
    struct search search = {.region = region};
    struct wal_marks_view view;
    err e = wal_marks_look(options->env, options->directory, &view, note);
    if (e != OK) {
        return e;
    }
    const struct wal_inspect_options look = {
        .env = options->env,
        .directory = options->directory,
        .cluster_id = options->cluster_id,
        .node = options->node,
        .mark = view.mark,
        .is_thorough = true,
    };
    struct wal_inspect *inspect;
    e = wal_inspect_open(&inspect, &look, &handler, &search);
    wal_inspect_close(inspect);
    if (search.worst != OK) {
        return err_note_set(note, search.worst, "%s", search.note.text);
    }
    ASSERT(e == OK || e == ERR_DAMAGED);
    *out_salvage = search.found;
    return e;
}

/* ---- setting aside ---- */

struct names {
    char **items;
    size_t count;
};

static void add_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    names->items = mem_realloc(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = mem_strdup(name);
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name);
    size_t ending_size = strlen(ending);
    return size >= ending_size && strcmp(name + size - ending_size, ending) == 0;
}

/* What becomes of one name. */
static err settle(struct env *env, const char *directory, const char *name, bool is_first)
{
    char path[WAL_PATH_SIZE];
    char target[WAL_PATH_SIZE + sizeof(ASIDE_ENDING)];
    uint64_t number;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (wal_name_parse(name, &number) == WAL_FILE_SEGMENT) {
        (void)snprintf(target, sizeof(target), "%s%s", path, ASIDE_ENDING);
        return env_rename(env, path, target);
    }
    bool is_old = is_first && ends_with(name, ASIDE_ENDING);
    bool is_of_log = strcmp(name, MARK_NAME) == 0 || strcmp(name, WAL_REDO_NAME) == 0;
    return is_old || is_of_log ? env_unlink(env, path) : OK;
}

err wal_set_aside(struct env *env, const char *directory, bool is_first, struct err_note *note)
{
    struct names names = {0};
    err e = env_dir_list(env, directory, add_name, &names);
    for (size_t i = names.count; i > 0; i--) { /* what was aside before stands behind its segment */
        if (e == OK) {
            e = settle(env, directory, names.items[i - 1], is_first);
        }
        mem_free(names.items[i - 1]);
    }
    mem_free(names.items);
    if (e == OK) {
        e = env_dir_sync(env, directory);
    }
    return e == OK ? OK : err_note_set(note, e, "set %s aside: %s", directory, err_title(e));
}
