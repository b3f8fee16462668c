#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sim/past.h"
#include "sim/txn_model_int.h"

#define SLACK_MS 2u

static struct model_time time_of(const struct txn_model *model, uint64_t ttl_ms)
{
    return (struct model_time){
        .ttl_ms = ttl_ms, .from_ns = model->asked_ns, .elections = model->entry->elections};
}

/* ---- keys ---- */

struct model_key *txn_model_key_at(struct txn_model *model, struct slice name)
{
    for (size_t i = 0; i < model->key_count; i++) {
        if (slice_equal(buf_slice(model->keys[i].name), name)) {
            return &model->keys[i];
        }
    }
    model->keys = txn_model_grow(model->keys, &model->key_count, sizeof(*model->keys));
    struct model_key *key = &model->keys[model->key_count - 1];
    key->name = buf_copy(name);
    return key;
}

static void drop_time(struct model_key *key)
{
    key->due_ms = 0;
    key->lease = 0;
}

void txn_model_delete_key(struct txn_model *model, struct model_key *key)
{
    past_remove(model->past, model->revision + 1, buf_slice(key->name),
                model->is_expiry ? STORE_CHANGE_EXPIRE : STORE_CHANGE_DELETE);
    key->is_there = false;
    key->create_revision = 0;
    key->mod_revision = 0;
    key->version = 0;
    buf_drop(&key->value);
    drop_time(key);
    model->is_revision = true;
}

void txn_model_set_time(struct txn_model *model, struct model_key *key, const struct txn_op *op)
{
    bool keeps = (op->flags & TXN_KEEP_TTL) != 0 && (key->due_ms != 0 || key->lease != 0);
    if (keeps) {
        return;
    }
    drop_time(key);
    key->lease = op->lease;
    if (op->lease == 0 && op->ttl_ms != 0) {
        key->due_ms = model->elapsed_ms + op->ttl_ms;
        key->time = time_of(model, op->ttl_ms);
    }
}

void txn_model_put_key(struct txn_model *model, struct model_key *key, const struct txn_op *op,
                       struct slice value)
{
    struct buf *copy = buf_copy(value);
    buf_unref(key->value);
    key->value = copy;
    key->is_there = true;
    key->mod_revision = model->revision + 1;
    key->create_revision = key->version == 0 ? key->mod_revision : key->create_revision;
    key->version++;
    past_put(model->past, key->mod_revision, buf_slice(key->name), copy);
    model->is_revision = true;
    txn_model_set_time(model, key, op);
}

/* T2 */
static void check_early(struct txn_model *model, const char *what, const struct model_time *time)
{
    uint64_t passed_us = (model->entry->now_ns - time->from_ns) / 1000;
    uint64_t by_clock_us = passed_us + passed_us / 1000 * model->options.clock_ppm_max / 1000;
    uint64_t slack_ms = SLACK_MS + (model->entry->elections - time->elections);
    if (by_clock_us / 1000 + slack_ms < time->ttl_ms) {
        txn_model_complain(model,
                           "early: %s with a TTL of %" PRIu64 " ms ends after %" PRIu64 " us", what,
                           time->ttl_ms, passed_us);
    }
}

/* ---- leases, locks ---- */

struct model_lease *txn_model_lease_at(struct txn_model *model, uint64_t id)
{
    for (size_t i = 0; i < model->lease_count; i++) {
        if (model->leases[i].id == id) {
            return &model->leases[i];
        }
    }
    return NULL;
}

void txn_model_keep_lease(struct txn_model *model, struct model_lease *lease, uint64_t ttl_ms)
{
    lease->ttl_ms = ttl_ms != 0 ? ttl_ms : lease->ttl_ms;
    lease->due_ms = model->elapsed_ms + lease->ttl_ms;
    lease->time = time_of(model, lease->ttl_ms);
}

void txn_model_grant(struct txn_model *model, uint64_t id, uint64_t ttl_ms)
{
    model->leases = txn_model_grow(model->leases, &model->lease_count, sizeof(*model->leases));
    struct model_lease *lease = &model->leases[model->lease_count - 1];
    *lease = (struct model_lease){.id = id, .ttl_ms = ttl_ms};
    txn_model_keep_lease(model, lease, ttl_ms);
}

