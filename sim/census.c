#include "sim/census.h"

#include <inttypes.h>

#include "node/node_int.h"
#include "sim/block_census.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "sim/system_census.h"
#include "sim/txn_model.h"

struct census {
    struct sim *sim;
    struct host *host;
    uint64_t keys;
};

static void compare_key(void *ctx, const struct txn_model_key *key)
{
    struct census *census = ctx;
    struct store *store = census->host->node->store;
    struct store_record record;
    err e = store_find_record(store, STORE_SPACE_USER, key->key, &record);
    bool is_leased = e == OK && (record.flags & STORE_RECORD_LEASED) != 0;
    if (e != OK || !slice_equal(record.value, key->value) ||
        record.mod_revision != key->mod_revision || record.version != key->version ||
        record.create_revision != key->create_revision || record.expires_ms != key->expires_ms ||
        is_leased != key->is_leased) {
        sim_fail(census->sim,
                 "node %u has the key %.*s otherwise than the log says (%s; revision %" PRIu64
                 ", which has to be %" PRIu64 ")",
                 census->host->number, (int)key->key.size, (const char *)key->key.data, err_name(e),
                 e == OK ? record.mod_revision : 0, key->mod_revision);
    }
    census->keys++;
}

static void take(void *ctx)
{
    struct census *census = ctx;
    struct store *store = census->host->node->store;
    const struct store_region *region = store_region(store, REGION_FIRST);
    const char *problem = system_census(store, region);
    problem = problem != NULL ? problem : block_census(store, REGION_FIRST);
    if (problem != NULL) {
        sim_fail(census->sim, "node %u: %s", census->host->number, problem);
    }
    txn_model_each(checker_txn_model(census->sim->checker), compare_key, census);
    if (census->keys != region->keys) {
        sim_fail(census->sim, "node %u has %" PRIu64 " keys, the log says %" PRIu64,
                 census->host->number, region->keys, census->keys);
    }
}

void census_take(struct sim *sim, struct host *host)
{
    struct census census = {.sim = sim, .host = host};
    (void)env_sim_call(host->env, take, &census);
}
