/* What `pontoon help`, --help and a wrong command say. */
#ifndef MAIN_HELP_H
#define MAIN_HELP_H

#include <stdio.h>

#include "base/err.h"
#include "main/command.h"

/* Whether the command line asks for help; `out_command` (NULL: the program's) says which. */
bool main_help_is_asked(int count, char *const *arguments, const struct main_command **out_command);
/* `command` NULL: of the program. */
void main_help_print(const struct main_command *command, FILE *out);
void main_help_program(FILE *out);
/* Sets the note for an unknown command `name` ("": none), with the nearest one. */
void main_help_refuse(const char *name, struct err_note *note);

#endif