uint64_t txn_model_count_of(const struct txn_model *model, struct slice lock, bool holders)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->party_count; i++) {
        const struct model_party *party = &model->parties[i];
        count += party->is_holder == holders && slice_equal(buf_slice(party->lock), lock) ? 1 : 0;
    }
    return count;
}

/* The holder with the token, or who waits at the place; NULL: none. */
struct model_party *txn_model_party_at(struct txn_model *model, struct slice lock, bool is_holder,
                                       uint64_t token)
{
    for (size_t i = 0; i < model->party_count; i++) {
        struct model_party *party = &model->parties[i];
        if (party->is_holder == is_holder && party->token == token &&
            slice_equal(buf_slice(party->lock), lock)) {
            return party;
        }
    }
    return NULL;
}

struct model_party *txn_model_add_party(struct txn_model *model, const struct txn_op *op)
{
    model->parties = txn_model_grow(model->parties, &model->party_count, sizeof(*model->parties));
    struct model_party *party = &model->parties[model->party_count - 1];
    *party = (struct model_party){
        .lock = buf_copy(op->key),
        .limit = op->number,
        .lease = op->lease,
        .ttl_ms = op->ttl_ms,
        .due_ms = model->elapsed_ms + op->wait_ms,
        .said = txn_model_said(op->value),
    };
    return party;
}

void txn_model_drop_party(struct txn_model *model, struct model_party *party)
{
    buf_unref(party->lock);
    *party = model->parties[--model->party_count];
}

static void drop_lease(struct txn_model *model, struct model_lease *lease)
{
    *lease = model->leases[--model->lease_count];
}

uint64_t txn_model_said(struct slice value)
{
    return hash64(value, 0);
}

/* Who holds the lock, if it is an election, or what it says, is new with the revision under way. */
static void note_lead(struct txn_model *model, const struct buf *lock, uint64_t token,
                      uint64_t said)
{
    uint64_t revision = model->revision + 1;
    if (lock->data[0] != TXN_LOCK_ELECTION) {
        return;
    }
    if (model->lead_count == 0 || model->leads[model->lead_count - 1].revision != revision) {
        model->leads = txn_model_grow(model->leads, &model->lead_count, sizeof(*model->leads));
    }
    model->leads[model->lead_count - 1] = (struct txn_model_lead){revision, token, said};
}

struct txn_model_lead txn_model_lead_at(const struct txn_model *model, uint64_t revision)
{
    size_t number = model->lead_count;
    while (number > 0 && model->leads[number - 1].revision > revision) {
        number--;
    }
    return number > 0 ? model->leads[number - 1] : (struct txn_model_lead){.token = 0};
}

void txn_model_say(struct txn_model *model, struct model_party *party, struct slice value)
{
    party->said = txn_model_said(value);
    note_lead(model, party->lock, party->token, party->said);
    model->is_revision = true;
}

void txn_model_hold(struct txn_model *model, struct model_party *party)
{
    uint64_t revision = model->revision + 1;
    party->is_holder = true;
    party->token = model->last_token + 1 > revision ? model->last_token + 1 : revision;
    model->last_token = party->token;
    note_lead(model, party->lock, party->token, party->said);
    model->is_revision = true;
    if (party->lease != 0) {
        txn_model_grant(model, party->lease, party->ttl_ms);
    }
}

/* As long as there is room, who has waited longest holds the lock. */
static void promote(struct txn_model *model, struct slice lock)
{
    for (;;) {
        struct model_party *first = NULL;
        for (size_t i = 0; i < model->party_count; i++) {
            struct model_party *party = &model->parties[i];
            bool waits = !party->is_holder && slice_equal(buf_slice(party->lock), lock);
            if (waits && (first == NULL || party->token < first->token)) {
                first = party;
            }
        }
        if (first == NULL || txn_model_count_of(model, lock, true) >= first->limit) {
            return;
        }
        txn_model_hold(model, first);
    }
}

void txn_model_end_holder(struct txn_model *model, struct model_party *party)
{
    struct buf *lock = buf_ref(party->lock);
    txn_model_drop_party(model, party);
    note_lead(model, lock, 0, 0);
    model->is_revision = true;
    promote(model, buf_slice(lock));
    buf_unref(lock);
}

