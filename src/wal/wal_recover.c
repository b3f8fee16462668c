#include "wal/wal_recover.h"

#include "base/assert.h"
#include "wal/wal_replay.h"

#define PROGRESS_NS UINT64_C(1000000000)
#define ADVICE                                                                                     \
    "; what was reported durable is not there any more: restore the file from a copy, or remove "  \
    "this node from the cluster and let it join again with an empty directory"

struct recovery {
    struct wal *wal;
    struct err_note *note;
    struct wal_replay replay;
    char path[WAL_PATH_SIZE]; /* of the file at hand */
};

static err fail_io(struct recovery *recovery, err e, const char *what)
{
    return err_note_set(recovery->note, e, "%s: cannot %s: %s", recovery->path, what, err_title(e));
}

/* ---- segments ---- */

/* Every header is looked at before any record. */
static err open_segments(struct wal_replay *replay)
{
    for (size_t i = 0; i <= replay->count; i++) {
        err e = wal_replay_check_name(replay, i);
        if (e != OK) {
            return e;
        }
    }
    for (size_t i = 0; i < replay->count; i++) {
        err e = wal_replay_open(replay, i);
        if (e != OK) {
            return e;
        }
    }
    wal_replay_adopt(replay);
    return OK;
}

/* R3 and R4. */
static err repair_tail(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    const struct wal_replay *replay = &recovery->replay;
    struct wal_segment *segment = wal_segments_current(&wal->segments);
    const struct wal_mark *mark = &replay->mark;
    bool is_marked = mark->sequence == segment->sequence && mark->end >= replay->last_end;
    err e = OK;
    if (replay->last_end != 0 && !is_marked) {
        struct iovec part = {
            .iov_base = replay->image + replay->last_begin,
            .iov_len = replay->last_end - replay->last_begin,
        };
        e = env_file_write(segment->file, replay->last_begin, &part, 1);
    }
    if (e == OK && replay->scan.offset < segment->size) {
        e = wal_file_zero(segment->file, replay->scan.offset, WAL_SECTOR_SIZE);
    }
    if (e == OK) {
        e = env_file_sync(segment->file);
    }
    if (e != OK) {
        return fail_io(recovery, e, "make what was kept durable");
    }
    e = env_dir_sync(wal->options.env, wal->options.directory);
    return e == OK ? OK : fail_io(recovery, e, "sync its directory");
}

/* A line a second while the segments are read. */
static void tell_progress(const struct recovery *recovery, size_t done, uint64_t *told_ns)
{
    const struct wal_options *options = &recovery->wal->options;
    uint64_t now_ns = env_now_ns(options->env);
    if (now_ns - *told_ns >= PROGRESS_NS) {
        *told_ns = now_ns;
        LOG_INFO(options->log, "log: reading it", LOG_U64("segments_done", done),
                 LOG_U64("segments", recovery->replay.count));
    }
}

static err recover_segments(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    struct wal_replay *replay = &recovery->replay;
    uint64_t told_ns = env_now_ns(wal->options.env);
    err e = OK;
    for (size_t i = 0; e == OK && i < replay->count; i++) {
        e = wal_replay_walk(replay, i);
        tell_progress(recovery, i + 1, &told_ns);
    }
    if (e == OK) {
        e = wal_replay_check_regions(replay);
    }
    if (e != OK) {
        return e;
    }
    wal_path_format(recovery->path, wal->options.directory, WAL_FILE_SEGMENT,
                    wal_segments_current(&wal->segments)->sequence);
    if (replay->is_torn) {
        LOG_WARN(wal->options.log, "log: torn tail cut", LOG_TEXT("file", recovery->path),
                 LOG_U64("offset", replay->scan.offset),
                 LOG_U64("fault_offset", replay->fault.offset),
                 LOG_TEXT("fault", replay->fault.what));
    }
    wal->end = replay->scan.offset;
    wal->last_batch = replay->scan.batch - 1;
    wal->last_crc = replay->scan.previous_crc;
    return repair_tail(recovery);
}

/* ---- a new log ---- */

/* The file gets its name once it is durable, as every segment (S2); it has no batch yet. */
static err create_first_segment(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    struct wal_options *options = &wal->options;
    struct wal_header header = {
        .cluster_id = options->cluster_id,
        .node = options->node,
        .sequence = 1,
        .size = options->segment_size_bytes,
        .first_batch = 1,
        .salt = env_random(options->env),
    };
    uint8_t sector[WAL_SECTOR_SIZE];
    wal_header_encode(&header, sector);
    struct iovec part = {.iov_base = sector, .iov_len = sizeof(sector)};
    struct env_file *file;
    wal_path_format(recovery->path, options->directory, WAL_FILE_NEW,
                    wal_spares_number(&wal->spares));
    err e = wal_file_create(options->env, recovery->path, sizeof(sector), header.size, &file,
                            recovery->note);
    if (e != OK) {
        return e;
    }
    wal_segments_push(&wal->segments, &(struct wal_segment){
                                          .sequence = header.sequence,
                                          .size = header.size,
                                          .first_batch = header.first_batch,
                                          .header_crc = header.crc,
                                          .file = file,
                                      });
    char path[WAL_PATH_SIZE];
    wal_path_format(path, options->directory, WAL_FILE_SEGMENT, header.sequence);
    e = env_file_write(file, 0, &part, 1);
    if (e == OK) {
        e = env_file_sync(file);
    }
    if (e == OK) {
        e = env_rename(options->env, recovery->path, path);
    }
    if (e == OK) {
        e = env_dir_sync(options->env, options->directory);
    }
    wal->end = WAL_SECTOR_SIZE;
    wal->last_crc = header.crc;
    return e == OK ? OK : fail_io(recovery, e, "make the first segment durable");
}

