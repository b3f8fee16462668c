/* Waiting in a command that asks a node again and again. */
#ifndef MAIN_PAUSE_H
#define MAIN_PAUSE_H

#include "env/env.h"

/* Turns the loop of `env`, which is one of env/uv.h, for `ms`. */
void main_pause(struct env *env, uint64_t ms);

#endif
