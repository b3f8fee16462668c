/* pontoon: the command line. How it ends: enum exit_status. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "env/uv.h"
#include "main/command.h"
#include "main/help.h"

int main(int count, char **arguments)
{
    const struct main_command *command = NULL;
    if (main_help_is_asked(count, arguments, &command)) {
        main_help_print(command, stdout);
        return EXIT_OK;
    }
    const char *name = count > 1 ? arguments[1] : "";
    if (strcmp(name, "--version") == 0) {
        command = main_command_find("version");
    }
    if (command == NULL) {
        struct err_note note;
        main_help_refuse(name, &note);
        return (int)main_command_complain("serve", &note, EXIT_USAGE);
    }
    struct env *env = env_uv_open();
    enum exit_status status = command->run(env, count - 2, arguments + 2);
    env_uv_close(env);
    /* Nobody watches signals any more, and the outcome stands: one that comes now is too late. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    return (int)status;
}
