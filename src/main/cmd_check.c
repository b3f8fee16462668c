/* pontoon check DIR: whether all of a stopped node's data is what it should be. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "main/command.h"
#include "main/offline.h"
#include "node/replica.h"
#include "store/distrust.h"
#include "store/inspect.h"
#include "wal/wal_inspect.h"

static const char text[] =
    "pontoon check verifies the data directory of a stopped node.\n"
    "\n"
    "  pontoon check pontoon-data\n"
    "\n"
    "It reads all of it: who the node is, every record of the log, every record of\n"
    "the checkpoint, what came in of a snapshot, whether they belong together, and\n"
    "what the node itself has noted of damage that the next start is to mend.\n"
    "A line for each thing that was looked at begins with\n"
    "  ok        it is whole\n"
    "  note      nothing is lost, but you may want to know\n"
    "  damaged   what is wrong, with file and offset, or key (as in a URL)\n"
    "and the last line is the verdict. A torn tail of the log, which a crash leaves\n"
    "of a write that nobody was told of, is no damage; the next start cuts it.\n"
    "\n"
    "Nothing is written. Status: 0: all is whole; 1: something is damaged, or cannot\n"
    "be read; 2: called wrongly.\n";

/* What is to be done about damage, the worst last. */
enum remedy {
    REMEDY_START,   /* a start mends it, or says why not */
    REMEDY_REPLACE, /* no start does, whoever is there */
    REMEDY_VERSION, /* another pontoon wrote it */
};

struct check {
    struct offline offline;
    uint64_t damages;
    enum remedy remedy;
    struct writer key;
    /* The log. */
    struct wal_inspect *log;
    bool is_log_whole;
    /* The store. */
    struct store_inspect *store;
    uint64_t records;
    uint64_t bad_records;
    bool is_store_whole; /* its regions' states are */
    struct store_region region;
    bool has_region;
    /* What the store will have applied after the next start. */
    struct raft_pos applied;
};

const struct command_form main_form_check = {
    .synopsis = "DIR",
    .text = text,
    .takes_files = true,
};

/* ---- lines ---- */

static PRINTF_LIKE(2, 0) void say(const char *word, const char *format, va_list args)
{
    (void)printf("%-8s  ", word);
    (void)vfprintf(stdout, format, args);
    (void)putchar('\n');
}

static PRINTF_LIKE(1, 2) void ok(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("ok", format, args);
    va_end(args);
}

static PRINTF_LIKE(1, 2) void remark(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("note", format, args);
    va_end(args);
}

static PRINTF_LIKE(2, 3) void damage(struct check *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("damaged", format, args);
    va_end(args);
    check->damages++;
}

/* Damage with such a remedy was told. */
static void need(struct check *check, enum remedy remedy)
{
    check->remedy = remedy > check->remedy ? remedy : check->remedy;
}

/* As `need`: of what was refused with `e`. */
static void need_by_version(struct check *check, err e)
{
    need(check, e == ERR_VERSION ? REMEDY_VERSION : REMEDY_START);
}

/* ---- who it is ---- */

/* Nobody starts on some directories, however whole they are. */
static void check_use(const struct check *check)
{
    const struct offline *offline = &check->offline;
    struct err_note note = {""};
    if (identity_check_use(&offline->identity, offline->directory, &note) != OK) {
        remark("%s/identity: a start refuses this directory: %s", offline->directory, note.text);
    }
}

static void check_identity(struct check *check)
{
    const struct offline *offline = &check->offline;
    const struct identity *identity = &offline->identity;
    if (offline->identity_error == ERR_NO_FILE || offline->identity_error == ERR_DAMAGED) {
        need(check, REMEDY_REPLACE);
    }
    need_by_version(check, offline->identity_error);
    if (offline->identity_error == ERR_NO_FILE) {
        damage(check, "%s/identity is missing: whose data this is cannot be told",
               offline->directory);
    } else if (offline->identity_error != OK) {
        damage(check, "%s", offline->identity_note.text);
    } else {
        ok("%s/identity: node %" PRIu64 " of cluster %016" PRIx64 "%s%s", offline->directory,
           identity->node, identity->cluster_id, identity->is_founded ? "" : ", has not begun yet",
           identity->is_joining ? ", is about to join" : "");
        check_use(check);
    }
}

/* Its log was damaged, and no new one has taken its place yet (node/repair.h). */
static bool is_log_set_aside(const struct check *check)
{
    return check->offline.identity_error == OK && check->offline.identity.lost_region != 0;
}

