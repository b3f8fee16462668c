/* The command line: --name value, each at most once. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <netinet/in.h>

#include "protocol.h"

#define CONNECTIONS_MAX 20000u
#define PIPELINE_MAX 1024u

struct options {
    const struct protocol *protocol;
    struct sockaddr_in address;
    enum operation operation;
    uint64_t connection_count;
    uint64_t pipeline; /* requests on their way, a connection */
    uint64_t warm_up_ms;
    uint64_t duration_ms;
    uint64_t count; /* 0: until the time is over */
    uint64_t key_count;
    uint64_t value_size;
    uint64_t replica_count;
    uint64_t seed;
};

/* Reads `arguments` (the first is the program's name) over the defaults. False: `out_problem` has
 * a line that says what is wrong with which of them. */
bool options_read(int count, char **arguments, struct options *out_options,
                  struct writer *out_problem);

/* What there is, with defaults, as lines. */
extern const char options_help[];

#endif
