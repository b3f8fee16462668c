/*
 * The commands of `pontoon NAME …`, one row each: the command line and the help know no others. A
 * command's code is cmd_NAME.c.
 */
#ifndef MAIN_COMMAND_H
#define MAIN_COMMAND_H

#include <stdio.h>

#include "env/env.h"
#include "main/form.h"

/* What the process ends with. */
enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2, /* called wrongly */
    EXIT_NOT_FOUND = 3,
    EXIT_PRECONDITION = 4, /* what it was to be done under does not hold */
    EXIT_UNAVAILABLE = 5,  /* nobody answered, or nobody could: it was not done */
    EXIT_UNKNOWN = 6,      /* it may have been done, or still be */
};

struct main_command {
    const char *name;
    const char *summary;             /* a line of "pontoon help" */
    const struct command_form *form; /* NULL: as the program's */
    /* `arguments` come after the name, NULL-terminated. Borrows `env`. */
    enum exit_status (*run)(struct env *env, int count, char *const *arguments);
};

/* All of them, in the order of the help; the last one has no name. Static storage. */
extern const struct main_command main_commands[];

/* NULL: there is none. */
const struct main_command *main_command_find(const char *name);

/* Tells on standard error what went wrong and, if `status` is EXIT_USAGE, where the help of
 * `command` is (NULL: the program's). Returns `status`. */
enum exit_status main_command_complain(const char *command, const struct err_note *note,
                                       enum exit_status status);

/* ---- the commands, each with its form ---- */

/* Runs a node until a signal ends it: EXIT_OK. */
enum exit_status main_cmd_serve(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_serve;

/* Prints a key's value. */
enum exit_status main_cmd_get(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_get;

/* Writes a key. */
enum exit_status main_cmd_put(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_put;

/* Removes a key, or all with a prefix. */
enum exit_status main_cmd_del(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_del;

/* Lists keys. */
enum exit_status main_cmd_ls(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_ls;

/* Adds to a key's number. */
enum exit_status main_cmd_incr(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_incr;

/* Adds to a key's value. */
enum exit_status main_cmd_append(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_append;

/* Gives a key another time to live. */
enum exit_status main_cmd_touch(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_touch;

/* Operations of several keys at once, under conditions. */
enum exit_status main_cmd_txn(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_txn;

/* Prints the changes of keys, or runs a program for each. */
enum exit_status main_cmd_watch(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_watch;

/* Runs a program under a lock. */
enum exit_status main_cmd_lock(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_lock;

/* Runs a program on the one that is elected. */
enum exit_status main_cmd_elect(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_elect;

/* Makes and keeps leases. */
enum exit_status main_cmd_lease(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_lease;

/* Asks any node about the members, or to change them. */
enum exit_status main_cmd_cluster(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_cluster;

/* Writes a state as lines of JSON (api/export_format.h). */
enum exit_status main_cmd_export(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_export;

/* Writes the keys of an export into a running cluster. */
enum exit_status main_cmd_import(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_import;

/* Takes a node out of service, or back. */
enum exit_status main_cmd_drain(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_drain;

/* Measures a running cluster, under keys of its own. */
enum exit_status main_cmd_bench(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_bench;

/* Writes a node's state into a file (backup_file.h). */
enum exit_status main_cmd_backup(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_backup;

/* Makes a data directory of a backup (node/restore.h). */
enum exit_status main_cmd_restore(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_restore;

/*
 * The next three look at the data directory of a stopped node and write nothing in it (offline.h).
 * EXIT_FAILED: something is damaged, or cannot be read.
 */

/* Verifies all of it: a line for each thing looked at, a verdict at the end. */
enum exit_status main_cmd_check(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_check;

/* "log dump": a line a record. */
enum exit_status main_cmd_log(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_log;

/* "store dump": a line a region, then a line a record. */
enum exit_status main_cmd_store(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_store;

/* Prints a script for a shell (completion.h). */
enum exit_status main_cmd_completion(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_completion;

/* Prints the manual page (manual.h). */
enum exit_status main_cmd_man(struct env *env, int count, char *const *arguments);
extern const struct command_form main_form_man;

#endif
