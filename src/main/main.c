/* pontoon: the command line. Exit status: 0 ended as asked, 1 failed, 2 called wrongly. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/help.h"
#include "main/load.h"
#include "main/options.h"
#include "main/server.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2

static int complain(const struct err_note *note, int status)
{
    (void)fprintf(stderr, "pontoon: %s\n", note->text);
    if (status == EXIT_USAGE) {
        (void)fprintf(stderr, "\"pontoon serve --help\" tells what there is.\n");
    }
    return status;
}

static int serve(struct env *env, int count, char *const *arguments)
{
    struct options options;
    struct err_note note = {""};
    struct server *server = NULL;
    int status = 0;
    main_options_init(&options);
    err e = main_load(&options, env, count, arguments, environ, &note);
    if (e != OK) {
        status = complain(&note, e == ERR_BAD_REQUEST ? EXIT_USAGE : EXIT_FAILED);
    } else if (main_server_open(&server, env, &options, &note) != OK) {
        status = complain(&note, EXIT_FAILED);
    } else {
        main_server_run(server);
        main_server_close(server);
    }
    main_options_deinit(&options);
    return status;
}

int main(int count, char **arguments)
{
    enum help_topic topic = main_help_topic(count, arguments);
    if (topic != HELP_NONE) {
        main_help_print(topic, stdout);
        return 0;
    }
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        (void)printf("pontoon %s\n", PONTOON_VERSION);
        return 0;
    }
    if (strcmp(command, "serve") != 0) {
        struct err_note note;
        main_help_refuse(command, &note);
        return complain(&note, EXIT_USAGE);
    }
    struct env *env = env_uv_open();
    int status = serve(env, count - 2, arguments + 2);
    env_uv_close(env);
    return status;
}
