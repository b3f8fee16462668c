/* The manual page, made of the commands' forms. */
#ifndef MAIN_MANUAL_H
#define MAIN_MANUAL_H

#include <stdio.h>

/* Prints pontoon(1) in roff, with the macros of man(7). */
void main_manual_print(FILE *out);

#endif