uint64_t txn_model_end_lease(struct txn_model *model, uint64_t id)
{
    uint64_t count = 0;
    struct model_lease *lease = txn_model_lease_at(model, id);
    if (lease == NULL) {
        txn_model_complain(model, "lease %" PRIu64 " ends, and is not there", id);
        return 0;
    }
    drop_lease(model, lease);
    for (size_t i = 0; i < model->key_count; i++) {
        if (model->keys[i].is_there && model->keys[i].lease == id) {
            txn_model_delete_key(model, &model->keys[i]);
            count++;
        }
    }
    for (size_t i = 0; i < model->party_count; i++) {
        if (model->parties[i].is_holder && model->parties[i].lease == id) {
            txn_model_end_holder(model, &model->parties[i]);
            break; /* a lease is of one holder */
        }
    }
    return count;
}

/* ---- what is due ---- */

/* The first of what is due, in the order of the index; only one is not NULL. */
struct due {
    uint64_t due_ms;
    struct model_key *key;
    struct model_lease *lease;
    struct model_party *place;
};

static void find_due(struct txn_model *model, struct due *due)
{
    *due = (struct due){.due_ms = model->elapsed_ms + 1};
    for (size_t i = 0; i < model->key_count; i++) {
        struct model_key *key = &model->keys[i];
        if (key->is_there && key->due_ms != 0 && key->due_ms < due->due_ms) {
            *due = (struct due){.due_ms = key->due_ms, .key = key};
        }
    }
    for (size_t i = 0; i < model->lease_count; i++) {
        struct model_lease *lease = &model->leases[i];
        bool is_next = due->lease != NULL && due->due_ms == lease->due_ms &&
                       lease->id < due->lease->id; /* keys come before leases */
        if (lease->due_ms < due->due_ms || is_next) {
            *due = (struct due){.due_ms = lease->due_ms, .lease = lease};
        }
    }
    for (size_t i = 0; i < model->party_count; i++) {
        struct model_party *party = &model->parties[i];
        bool is_next =
            due->place != NULL && due->due_ms == party->due_ms && party->token < due->place->token;
        if (!party->is_holder && (party->due_ms < due->due_ms || is_next)) {
            *due = (struct due){.due_ms = party->due_ms, .place = party};
        }
    }
}

/* NULL: there is none. */
static struct model_answer *oldest_answer(struct txn_model *model)
{
    struct model_answer *oldest = NULL;
    for (size_t i = 0; i < model->answer_count; i++) {
        struct model_answer *answer = &model->answers[i];
        if (oldest == NULL || answer->due_ms < oldest->due_ms ||
            (answer->due_ms == oldest->due_ms &&
             slice_compare(buf_slice(answer->key), buf_slice(oldest->key)) < 0)) {
            oldest = answer;
        }
    }
    return oldest;
}

void txn_model_forget_oldest(struct txn_model *model)
{
    struct model_answer *oldest = oldest_answer(model);
    if (oldest != NULL) {
        struct model_op *op = &model->ops[oldest->number];
        op->is_done = false;
        op->is_forgotten = true;
        buf_unref(oldest->key);
        *oldest = model->answers[--model->answer_count];
    }
}

static uint64_t forget_answers(struct txn_model *model, uint64_t count_max)
{
    uint64_t count = 0;
    const struct model_answer *oldest = oldest_answer(model);
    while (count < count_max && oldest != NULL && oldest->due_ms <= model->elapsed_ms) {
        txn_model_forget_oldest(model);
        count++;
        oldest = oldest_answer(model);
    }
    return count;
}

/* False: nothing is due. */
static bool expire_one(struct txn_model *model)
{
    struct due due;
    find_due(model, &due);
    if (due.key != NULL) {
        check_early(model, "a key", &due.key->time);
        txn_model_delete_key(model, due.key);
    } else if (due.lease != NULL) {
        check_early(model, "a lease", &due.lease->time);
        (void)txn_model_end_lease(model, due.lease->id);
    } else if (due.place != NULL) {
        txn_model_drop_party(model, due.place);
    } else {
        return false;
    }
    return true;
}

uint64_t txn_model_expire(struct txn_model *model, uint64_t count_max)
{
    uint64_t count = 0;
    model->is_expiry = true;
    model->asked_ns = 0; /* who comes to hold a lock now, was not promised a time from now on */
    while (count < count_max && expire_one(model)) {
        count++;
    }
    return count + forget_answers(model, count_max - count);
}