static void check_lost_log(struct check *check)
{
    const struct offline *offline = &check->offline;
    const struct identity *identity = &offline->identity;
    damage(check,
           "%s/identity: the log was damaged and is set aside (wal/*.seg.damaged), in term %" PRIu64
           "%s: the next start begins a new one at what another member sends%s",
           offline->directory, identity->lost.term, identity->is_vote_lost ? " or a later one" : "",
           identity->is_vote_lost ? ", once all of them have told their terms" : "");
    remark("%s: what there may be of a log does not count: the next start sets it aside, too",
           offline->log_directory);
}

/* ---- the log ---- */

static void check_marks(struct check *check, struct wal_mark *out_mark)
{
    const struct offline *offline = &check->offline;
    const char *directory = offline->log_directory;
    struct wal_marks_view view;
    struct err_note note = {""};
    *out_mark = (struct wal_mark){0};
    if (wal_marks_look(offline->env, directory, &view, &note) != OK) {
        damage(check, "%s", note.text);
        return;
    }
    *out_mark = view.mark;
    if (view.state == WAL_MARKS_VALID) {
        ok("%s/synced: the log was durable up to offset %" PRIu64 " of segment %" PRIu64, directory,
           view.mark.end, view.mark.sequence);
        if (view.bad_slots > 0) {
            remark("%s/synced: one of its two slots does not verify, torn by a power cut or "
                   "damaged; the other one counts",
                   directory);
        }
    } else if (view.bad_slots > 0) {
        damage(check, "%s/synced: at offset 0: neither slot verifies", directory);
    } else {
        remark("%s/synced: there is no mark: a damaged last batch of the log cannot be told from "
               "a torn one",
               directory);
    }
}

static void on_log_fault(void *ctx, err e, const char *what)
{
    struct check *check = ctx;
    if (e == ERR_NO_FILE && check->offline.identity_error == OK &&
        !check->offline.identity.is_founded) {
        remark("%s: there is no log yet", check->offline.log_directory);
        return;
    }
    /* Of damaged segments peers have the rest, but none there ever were: a start takes the log for
     * empty, and then it fits no store. */
    need(check, e == ERR_NO_FILE ? REMEDY_REPLACE : REMEDY_START);
    need_by_version(check, e);
    check->is_log_whole = false;
    damage(check, "%s", what);
}

static void on_segment(void *ctx, const struct wal_inspect_segment *segment)
{
    (void)ctx;
    if (!segment->is_whole) {
        remark("%s: beside that, %" PRIu64 " batches with %" PRIu64 " records are whole",
               segment->path, segment->batches, segment->records);
        return;
    }
    ok("%s: %" PRIu64 " batches with %" PRIu64 " records, up to offset %" PRIu64, segment->path,
       segment->batches, segment->records, segment->end);
    if (segment->is_torn) {
        remark("%s: at offset %" PRIu64 ": a torn tail, which was never reported durable (at "
               "offset %" PRIu64 ": %s): the next start cuts it",
               segment->path, segment->end, segment->fault_offset, segment->fault);
    }
}

static void on_log_region(void *ctx, region_id region)
{
    const struct check *check = ctx;
    const struct wal *log = wal_inspect_log(check->log);
    struct wal_bounds bounds = wal_bounds(log, region);
    struct hard_state hard_state = wal_hard_state(log, region);
    ok("%s: region %" PRIu64 ": term %" PRIu64 ", vote %" PRIu64 ", commit %" PRIu64
       "; entries %" PRIu64 " to %" PRIu64,
       check->offline.log_directory, region, hard_state.term, hard_state.vote, hard_state.commit,
       bounds.compacted.index + 1, bounds.last_index);
}

static void check_log(struct check *check)
{
    static const struct wal_inspect_handler handler = {
        .segment = on_segment,
        .fault = on_log_fault,
    };
    const struct offline *offline = &check->offline;
    struct wal_inspect_options options = {
        .env = offline->env,
        .directory = offline->log_directory,
        .cluster_id = offline->identity.cluster_id,
        .node = offline->identity.node,
        .is_thorough = true,
    };
    if (is_log_set_aside(check)) {
        check_lost_log(check);
        return;
    }
    check_marks(check, &options.mark);
    check->is_log_whole = true;
    err e = wal_inspect_open(&check->log, &options, &handler, check);
    ASSERT(e == OK || check->damages > 0 || !offline->identity.is_founded);
    if (check->is_log_whole) {
        wal_regions(wal_inspect_log(check->log), on_log_region, check);
    }
}

/* ---- the store ---- */

