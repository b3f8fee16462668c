/* Everything the scripts show, in the reference's words. */
#ifndef RAFT_TRACE_PRINT_H
#define RAFT_TRACE_PRINT_H

#include "raft/raft.h"
#include "text.h"
#include "wire.h"

const char *print_role_name(enum raft_role role);
/* "1/4 EntryNormal "data"" without a newline. */
void print_entry(struct text *out, const struct entry *entry);
/* One line, or several; without a newline at the end. */
void print_wire(struct text *out, const struct wire *wire);
void print_ready(struct text *out, const struct raft_ready *ready,
                 const struct wire_list *messages);
/* "voters=(1 2)&&(1) learners=(3)" without a newline. */
void print_conf(struct text *out, const struct conf_state *conf);
/* One line a member. */
void print_members(struct text *out, const struct raft_member_status *members, unsigned count);

#endif
