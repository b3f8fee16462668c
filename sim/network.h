/*
 * The simulated network behind env/env.h's streams: connections of frames ("units": one
 * env_stream_write each) between hosts, with latency and every way to spoil them.
 *
 * N1  Units of one direction arrive in order, once and whole, unless a fault is drawn for one.
 * N2  A cut holds for a direction: what is written then is lost, or held back until it heals
 *     (plan.cut_drops); what is held for as long as the kernel's patience ends the connection.
 * N3  When a process dies its connections end at the other side; after a power cut nobody is told,
 *     until the host is up again and something is sent to it, or the kernel's patience ends.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "sim/node_env.h"

/* No faults, no cuts. Lives as long as the simulation. */
struct network *network_new(struct sim *sim);

/* Cuts the way from one host to another, or heals it. */
void network_cut(struct network *network, uint32_t from, uint32_t to, bool is_cut);
bool network_is_cut(const struct network *network, uint32_t from, uint32_t to);
/* Adds so much to every frame's way from one host to another; 0: nothing. */
void network_clog(struct network *network, uint32_t from, uint32_t to, uint64_t ns);
/* Everything is healed. */
void network_heal(struct network *network);
/* Ends every connection between two hosts, both sides told. */
void network_reset(struct network *network, uint32_t a, uint32_t b);

/* A life has ended (N3). */
void network_life_ended(struct network *network, struct env *env, bool is_power_cut);

#endif
