/*
 * The file `synced`: how far the log was durable when fdatasync returned last. It is what tells a
 * torn tail, which nobody was told of, from damage in what had been reported.
 *
 * Two slots, each a sector, written in turn: a torn or flipped one leaves the mark before it. Not
 * synced with every mark (that would be a second fdatasync a batch): a power cut may leave an older
 * mark, never one that is ahead of the log.
 */
#ifndef WAL_WAL_MARK_H
#define WAL_WAL_MARK_H

#include "env/env.h"
#include "wal/wal_format.h"
#include "wal/wal_segment.h"

struct wal_marks {
    struct env_file *file;
    uint64_t count; /* of the newest valid mark */
    char path[WAL_PATH_SIZE];
};

enum wal_marks_state {
    WAL_MARKS_VALID,
    WAL_MARKS_MISSING, /* the file was not there: it is now */
    WAL_MARKS_DAMAGED, /* no slot can be believed */
};

/* What the file says, to who does not write it. */
struct wal_marks_view {
    enum wal_marks_state state;
    struct wal_mark mark; /* the newest; all zero: there is none */
    uint32_t bad_slots;   /* which have something that does not verify: torn, or damaged */
};

/* Reads the file in `directory`, if it is there, and changes nothing. Errors, with a note:
 * ERR_VERSION, those of env_file_*. */
MUST_USE err wal_marks_look(struct env *env, const char *directory, struct wal_marks_view *out_view,
                            struct err_note *note);

/*
 * Opens the file in `directory`, creates it if missing, and reads the newest mark (all zero if
 * there is none). Errors, with a note: ERR_VERSION, those of env_file_*. Deinit also after an
 * error.
 */
MUST_USE err wal_marks_open(struct wal_marks *marks, struct env *env, const char *directory,
                            struct wal_mark *out_mark, enum wal_marks_state *out_state,
                            struct err_note *note);
void wal_marks_deinit(struct wal_marks *marks);

/* Writes the next mark; its count is set here. Either thread, one at a time. */
MUST_USE err wal_marks_write(struct wal_marks *marks, struct wal_mark mark);
MUST_USE err wal_marks_sync(struct wal_marks *marks);

#endif
