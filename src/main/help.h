/* What `pontoon help`, --help and a wrong command say. */
#ifndef MAIN_HELP_H
#define MAIN_HELP_H

#include <stdio.h>

#include "base/err.h"

enum help_topic {
    HELP_NONE, /* help is not what was asked for */
    HELP_PROGRAM,
    HELP_SERVE,
};

/* What the command line asks to be told, if anything. */
enum help_topic main_help_topic(int count, char *const *arguments);
void main_help_print(enum help_topic topic, FILE *out);
/* Sets the note for an unknown `command` ("": none), with the nearest one. */
void main_help_refuse(const char *command, struct err_note *note);

#endif
