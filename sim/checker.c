#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "raft/raft_int.h"
#include "sim/admin.h"
#include "sim/checker_int.h"
#include "sim/clients.h"
#include "sim/faults.h"
#include "sim/txn_clients.h"
#include "store/region.h"

/* When the cluster has its first leader, whatever its timeouts. */
#define QUIET_FROM_NS (20 * SIM_SECOND)

struct checker *checker_new(struct sim *sim)
{
    struct checker *checker = mem_calloc(1, sizeof(*checker));
    checker->sim = sim;
    const struct txn_model_options options = {.clock_ppm_max = sim->plan.clock_ppm_max};
    checker->model = txn_model_new(&options);
    checker->request_count = 1; /* none has the number 0 */
    checker->request_capacity = 1024;
    checker->requests = mem_calloc(checker->request_capacity, sizeof(*checker->requests));
    return checker;
}

static uint64_t *word_at(struct words *words, uint64_t number)
{
    if (number >= words->count) {
        size_t count = number < 2 * words->count ? 2 * words->count : (size_t)number + 64;
        words->items = mem_realloc(words->items, count, sizeof(*words->items));
        memset(words->items + words->count, 0, (count - words->count) * sizeof(*words->items));
        words->count = count;
    }
    return &words->items[number];
}

struct slot *checker_slot(struct checker *checker, uint64_t index)
{
    if (index >= checker->slot_count) {
        size_t count = 2 * (size_t)index + 1024;
        checker->slots = mem_realloc(checker->slots, count, sizeof(*checker->slots));
        memset(checker->slots + checker->slot_count, 0,
               (count - checker->slot_count) * sizeof(*checker->slots));
        checker->slot_count = count;
    }
    return &checker->slots[index];
}

static uint64_t entry_hash(const struct entry *entry)
{
    return hash64(buf_slice(entry->data), (uint64_t)entry->type + 1);
}

/* A command's stamp is the proposer's, so it is part of the entry's identity and of its hash. */
struct version *checker_version(const struct slot *slot, uint64_t term)
{
    struct version *version = slot->versions;
    while (version != NULL && version->term != term) {
        version = version->next;
    }
    return version;
}

/* ---- lives ---- */

void checker_life_begins(struct checker *checker, const struct host *host)
{
    checker->lives[host->number] = (struct life){0};
    checker->appends[host->number].count = 0;
}

/* ---- K3 ---- */

static void check_version(struct checker *checker, const struct host *host,
                          const struct entry *entry, uint64_t before)
{
    struct slot *slot = checker_slot(checker, entry->pos.index);
    struct version *version = checker_version(slot, entry->pos.term);
    uint64_t hash = entry_hash(entry);
    if (version == NULL) {
        version = mem_calloc(1, sizeof(*version));
        *version = (struct version){
            .next = slot->versions,
            .term = entry->pos.term,
            .hash = hash,
            .before = before,
            .is_change = checker_is_change(entry),
        };
        slot->versions = version;
        return;
    }
    if (version->hash != hash) {
        sim_fail(checker->sim,
                 "log matching: node %u logs another entry at index %" PRIu64 ", term %" PRIu64
                 " than was logged there before",
                 host->number, entry->pos.index, entry->pos.term);
    }
    if (version->before == UINT64_MAX) {
        version->before = before;
    }
    if (before != UINT64_MAX && version->before != before) {
        sim_fail(checker->sim,
                 "log matching: node %u has term %" PRIu64 " before entry %" PRIu64
                 " of term %" PRIu64 ", another has %" PRIu64,
                 host->number, before, entry->pos.index, entry->pos.term, version->before);
    }
}

/* UINT64_MAX: not known. */
static uint64_t term_before(const struct host *host, const struct wal_append *append)
{
    const struct raft *raft = host_raft(host);
    uint64_t term = 0;
    bool is_known = raft != NULL && append->entry_count > 0 &&
                    raft_log_term(&raft->log, append->entries[0].pos.index - 1, &term) == OK;
    return is_known ? term : UINT64_MAX;
}

/* K8: what a later leader replaces is not vouched for any more. */
static void withdraw(struct checker *checker, const struct host *host,
                     const struct wal_append *append, uint64_t before)
{
    struct promise *promise = &checker->promises[host->number];
    if (append->entry_count > 0 && append->entries[0].pos.index <= promise->entry.index) {
        promise->entry = (struct raft_pos){.term = before == UINT64_MAX ? 0 : before,
                                           .index = append->entries[0].pos.index - 1};
    }
}

