/*
 * An export on its way out: records in the order of their keys, into a file that is there once all
 * of it is (out_file.h).
 */
#ifndef MAIN_EXPORT_H
#define MAIN_EXPORT_H

#include "api/export_format.h"
#include "main/out_file.h"

struct export
{
    struct out_file *out;
    struct export_sums sums;
    struct writer lines; /* not written yet */
    bool has_head;
};

/* As main_out_file_open; `path` NULL: standard output. Closed by main_export_close. */
MUST_USE err main_export_open(struct export *export, struct env *env, const char *path,
                              struct err_note *note);
/* Appends the record's line, behind the head if it is the first. Borrows all. */
void main_export_add(struct export *export, const struct store_region *state, struct slice key,
                     const struct store_record *record);
/* Writes what was added, if it is at least `size_min` bytes. ERR_NO_SPACE, ERR_IO. */
MUST_USE err main_export_flush(struct export *export, size_t size_min);
/* That was all: the last line, and the file. ERR_NO_SPACE, ERR_PERMISSION, ERR_IO. */
MUST_USE err main_export_end(struct export *export, const struct store_region *state);
/* Frees what is held; a file that was not finished goes. Accepts one that is all zero. */
void main_export_close(struct export *export);

#endif