static void on_store_region(void *ctx, const struct store_region *region, err e)
{
    struct check *check = ctx;
    need_by_version(check, e);
    if (e != OK) {
        check->is_store_whole = false;
        damage(check, "%s: the state of region %" PRIu64 ": %s", store_inspect_path(check->store),
               region->id,
               e == ERR_VERSION ? "it was written by a newer pontoon"
                                : "it does not match its checksum");
        return;
    }
    if (check->has_region || region->id != REGION_FIRST) {
        check->is_store_whole = false;
        damage(check, "%s: region %" PRIu64 ": this program knows of region 1 alone",
               store_inspect_path(check->store), region->id);
        return;
    }
    check->region = *region;
    check->has_region = true;
    check->applied = region->applied;
}

static void on_store_record(void *ctx, const struct store_inspect_record *record)
{
    struct check *check = ctx;
    check->records++;
    if (record->fault != NULL) {
        check->bad_records++;
        damage(check, "%s: %s %s: %s", store_inspect_path(check->store),
               record->space == STORE_SPACE_USER ? "key" : "the system's key",
               main_offline_escape(record->key, &check->key), record->fault);
    }
}

/* The records, and whether they are those that the region's state counts. */
static void check_records(struct check *check)
{
    const char *path = store_inspect_path(check->store);
    struct err_note note = {""};
    for (enum store_space space = 0; space < STORE_SPACES; space++) {
        if (store_inspect_records(check->store, space, SLICE_EMPTY, on_store_record, check,
                                  &note) != OK) {
            damage(check, "%s", note.text);
            return;
        }
    }
    if (check->bad_records == 0) {
        ok("%s: %" PRIu64 " records", path, check->records);
    } else {
        remark("%s: %" PRIu64 " of %" PRIu64 " records are damaged", path, check->bad_records,
               check->records);
        return;
    }
    if (check->has_region && !store_inspect_agrees(check->store, &check->region, &note)) {
        damage(check, "%s", note.text);
    } else if (check->has_region) {
        ok("%s: region %" PRIu64 ": entry %" PRIu64 " of term %" PRIu64
           " applied, revision %" PRIu64 "; keys, bytes and state hash are those of the records",
           path, check->region.id, check->applied.index, check->applied.term,
           check->region.revision);
    } else if (check->records > 0 && check->is_store_whole) {
        damage(check, "%s: it has records and no region that they are in", path);
    } else {
        remark("%s: nothing was checkpointed yet", path);
    }
}

static void check_checkpoint(struct check *check)
{
    struct err_note note = {""};
    err e = store_inspect_open(&check->store, check->offline.env, check->offline.store_directory,
                               &note);
    check->is_store_whole = e == OK || e == ERR_NO_FILE;
    if (e == ERR_NO_FILE) {
        remark("%s/data.mdb: there is none: the next start makes a new one",
               check->offline.store_directory);
        return;
    }
    if (e == OK) {
        e = store_inspect_regions(check->store, on_store_region, check, &note);
        check->is_store_whole = check->is_store_whole && e == OK;
    }
    need_by_version(check, e);
    if (e != OK) {
        damage(check, "%s", note.text);
        return;
    }
    check_records(check);
}

/* All that was ever applied can be applied again. */
static bool is_log_from_first_entry(const struct check *check)
{
    if (!check->is_log_whole) {
        return false;
    }
    struct wal_bounds bounds = wal_bounds(wal_inspect_log(check->log), REGION_FIRST);
    return bounds.compacted.index == 0 && bounds.last_index > 0;
}

/* A mark that the node has left when it found out something (store/distrust.h). */
static void check_trust(struct check *check)
{
    const char *directory = check->offline.store_directory;
    struct err_note note = {""};
    err e = store_check_trust(check->offline.env, directory, &note);
    if (e == OK) {
        return;
    }
    check->is_store_whole = false;
    check->applied = (struct raft_pos){0}; /* it does not count any more */
    if (e != ERR_DAMAGED) {
        damage(check, "%s", note.text);
        return;
    }
    damage(check,
           "%s/" STORE_DISTRUST_NAME ": %s: the next start sets data.mdb aside as " STORE_ASIDE_NAME
           " and rebuilds it from %s",
           directory, note.text,
           is_log_from_first_entry(check) ? "the log, which has every entry"
                                          : "another member; without one it refuses");
}