void checker_logged(struct checker *checker, const struct host *host,
                    const struct wal_append *append)
{
    uint64_t before = term_before(host, append);
    withdraw(checker, host, append, before);
    for (uint32_t i = 0; i < append->entry_count; i++) {
        check_version(checker, host, &append->entries[i], before);
        checker_check_change(checker, host, &append->entries[i]);
        before = append->entries[i].pos.term;
    }
    if (append->entry_count > 0) {
        world_trace(checker->sim->world, "log", host->number, append->entries[0].pos.index,
                    append->entries[0].pos.term);
    }
}

void checker_replaced(struct checker *checker, const struct host *host, struct raft_pos pos)
{
    struct promise *promise = &checker->promises[host->number];
    bool is_committed = checker_slot(checker, pos.index)->committed_term == pos.term;
    if (is_committed && promise->entry.index >= pos.index) {
        promise->entry = pos; /* what stood behind another entry is not vouched for any more */
    }
}

/* ---- K2 ---- */

void checker_voted(struct checker *checker, const struct host *host, uint64_t term,
                   node_id candidate)
{
    uint64_t *vote = word_at(&checker->votes[host->number], term);
    if (*vote != 0 && *vote != candidate) {
        sim_fail(checker->sim,
                 "one vote a term: node %u votes for %" PRIu64 " in term %" PRIu64
                 " after it voted for %" PRIu64,
                 host->number, candidate, term, *vote);
    }
    if (*vote == 0) {
        world_trace(checker->sim->world, "vote", host->number, term, candidate);
    }
    *vote = candidate;
}

/* ---- K1, K4, K5 ---- */

static void check_committed(struct checker *checker, const struct host *host, uint64_t index,
                            uint64_t term)
{
    struct slot *slot = checker_slot(checker, index);
    if (slot->committed_term == 0) {
        slot->committed_term = term;
        slot->committed_in = host_raft(host)->term;
    }
    if (slot->committed_term != term) {
        sim_fail(checker->sim,
                 "state-machine safety: node %u has committed an entry of term %" PRIu64
                 " at index %" PRIu64 ", where one of term %" PRIu64 " was committed",
                 host->number, term, index, slot->committed_term);
    }
    checker->committed = index > checker->committed ? index : checker->committed;
}

/* K1; K5: by log matching, the last committed entry stands for all before it. */
static void check_elected(struct checker *checker, const struct host *host, const struct raft *raft)
{
    uint64_t *leader = word_at(&checker->leaders, raft->term);
    if (*leader != 0 && *leader != host->number) {
        sim_fail(checker->sim, "election safety: nodes %" PRIu64 " and %u both lead term %" PRIu64,
                 *leader, host->number, raft->term);
    }
    if (*leader == host->number) {
        sim_fail(checker->sim, "election safety: node %u is elected twice in term %" PRIu64,
                 host->number, raft->term);
    }
    *leader = host->number;
    checker->elections++;
    world_trace(checker->sim->world, "elected", host->number, raft->term, checker->committed);
    sim_count(checker->sim, SIM_ELECTION, 1);
    faults_elected(checker->sim->faults, host);
    admin_elected(checker->sim->admin, checker->sim->hosts[host->number]);
    if (checker->sim->plan.profile == PLAN_QUIET &&
        world_now_ns(checker->sim->world) > QUIET_FROM_NS) {
        sim_fail(checker->sim,
                 "needless election: node %u is elected in term %" PRIu64
                 " of a cluster whose leader lacked nothing",
                 host->number, raft->term);
    }
    uint64_t index = checker->committed;
    uint64_t term = 0;
    /* A candidate that was paused with the votes in its socket leads, for a moment, a term that is
     * over: it has nothing of what later terms have done. */
    while (index > 0 && (checker->slots[index].committed_term == 0 ||
                         checker->slots[index].committed_in >= raft->term)) {
        index--;
    }
    if (index == 0) {
        return;
    }
    err e = raft_log_term(&raft->log, index, &term);
    if (e == ERR_COMPACTED) {
        return;
    }
    if (e != OK || term != checker_slot(checker, index)->committed_term) {
        sim_fail(checker->sim,
                 "leader completeness: node %u leads term %" PRIu64
                 " without the committed entry %" PRIu64 " (its term there: %" PRIu64 ")",
                 host->number, raft->term, index, term);
    }
}

/* Of all that a region is but its records, which stand in it by their hash. */
static uint64_t hash_of(struct checker *checker, const struct store_region *state)
{
    writer_reset(&checker->state);
    store_region_encode(state, &checker->state);
    return hash64(writer_slice(&checker->state), 0);
}

