/*
 * What a command says of itself: the one source of its help, of the shells' completion
 * (completion.h) and of the manual (manual.h).
 */
#ifndef MAIN_FORM_H
#define MAIN_FORM_H

#include "main/flags.h"

struct command_form {
    const char *synopsis;     /* what stands behind its name: "KEY [VALUE]"; flags are not told */
    const char *text;         /* what it does; examples, which are indented, come first */
    const struct flag *flags; /* its own; NULL: none */
    uint64_t timeout_ms;      /* its --timeout unless it is given; 0: it has no flags of clients */
    const char *const *verbs; /* what its first word may be, NULL-terminated; NULL: anything */
    bool takes_files;         /* its words may be files */
    bool takes_program;       /* behind "--" */
    bool has_settings;        /* its flags are a node's settings (options.h) */
};

/*
 * Calls `each` with every flag: its own, then those of all clients, or the settings. The flag is
 * borrowed until `each` returns; its texts are static but for the help of --timeout.
 */
void main_form_each_flag(const struct command_form *form,
                         void (*each)(void *ctx, const struct flag *flag), void *ctx);

/* Prints all of it, for --help. */
void main_form_print(const struct command_form *form, FILE *out);

#endif
