/*
 * What a command writes as a whole or not at all: FILE.tmp, which becomes FILE once all of it is
 * there and durable; or standard output.
 */
#ifndef MAIN_OUT_FILE_H
#define MAIN_OUT_FILE_H

#include "base/codec.h"
#include "env/env.h"

struct out_file;

/*
 * Begins anew, whatever FILE.tmp was. `path` NULL: standard output. Caller closes. Errors, with a
 * note: of env_file_open.
 */
MUST_USE err main_out_file_open(struct out_file **out_file, struct env *env, const char *path,
                                struct err_note *note);
/* Appends the bytes. ERR_NO_SPACE, ERR_IO. */
MUST_USE err main_out_file_put(struct out_file *file, struct slice bytes);
/* That was all: FILE is there, durably; or an error, and FILE is as it was. */
MUST_USE err main_out_file_finish(struct out_file *file);
/* For messages: the path, or "standard output". */
const char *main_out_file_name(const struct out_file *file);
/* Removes FILE.tmp if it is there. NULL: no-op. */
void main_out_file_close(struct out_file *file);

#endif