/* ---- spares and the mark ---- */

static err adopt_spare(struct wal *wal, const char *path, uint64_t number, struct err_note *note)
{
    struct env_file *file;
    err e = env_file_open(wal->options.env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, note);
    if (e != OK) {
        return e;
    }
    uint64_t size = 0;
    e = env_file_size(file, &size);
    if (e == OK && size == wal->spares.segment_size && wal_spares_has_room(&wal->spares)) {
        wal_spares_adopt(&wal->spares, &(struct wal_spare){.number = number, .file = file});
        return OK;
    }
    env_file_close(file);
    if (e == OK) {
        e = env_unlink(wal->options.env, path);
    }
    return e == OK ? OK : err_note_set(note, e, "%s: %s", path, err_title(e));
}

struct spare_names {
    struct recovery *recovery;
    err e;
};

/* Takes over the spares; deletes what was half made. */
static void on_spare_name(void *ctx, const char *name)
{
    struct spare_names *names = ctx;
    struct recovery *recovery = names->recovery;
    struct wal *wal = recovery->wal;
    uint64_t number;
    enum wal_file_type type = wal_name_parse(name, &number);
    if (names->e != OK || (type != WAL_FILE_SPARE && type != WAL_FILE_NEW)) {
        return;
    }
    wal_path_format(recovery->path, wal->options.directory, type, number);
    if (type == WAL_FILE_SPARE) {
        names->e = adopt_spare(wal, recovery->path, number, recovery->note);
        return;
    }
    err e = env_unlink(wal->options.env, recovery->path);
    if (e != OK) {
        names->e = fail_io(recovery, e, "delete");
    }
}

static err recover_mark(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    enum wal_marks_state state;
    err e = wal_marks_open(&wal->marks, wal->options.env, wal->options.directory,
                           &recovery->replay.mark, &state, recovery->note);
    if (e == OK && state != WAL_MARKS_VALID && recovery->replay.count > 0) {
        LOG_WARN(wal->options.log,
                 state == WAL_MARKS_MISSING
                     ? "log: file synced is missing; a damaged last batch cannot be told from a "
                       "torn one"
                     : "log: file synced is damaged; a damaged last batch cannot be told from a "
                       "torn one",
                 LOG_TEXT("file", wal->marks.path));
    }
    return e;
}

/* The mark is where the log ends from now on. */
static err renew_mark(struct recovery *recovery)
{
    struct wal *wal = recovery->wal;
    struct wal_mark mark = {
        .sequence = wal_segments_current(&wal->segments)->sequence,
        .end = wal->end,
        .last_crc = wal->last_crc,
    };
    err e = wal_marks_write(&wal->marks, mark);
    if (e == OK) {
        e = wal_marks_sync(&wal->marks);
    }
    if (e == OK) {
        e = env_dir_sync(wal->options.env, wal->options.directory);
    }
    return e == OK ? OK
                   : err_note_set(recovery->note, e, "%s: cannot write: %s", wal->marks.path,
                                  err_title(e));
}

static err run(struct recovery *recovery)
{
    const struct wal_options *options = &recovery->wal->options;
    struct wal_replay *replay = &recovery->replay;
    err e = wal_replay_list(replay);
    if (e == OK) {
        e = recover_mark(recovery);
    }
    if (e == OK) {
        e = open_segments(replay);
    }
    if (e != OK) {
        return e;
    }
    e = replay->count > 0 ? recover_segments(recovery) : create_first_segment(recovery);
    if (e != OK) {
        return e;
    }
    struct spare_names names = {.recovery = recovery};
    e = env_dir_list(options->env, options->directory, on_spare_name, &names);
    if (e != OK) {
        return err_note_set(recovery->note, e, "%s: cannot list: %s", options->directory,
                            err_title(e));
    }
    return names.e == OK ? renew_mark(recovery) : names.e;
}

err wal_recover(struct wal *wal, struct err_note *note)
{
    struct err_note why = {.text = ""};
    struct recovery recovery = {
        .wal = wal,
        .note = &why,
        .replay = {.wal = wal, .note = &why, .open_flags = ENV_OPEN_READ | ENV_OPEN_WRITE},
    };
    err e = run(&recovery);
    wal_replay_deinit(&recovery.replay);
    return e == OK ? OK : err_note_set(note, e, "%s%s", why.text, e == ERR_DAMAGED ? ADVICE : "");
}
