/* The three kinds of scripts. Each driver runs one block and writes its output. */
#ifndef RAFT_TRACE_DRIVERS_H
#define RAFT_TRACE_DRIVERS_H

#include "script.h"

/* A cluster of nodes; caller frees. */
struct interaction;
struct interaction *interaction_new(void);
void interaction_free(struct interaction *interaction);
void interaction_run(struct interaction *interaction, const struct script_block *block,
                     struct text *out);

/* A configuration and the progress of its members; caller frees. */
struct confchange;
struct confchange *confchange_new(void);
void confchange_free(struct confchange *confchange);
void confchange_run(struct confchange *confchange, const struct script_block *block,
                    struct text *out);

/* Quorums: nothing to remember between two blocks. */
void quorum_run(const struct script_block *block, struct text *out);

#endif
