/* What shells are told, to complete a command line: made of the commands' forms. */
#ifndef MAIN_COMPLETION_H
#define MAIN_COMPLETION_H

#include <stdio.h>

/* Each prints a script that its shell reads. */
void main_completion_bash(FILE *out);
void main_completion_zsh(FILE *out);  /* as above */
void main_completion_fish(FILE *out); /* as above */

#endif
