/*
 * The lines that `pontoon import` reads: a file, or standard input, which is copied into a
 * temporary file first. All of it is checked before any record is handed out.
 */
#ifndef MAIN_IMPORT_SOURCE_H
#define MAIN_IMPORT_SOURCE_H

#include "api/export_format.h"

struct import_source;

/*
 * Opens the file at `path` (NULL: standard input) and checks all of it. Caller closes. Errors, with
 * a note that names the line: those of api_export_take, and ERR_NO_FILE, ERR_PERMISSION,
 * ERR_NO_SPACE, ERR_IO.
 */
MUST_USE err main_import_source_open(struct import_source **out_source, const char *path,
                                     struct err_note *note);
/*
 * Calls `each` with every record, which stands in the parser; false: stop, which is no error.
 * Errors as above: the file was changed meanwhile.
 */
MUST_USE err main_import_source_each(struct import_source *source,
                                     bool (*each)(void *ctx, const struct export_parser *parser),
                                     void *ctx, struct err_note *note);
/* NULL: no-op. */
void main_import_source_close(struct import_source *source);

#endif
