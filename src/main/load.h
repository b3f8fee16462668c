/* Settings from all their sources: the command line, the environment, the file. */
#ifndef MAIN_LOAD_H
#define MAIN_LOAD_H

#include "env/env.h"
#include "main/options.h"

#define LOAD_FILE_SIZE_MAX (1u << 20)

/*
 * Fills `options` (after main_options_init) and finishes them. Borrows the rest until it returns.
 * ERR_BAD_REQUEST: something is wrong with a setting; others: the file cannot be read. With a note.
 */
MUST_USE err main_load(struct options *options, struct env *env, int count, char *const *arguments,
                       char *const *environment, struct err_note *note);

#endif
