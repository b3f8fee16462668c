/* pontoon man: the manual page. */
#include "main/command.h"
#include "main/manual.h"

static const char text[] =
    "pontoon man prints the manual page of all commands, for man or a package.\n"
    "\n"
    "  pontoon man | man -l -\n"
    "  pontoon man >/usr/local/share/man/man1/pontoon.1\n";

const struct command_form main_form_man = {
    .synopsis = "",
    .text = text,
};

enum exit_status main_cmd_man(struct env *env, int count, char *const *arguments)
{
    static const struct flag_group none[] = {{NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    (void)env;
    if (main_flags_parse(none, count, arguments, 0, &words, &note) != OK) {
        return main_command_complain("man", &note, EXIT_USAGE);
    }
    main_manual_print(stdout);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