/* K6, of a state that did not come entry by entry: a checkpoint after a restart, a snapshot. */
static void check_state(struct checker *checker, const struct host *host)
{
    const struct store_region *state = store_region(host->node->store, REGION_FIRST);
    if (state == NULL || state->applied.index == checker->lives[host->number].applied) {
        return;
    }
    checker->lives[host->number].applied = state->applied.index;
    const struct slot *slot = checker_slot(checker, state->applied.index);
    if (slot->committed_term != state->applied.term || !slot->is_applied ||
        slot->state != hash_of(checker, state)) {
        sim_fail(checker->sim,
                 "determinism: node %u has a state at index %" PRIu64 ", term %" PRIu64
                 " that nobody reached by applying",
                 host->number, state->applied.index, state->applied.term);
    }
}

/* ---- K8 ---- */

void checker_appended(struct checker *checker, const struct host *host, uint64_t ticket,
                      const struct wal_append *append)
{
    struct appends *appends = &checker->appends[host->number];
    if (append->entry_count == 0) {
        return;
    }
    if (appends->count == appends->capacity) {
        appends->capacity = 2 * appends->capacity + 16;
        appends->items = mem_realloc(appends->items, appends->capacity, sizeof(*appends->items));
    }
    appends->items[appends->count++] =
        (struct append){.ticket = ticket, .first = append->entries[0].pos.index};
}

/* `does`: what it does with the entry. */
static void check_durable(struct checker *checker, const struct host *host, uint64_t index,
                          const char *does)
{
    struct appends *appends = &checker->appends[host->number];
    if (appends->count == 0) {
        return;
    }
    uint64_t durable = wal_stats(host->node->wal)->durable_ticket;
    size_t kept = 0;
    for (size_t i = 0; i < appends->count; i++) {
        if (appends->items[i].ticket <= durable) {
            continue;
        }
        if (appends->items[i].first <= index) {
            sim_fail(checker->sim,
                     "durability: node %u %s entry %" PRIu64
                     ", and its log is not durable from entry %" PRIu64 " on",
                     host->number, does, index, appends->items[i].first);
        }
        appends->items[kept++] = appends->items[i];
    }
    appends->count = kept;
}

static void promise(struct checker *checker, const struct host *host, uint64_t index)
{
    const struct raft *raft = host_raft(host);
    struct promise *promise = &checker->promises[host->number];
    uint64_t term = 0;
    check_durable(checker, host, index, "vouches for");
    promise->term = raft->term > promise->term ? raft->term : promise->term;
    if (index >= promise->entry.index && raft_log_term(&raft->log, index, &term) == OK) {
        promise->entry = (struct raft_pos){.term = term, .index = index};
    }
}

void checker_promised(struct checker *checker, const struct host *host, uint64_t term,
                      uint64_t index)
{
    const struct raft *raft = host_raft(host);
    if (raft != NULL && raft->term == term) { /* else it was said in a term that is over */
        promise(checker, host, index);
    }
}

/* Also of a node whose log has rotted: it refuses to start, or has everything. */
static void check_recovered(struct checker *checker, const struct host *host,
                            const struct raft *raft)
{
    const struct promise *promise = &checker->promises[host->number];
    uint64_t index = promise->entry.index;
    uint64_t term = 0;
    if (raft->term < promise->term) {
        sim_fail(checker->sim,
                 "durability: node %u is in term %" PRIu64 " after a restart, it had told others "
                 "of term %" PRIu64,
                 host->number, raft->term, promise->term);
    }
    err e = raft_log_term(&raft->log, index, &term);
    if (e == ERR_UNAVAILABLE ||
        (e == OK && promise->entry.term != 0 && promise->entry.term != term)) {
        sim_fail(checker->sim,
                 "durability: node %u has acknowledged entry %" PRIu64 " of term %" PRIu64
                 ", and after a restart it has not (its log ends at %" PRIu64
                 ", its term there: %" PRIu64 ")",
                 host->number, index, promise->entry.term, raft_log_last_index(&raft->log), term);
    }
}

static bool is_candidate(const struct raft *raft)
{
    return raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE;
}

