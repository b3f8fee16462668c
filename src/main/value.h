/*
 * A value on the command line: as it stands, "-" for standard input, "@FILE" for a file; and on its
 * way out.
 */
#ifndef MAIN_VALUE_H
#define MAIN_VALUE_H

#include <stdio.h>

#include "base/codec.h"
#include "base/err.h"

/*
 * Appends what `word` means. `out_file` (may be NULL): the file's name as curl takes it, borrowed
 * from `word`; NULL for a value that stands there. Errors, with a note: ERR_NO_FILE, ERR_IO,
 * ERR_TOO_LARGE (above what any node takes).
 */
MUST_USE err main_value_read(const char *word, struct writer *out, const char **out_file,
                             struct err_note *note);
/* Appends all of a file; "-": of standard input. Errors as above. */
MUST_USE err main_value_read_file(const char *path, struct writer *out, struct err_note *note);

/* Writes the bytes and nothing else. */
void main_value_write(struct slice value, FILE *out);
/* Likewise, but for a line's end on a terminal. */
void main_value_print(struct slice value, FILE *out);
/*
 * Appends text as one line that a terminal shows and nothing else: UTF-8 as it is, but for
 * controls and backslashes, which become \n, \t, \r, \\ or \xHH, as do bytes that are no UTF-8.
 */
void main_value_escape(struct slice value, struct writer *out);

#endif
