#include "main/command.h"

#include <string.h>

#include "base/assert.h"
#include "main/flags.h"
#include "main/help.h"

/* Of a command that takes no flags (F1 in flags.h). */
static enum exit_status take_words(const char *command, int count, char *const *arguments,
                                   size_t words_max, struct flag_words *out_words)
{
    static const struct flag_group none[] = {{NULL, NULL}};
    struct err_note note = {""};
    return main_flags_parse(none, count, arguments, words_max, out_words, &note) == OK
               ? EXIT_OK
               : main_command_complain(command, &note, EXIT_USAGE);
}

static enum exit_status version(struct env *env, int count, char *const *arguments)
{
    (void)env;
    struct flag_words words;
    enum exit_status status = take_words("version", count, arguments, 0, &words);
    if (status != EXIT_OK) {
        return status;
    }
    (void)printf("pontoon %s\n", PONTOON_VERSION);
    return EXIT_OK;
}

static enum exit_status help(struct env *env, int count, char *const *arguments)
{
    (void)env;
    struct flag_words words;
    enum exit_status status = take_words("help", count, arguments, 1, &words);
    if (status != EXIT_OK) {
        return status;
    }
    const struct main_command *command = words.count > 0 ? main_command_find(words.items[0]) : NULL;
    if (words.count > 0 && command == NULL) {
        struct err_note note;
        main_help_refuse(words.items[0], &note);
        return main_command_complain(NULL, &note, EXIT_USAGE);
    }
    main_help_print(command, stdout);
    return EXIT_OK;
}

const struct main_command main_commands[] = {
    {"serve", "run a node", &main_form_serve, main_cmd_serve},
    {"get", "print a key's value", &main_form_get, main_cmd_get},
    {"put", "write a key", &main_form_put, main_cmd_put},
    {"del", "remove a key, or all with a prefix", &main_form_del, main_cmd_del},
    {"ls", "list keys", &main_form_ls, main_cmd_ls},
    {"incr", "add to the number in a key", &main_form_incr, main_cmd_incr},
    {"append", "add to the end of a key's value", &main_form_append, main_cmd_append},
    {"touch", "give a key another time to live", &main_form_touch, main_cmd_touch},
    {"txn", "several operations at once, under conditions", &main_form_txn, main_cmd_txn},
    {"watch", "print changes as they happen, or run a program", &main_form_watch, main_cmd_watch},
    {"lock", "run a program under a lock", &main_form_lock, main_cmd_lock},
    {"elect", "run a program on the one that is elected", &main_form_elect, main_cmd_elect},
    {"lease", "make and keep leases", &main_form_lease, main_cmd_lease},
    {"backup", "write a running node's state into a file", &main_form_backup, main_cmd_backup},
    {"restore", "make a new cluster's data directory of a backup", &main_form_restore,
     main_cmd_restore},
    {"export", "write all keys and values as lines of JSON", &main_form_export, main_cmd_export},
    {"import", "write the keys of an export into a cluster", &main_form_import, main_cmd_import},
    {"drain", "take a node out of service, and back", &main_form_drain, main_cmd_drain},
    {"cluster", "who the members are, and changing that", &main_form_cluster, main_cmd_cluster},
    {"bench", "measure a cluster's throughput and latency", &main_form_bench, main_cmd_bench},
    {"check", "verify the data of a stopped node", &main_form_check, main_cmd_check},
    {"log", "print the log of a stopped node", &main_form_log, main_cmd_log},
    {"store", "print the checkpoint of a stopped node", &main_form_store, main_cmd_store},
    {"completion", "print what has a shell complete commands", &main_form_completion,
     main_cmd_completion},
    {"man", "print the manual page", &main_form_man, main_cmd_man},
    {"version", "print the version", NULL, version},
    {"help", "print this, or the help of a command", NULL, help},
    {NULL, NULL, NULL, NULL},
};

const struct main_command *main_command_find(const char *name)
{
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

enum exit_status main_command_complain(const char *command, const struct err_note *note,
                                       enum exit_status status)
{
    ASSERT(status != EXIT_OK);
    (void)fprintf(stderr, "pontoon: %s\n", note->text);
    if (status == EXIT_USAGE) {
        (void)fprintf(stderr, "\"pontoon %s%s--help\" tells what there is.\n",
                      command != NULL ? command : "", command != NULL ? " " : "");
    }
    return status;
}