void checker_after_turn(struct checker *checker, const struct host *host)
{
    const struct raft *raft = host_raft(host);
    if (raft == NULL) {
        return;
    }
    check_state(checker, host);
    struct life *life = &checker->lives[host->number];
    if (!life->is_recovered) {
        check_recovered(checker, host, raft);
    }
    uint64_t commit = raft->log.committed;
    if (raft->term < life->term || commit < life->commit) {
        sim_fail(checker->sim,
                 "node %u goes back: term %" PRIu64 " to %" PRIu64 ", commit %" PRIu64
                 " to %" PRIu64,
                 host->number, life->term, raft->term, life->commit, commit);
    }
    checker_check_commit(checker, host, raft, life);
    for (uint64_t index = life->commit + 1; index <= commit; index++) {
        uint64_t term;
        if (raft_log_term(&raft->log, index, &term) == OK) {
            check_committed(checker, host, index, term);
        }
    }
    if (commit != life->commit) {
        world_trace(checker->sim->world, "commit", host->number, commit, raft->term);
    }
    if (raft->role == RAFT_LEADER && (!life->is_leader || raft->term != life->term)) {
        check_elected(checker, host, raft);
    }
    if (raft->role == RAFT_LEADER) {
        checker_check_leader(checker, host, raft, life);
        promise(checker, host, raft_tracker_get(&raft->tracker, host->number)->match);
        life->conf = raft->tracker.conf;
    }
    if (is_candidate(raft) && (!life->is_candidate || raft->term != life->term)) {
        checker_check_candidate(checker, host, raft);
    }
    checker_check_stall(checker, host, raft, life);
    life->term = raft->term;
    life->commit = commit;
    life->is_leader = raft->role == RAFT_LEADER;
    life->is_candidate = is_candidate(raft);
    life->is_recovered = true;
    life->last = raft_log_last_index(&raft->log);
    life->transfer_target = raft->transfer_target;
    life->transfer_ticks = raft->election_elapsed;
}

/* ---- K6, K7 ---- */

static struct request *request_at(struct checker *checker, uint64_t number)
{
    if (number == 0 || number >= checker->request_count) {
        sim_fail(checker->sim,
                 "an entry carries the request number %" PRIu64 ", which nobody was given", number);
    }
    return &checker->requests[number];
}

static void note_request(struct checker *checker, const struct host *host, uint64_t number,
                         uint64_t index, const struct command_result *result)
{
    struct request *request = request_at(checker, number);
    if (request->is_refused) {
        sim_fail(checker->sim,
                 "request %" PRIu64
                 " was refused (%s, not applied) and is applied at index %" PRIu64 " of node %u",
                 number, err_name(request->refusal), index, host->number);
    }
    if (request->index != 0 && request->index != index) {
        sim_fail(checker->sim,
                 "request %" PRIu64 " is applied twice: at index %" PRIu64 " and at %" PRIu64,
                 number, request->index, index);
    }
    if (request->index != 0 && request->revision != result->revision) {
        sim_fail(checker->sim,
                 "determinism: node %u gives request %" PRIu64 " the revision %" PRIu64
                 ", another gave it %" PRIu64,
                 host->number, number, result->revision, request->revision);
    }
    request->index = index;
    request->revision = result->revision;
}

/* K12: an entry is applied first by some node that has applied all before it, or by one that has
 * their state from such a node. */
static void check_model(struct checker *checker, const struct host *host, uint64_t index,
                        const struct command *command, const struct command_result *result)
{
    const struct txn_model_entry entry = {
        .command = command,
        .result = result,
        .now_ns = world_now_ns(checker->sim->world),
        .elections = checker->elections,
    };
    ASSERT(index > checker->modelled);
    checker->modelled = index;
    const char *complaint = txn_model_apply(checker->model, &entry);
    if (complaint != NULL) {
        sim_fail(checker->sim, "transactions: %s, at index %" PRIu64 " of node %u", complaint,
                 index, host->number);
    }
}

/* Of a PUT of the clients' that lincheck looks at, also of a conditional one; 0: it is none. */
static uint64_t request_of(const struct command *command)
{
    struct txn txn;
    struct txn_op op;
    if (txn_clients_has(command->key)) {
        return 0;
    }
    if (command->type == COMMAND_PUT) {
        return clients_request_of(command->value);
    }
    if (command->type != COMMAND_TXN || txn_decode(command->value, &txn) != OK) {
        return 0;
    }
    struct reader ops = reader_of(txn.then_ops);
    bool is_put = txn_next_op(&ops, &op) && op.type == TXN_PUT;
    return is_put ? clients_request_of(op.value) : 0;
}