static void on_incoming(void *ctx, const struct store_inspect_incoming *file)
{
    struct check *check = ctx;
    const char *directory = check->offline.store_directory;
    if (!file->is_complete) {
        remark("%s/incoming/%s: a snapshot that had not come in completely: the next start removes "
               "it",
               directory, file->name);
    } else if (file->e != OK) {
        damage(check, "%s", file->text);
    } else {
        bool is_ahead = file->region->applied.index > check->applied.index;
        ok("%s/incoming/%s: a snapshot of entry %" PRIu64 " of term %" PRIu64 " with %" PRIu64
           " records: the next start %s",
           directory, file->name, file->region->applied.index, file->region->applied.term,
           file->records, is_ahead ? "takes it in" : "removes it, the store is not behind it");
        check->applied = is_ahead ? file->region->applied : check->applied;
    }
}

static void check_store(struct check *check)
{
    struct err_note note = {""};
    check_checkpoint(check);
    check_trust(check);
    if (store_inspect_each_incoming(check->offline.env, check->offline.store_directory, on_incoming,
                                    check, &note) != OK) {
        damage(check, "%s", note.text);
    }
}

/* ---- all of it ---- */

/* Whether the log is begun behind a snapshot that is in the store already (node/install.h). */
static bool is_installing(const struct check *check)
{
    const struct identity *identity = &check->offline.identity;
    return identity->installing_region == REGION_FIRST &&
           identity->installing.index == check->applied.index &&
           identity->installing.term == check->applied.term;
}

/* What a start asks when it has opened both. */
static void check_fit(struct check *check)
{
    const struct offline *offline = &check->offline;
    if (!check->is_log_whole || !check->is_store_whole) {
        return; /* what is wrong with them was said */
    }
    const struct wal *log = wal_inspect_log(check->log);
    bool is_empty = wal_bounds(log, REGION_FIRST).last_index == 0 &&
                    wal_hard_state(log, REGION_FIRST).term == 0;
    struct err_note note = {""};
    if (is_empty && check->applied.index == 0) {
        if (offline->identity.is_founded) {
            need(check, REMEDY_REPLACE);
            damage(check, "%s: log and store are empty, but this node had begun: its data is lost",
                   offline->directory);
        }
    } else if (is_installing(check)) {
        ok("%s: a snapshot is being taken in, the next start goes on with it", offline->directory);
    } else if (check->applied.index < wal_bounds(log, REGION_FIRST).compacted.index) {
        damage(check,
               "%s: the store has applied entry %" PRIu64
               ", and the log begins behind entry %" PRIu64
               ": the next start rebuilds the store from another member; without one it refuses",
               offline->directory, check->applied.index,
               wal_bounds(log, REGION_FIRST).compacted.index);
    } else if (replica_check_fit(log, REGION_FIRST, check->applied, &note) != OK) {
        need(check, REMEDY_REPLACE);
        damage(check, "%s: %s", offline->directory, note.text);
    } else {
        ok("%s: the log goes on where the store ends", offline->directory);
    }
}

static enum exit_status verdict(const struct check *check)
{
    const char *directory = check->offline.directory;
    if (check->damages == 0) {
        (void)printf("%s is whole\n", directory);
        return EXIT_OK;
    }
    static const char *const remedies[] = {
        [REMEDY_START] = "with other members, start it: it mends what it can from theirs, or says "
                         "why not; alone, put a copy of the whole directory back",
        [REMEDY_REPLACE] =
            "it cannot be used again: with other members, replace the node "
            "(\"pontoon cluster replace\"); alone, put a copy of the whole directory "
            "back",
        [REMEDY_VERSION] = "start it with the version of pontoon that wrote it",
    };
    (void)printf("%s is damaged, %" PRIu64 " finding%s: %s\n", directory, check->damages,
                 check->damages == 1 ? "" : "s", remedies[check->remedy]);
    return EXIT_FAILED;
}

enum exit_status main_cmd_check(struct env *env, int count, char *const *arguments)
{
    struct check check = {.damages = 0};
    struct err_note note = {""};
    const char *directory = NULL;
    if (main_offline_parse(count, arguments, &directory, NULL, 0, &note) != OK) {
        return main_command_complain("check", &note, EXIT_USAGE);
    }
    enum exit_status status = EXIT_FAILED;
    err e = main_offline_open(&check.offline, env, directory, &note);
    if (e == OK) {
        main_offline_guard();
        check_identity(&check);
        check_log(&check);
        check_store(&check);
        check_fit(&check);
        status = verdict(&check);
    }
    wal_inspect_close(check.log);
    store_inspect_close(check.store);
    main_offline_close(&check.offline);
    writer_deinit(&check.key);
    if (e != OK) {
        return main_command_complain("check", &note, status);
    }
    return status == EXIT_OK ? main_offline_finish("check") : status;
}
