/*
 * What a request about members says, in its body and its query: JSON, or the plain URL of etcd's
 * raftexample. Unknown members are refused by name: a misspelled "learner" would make a voter.
 */
#ifndef API_ADMIN_BODY_H
#define API_ADMIN_BODY_H

#include "api/problem.h"
#include "http/http_query.h"
#include "proto/admin.h"

/* Which members of the JSON object there may be. */
enum admin_field {
    ADMIN_FIELD_ADDR = 1,    /* "addr": "HOST:PORT" */
    ADMIN_FIELD_ID = 2,      /* "id": of who comes */
    ADMIN_FIELD_OLD = 4,     /* "old": who is replaced */
    ADMIN_FIELD_LEARNER = 8, /* "learner": true */
};

/*
 * Fills `spec` from the object in `body`. `fields`: those that are allowed; `needed`: those that
 * have to be there. ERR_BAD_REQUEST, set in `problem`.
 */
MUST_USE err api_admin_parse_body(struct slice body, unsigned fields, unsigned needed,
                                  struct admin_spec *spec, struct problem *problem);

/* An address, alone or as a URL ("http://HOST:PORT/"). Same error. */
MUST_USE err api_admin_parse_address(struct slice text, struct admin_spec *spec,
                                     struct problem *problem);

/* A member's id: a number from 1 to NODE_ID_MAX. `is_c`: as ParseUint of raftexample reads it, 0x4
 * and 010 too. Same error. */
MUST_USE err api_admin_parse_id(struct slice text, bool is_c, uint64_t *out_id,
                                struct problem *problem);

#endif
