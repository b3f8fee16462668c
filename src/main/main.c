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
        return (int)main_command_complain(NULL, &note, EXIT_USAGE);
    }
    struct env *env = env_uv_open();
    enum exit_status status = command->run(env, count - 2, arguments + 2);
    /* The outcome stands: a signal that comes now is too late. */
    sigset_t late;
    (void)sigemptyset(&late);
    (void)sigaddset(&late, SIGTERM);
    (void)sigaddset(&late, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &late, NULL);
    env_uv_close(env);
    return (int)status;
}
