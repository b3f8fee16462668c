/* "v1 l2 r3 u4": voter, learner, remove, update. */
#ifndef RAFT_TRACE_CHANGES_H
#define RAFT_TRACE_CHANGES_H

#include "proto/conf.h"

/* Fills changes and count of `out_change`. False: not of this form. */
bool changes_parse(const char *words, struct conf_change *out_change);

#endif
