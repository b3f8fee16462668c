/*
 * LMDB makes its system calls itself. Linked statically and with the linker's --wrap, those that
 * touch its data file come here: the file is the simulated disk's, mapped memory behind it, and its
 * crashes, errors and delays are that disk's. Its lock file is a plain memory file of each life.
 */
#ifndef SIM_LMDB_CALLS_H
#define SIM_LMDB_CALLS_H

struct env;

/* Closes the descriptors of a life that has ended by a crash; its maps stay (host.h, H1). */
void lmdb_calls_end(struct env *env);

#endif
