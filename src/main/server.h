/*
 * A serving pontoon: everything that `pontoon serve` opens, runs and closes, in one place.
 *
 * V1  What is opened last is closed first; closing accepts whatever was opened so far.
 * V2  A first SIGTERM or SIGINT drains: leadership goes to another node, then requests at work are
 *     answered, within --shutdown-timeout; last comes a checkpoint, for a quick start. A second one
 *     ends the process at once; once everything is answered it cuts short the checkpoint alone.
 */
#ifndef MAIN_SERVER_H
#define MAIN_SERVER_H

#include "env/uv.h"
#include "main/options.h"

struct server;

/*
 * Opens everything on `env`: log, node (blocks while it recovers), listener. Borrows both until
 * closed, and watches signals on `env`, which may not turn between that and its own end. On an
 * error, which the note explains, nothing is left open.
 */
MUST_USE err main_server_open(struct server **out_server, struct env *env,
                              const struct options *options, struct err_note *note);
/* Serves until a signal asks it to end and the draining is over. */
void main_server_run(struct server *server);
/* NULL: no-op. */
void main_server_close(struct server *server);

#endif
