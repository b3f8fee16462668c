/*
 * What the commands share that look at the data directory of a stopped node: check, log, store.
 *
 * K1  Nothing in the directory is written, made, cut or removed. A shared lock keeps a node from
 *     starting on it meanwhile; where there is no lock file, no node runs on it.
 */
#ifndef MAIN_OFFLINE_H
#define MAIN_OFFLINE_H

#include <stdio.h>

#include "base/codec.h"
#include "env/env.h"
#include "main/command.h"
#include "node/identity.h"

/* A flag with a value, of a command's own. */
struct offline_flag {
    const char *name;  /* "from" */
    const char *value; /* NULL: not given; borrowed from the command line */
};

/*
 * Takes DIR and the flags (--name VALUE or --name=VALUE). Borrows `arguments`; fills the flags'
 * values. ERR_BAD_REQUEST, with a note.
 */
MUST_USE err main_offline_parse(int count, char *const *arguments, const char **out_directory,
                                struct offline_flag *flags, size_t flag_count,
                                struct err_note *note);

struct offline {
    struct env *env;
    const char *directory;
    char *log_directory;
    char *store_directory;
    struct env_lock *lock; /* NULL: there is no lock file */
    struct identity identity;
    err identity_error; /* not OK: it could not be read, and the note says why */
    struct err_note identity_note;
};

/*
 * Takes the directory. Borrows `directory`; caller closes, also after an error. ERR_BUSY (a node
 * runs on it), ERR_NO_FILE (it is no data directory), ERR_IO, ERR_PERMISSION, with a note. That the
 * identity cannot be read is no error.
 */
MUST_USE err main_offline_open(struct offline *offline, struct env *env, const char *directory,
                               struct err_note *note);
void main_offline_close(struct offline *offline);

/* The end of `command`, when everything was right: whether it could be printed. */
enum exit_status main_offline_finish(const char *command);

/*
 * From now on, a damaged page of the store that leads out of its file ends the process with status
 * 1 and a line that says so, and every line of standard output is out before that.
 */
void main_offline_guard(void);

/* The bytes as they stand in a URL's path, NUL-terminated, in `scratch`, which is reset. Borrowed
 * until its next use. */
const char *main_offline_escape(struct slice bytes, struct writer *scratch);

#endif
