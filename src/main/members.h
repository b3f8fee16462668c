/* The first members of a cluster, as --cluster names them. */
#ifndef MAIN_MEMBERS_H
#define MAIN_MEMBERS_H

#include "proto/membership.h"

/*
 * Parses "1=HOST:PORT,2=HOST:PORT,…" into `members` (room for MEMBERS_MAX), sorted by id.
 * ERR_BAD_REQUEST, with a note: what is not of that form, an id of 0, an id or address given twice,
 * port 0, too many.
 */
MUST_USE err main_members_parse(const char *text, struct member *members, uint32_t *out_count,
                                struct err_note *note);

/* The one called `id`, or NULL. */
const struct member *main_members_find(const struct member *members, uint32_t count, node_id id);

#endif