static void note_command(struct checker *checker, const struct host *host, struct slot *slot,
                         struct raft_pos pos, struct buf *data, const struct command_result *result)
{
    struct command command;
    if (data == NULL || command_decode(buf_slice(data), &command) != OK) {
        return;
    }
    slot->revision = result->revision;
    uint64_t request = request_of(&command);
    if (request != 0 && result->e == ERR_QUOTA) {
        sim_count(checker->sim, SIM_QUOTA_REFUSED, slot->is_applied ? 0 : 1);
    } else if (request != 0 && result->e == OK) {
        slot->request = request;
        note_request(checker, host, slot->request, pos.index, result);
    } else if (command.type == COMMAND_DELETE && !slot->is_applied &&
               !txn_clients_has(command.key)) {
        slot->existed = result->existed;
        slot->data = buf_copy(buf_slice(data));
    }
    if (!slot->is_applied) {
        check_model(checker, host, pos.index, &command, result);
    }
}

void checker_applied(struct checker *checker, const struct host *host, struct raft_pos pos,
                     struct buf *data, const struct command_result *result)
{
    check_durable(checker, host, pos.index, "applies");
    struct slot *slot = checker_slot(checker, pos.index);
    uint64_t hash = hash_of(checker, store_region(host->node->store, REGION_FIRST));
    check_committed(checker, host, pos.index, pos.term);
    if (slot->is_applied && slot->state != hash) {
        sim_fail(checker->sim,
                 "determinism: node %u has another state after applying index %" PRIu64
                 " than was there before",
                 host->number, pos.index);
    }
    note_command(checker, host, slot, pos, data, result);
    slot->is_applied = true;
    slot->state = hash;
    sim_count(checker->sim, SIM_APPLIED, 1);
    world_trace(checker->sim->world, "apply", host->number, pos.index, hash);
}

uint64_t checker_request(struct checker *checker)
{
    if (checker->request_count == checker->request_capacity) {
        checker->request_capacity *= 2;
        checker->requests =
            mem_realloc(checker->requests, checker->request_capacity, sizeof(*checker->requests));
    }
    checker->requests[checker->request_count] = (struct request){0};
    return checker->request_count++;
}

void checker_acknowledged(struct checker *checker, uint64_t request, uint64_t revision)
{
    const struct request *known = request_at(checker, request);
    if (known->index == 0) {
        sim_fail(checker->sim, "request %" PRIu64 " is acknowledged and applied nowhere", request);
    }
    if (known->revision != revision) {
        sim_fail(checker->sim,
                 "request %" PRIu64 " is acknowledged with revision %" PRIu64
                 ", it was applied with %" PRIu64,
                 request, revision, known->revision);
    }
    if (checker_slot(checker, known->index)->committed_term == 0) {
        sim_fail(checker->sim, "request %" PRIu64 " is acknowledged before it is committed",
                 request);
    }
}

void checker_refused(struct checker *checker, uint64_t request, err e)
{
    struct request *known = request_at(checker, request);
    if (known->index != 0) {
        sim_fail(checker->sim,
                 "request %" PRIu64
                 " is refused (%s, not applied) and was applied at index %" PRIu64,
                 request, err_name(e), known->index);
    }
    known->is_refused = true;
    known->refusal = e;
}

uint64_t checker_revision_of(const struct checker *checker, uint64_t request)
{
    return request < checker->request_count ? checker->requests[request].revision : 0;
}

void checker_each_write(const struct checker *checker,
                        void (*each)(void *ctx, const struct checker_write *write), void *ctx)
{
    for (uint64_t index = 1; index <= checker->committed; index++) {
        const struct slot *slot = &checker->slots[index];
        struct checker_write write = {
            .request = slot->request, .revision = slot->revision, .existed = slot->existed};
        struct command command;
        if (slot->data != NULL && command_decode(buf_slice(slot->data), &command) == OK) {
            write.key = command.key;
        }
        if (slot->request != 0 || slot->data != NULL) {
            each(ctx, &write);
        }
    }
}

struct txn_model *checker_txn_model(const struct checker *checker)
{
    return checker->model;
}

uint64_t checker_committed(const struct checker *checker)
{
    return checker->committed;
}

struct host *checker_leader(const struct checker *checker)
{
    struct host *leader = NULL;
    uint64_t term = 0;
    for (uint32_t i = 1; i <= checker->sim->host_count; i++) {
        struct host *host = checker->sim->hosts[i];
        const struct raft *raft = host_is_up(host) ? host_raft(host) : NULL;
        if (raft != NULL && raft->role == RAFT_LEADER && raft->term > term) {
            leader = host;
            term = raft->term;
        }
    }
    return leader;
}
