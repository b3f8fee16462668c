/* pontoon serve: one node, until a signal ends it. */
#include <unistd.h>

#include "env/uv.h"
#include "main/command.h"
#include "main/load.h"
#include "main/options.h"
#include "main/server.h"

static const char text[] =
    "pontoon serve runs a node until SIGTERM or Ctrl-C.\n"
    "\n"
    "One node, its data in ./pontoon-data:\n"
    "  pontoon serve\n"
    "\n"
    "Three nodes, here on one machine; each gets the same --cluster and its own --id:\n"
    "  C=1=127.0.0.1:4001,2=127.0.0.1:4002,3=127.0.0.1:4003\n"
    "  pontoon serve --id 1 --cluster $C --listen 127.0.0.1:3001 --data one\n"
    "  pontoon serve --id 2 --cluster $C --listen 127.0.0.1:3002 --data two\n"
    "  pontoon serve --id 3 --cluster $C --listen 127.0.0.1:3003 --data three\n"
    "\n"
    "One more, which asks any of them to be taken in, and is told id and members:\n"
    "  pontoon serve --join http://127.0.0.1:3001 --listen 127.0.0.1:3004 --data four\n"
    "\n"
    "From a file; what stands in the environment or on the command line wins over it:\n"
    "  pontoon serve --config pontoon.conf\n";

const struct command_form main_form_serve = {
    .synopsis = "[--SETTING VALUE]...",
    .text = text,
    .has_settings = true,
};

enum exit_status main_cmd_serve(struct env *env, int count, char *const *arguments)
{
    struct options options;
    struct err_note note = {""};
    struct server *server = NULL;
    enum exit_status status = EXIT_OK;
    main_options_init(&options);
    err e = main_load(&options, env, count, arguments, environ, &note);
    if (e != OK) {
        status = e == ERR_BAD_REQUEST ? EXIT_USAGE : EXIT_FAILED;
    } else if (main_server_open(&server, env, &options, &note) != OK) {
        status = EXIT_FAILED;
    } else {
        main_server_run(server);
        main_server_close(server);
    }
    if (status != EXIT_OK) {
        (void)main_command_complain("serve", &note, status);
    }
    main_options_deinit(&options);
    return status;
}
