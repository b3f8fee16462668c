/*
 * Where `pontoon backup` writes (out_file.h): FILE is there once all of it is, checked as a whole.
 */
#ifndef MAIN_BACKUP_FILE_H
#define MAIN_BACKUP_FILE_H

#include "env/env.h"
#include "store/backup.h"

struct backup_file;

/* As main_out_file_open. Caller closes. */
MUST_USE err main_backup_file_open(struct backup_file **out_file, struct env *env, const char *path,
                                   struct err_note *note);
/* For struct client_request's `piece`, whose ctx is the file. False: _finish says why. */
bool main_backup_file_take(void *file, struct slice bytes);
/* Bytes that have come. */
uint64_t main_backup_file_size(const struct backup_file *file);
/*
 * That was all: FILE is there, durably. Or an error with a note, and FILE is as it was: ERR_DAMAGED
 * (what came is no whole backup), ERR_VERSION, ERR_NO_SPACE, ERR_PERMISSION, ERR_IO.
 */
MUST_USE err main_backup_file_finish(struct backup_file *file, struct store_backup *out_backup,
                                     struct err_note *note);
/* NULL: no-op. */
void main_backup_file_close(struct backup_file *file);

#endif
