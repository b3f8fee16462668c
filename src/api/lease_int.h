/* What the files of /leases share: route_leases.c, lease_read.c (what there is), lease_hold.c (one
 * that is kept as long as a connection is open). */
#ifndef API_LEASE_INT_H
#define API_LEASE_INT_H

#include "api/system_call.h"
#include "api/system_query.h"
#include "api/ttl.h"

/* In the request's memory. */
struct lease_call {
    struct exchange *x;
    struct system_query query;
    uint64_t id; /* of the path; 0: it is about all of them */
    bool is_keepalive;
    struct lease_hold *hold; /* while a lease is asked for that a connection is to keep */
    struct system_call call;
    struct node_read read;
};

/* Answers the GET or HEAD, now or later. */
void api_lease_read(struct lease_call *lease);

/* An id that nobody has: they are random. */
uint64_t api_lease_new_id(struct api *api);
/* Appends a lease's id, in quotes. */
void api_lease_write_id(struct writer *out, uint64_t id);

/* Takes the room for a stream that is to keep a lease, before that is granted; the caller's, until
 * api_lease_hold or _free. NULL: as many linger as may. */
struct lease_hold *api_lease_hold_new(struct api *api);
/* The lease was granted: answers with the stream that keeps it. Takes `hold`. */
void api_lease_hold(struct lease_hold *hold, struct exchange *x, uint64_t id, uint64_t ttl_ms);
/* There is none to keep. */
void api_lease_hold_free(struct lease_hold *hold);

#endif
