#include "proto/conf.h"

#include <string.h>

#include "base/assert.h"

#define CONF_CHANGE_FORMAT 1u

_Static_assert(MEMBERS_MAX <= UINT8_MAX, "counts of members are one byte");

/* ---- sets of ids ---- */

/* Where `id` is in the set, or where it would have to be inserted. */
static uint32_t position_of(const struct id_set *set, node_id id)
{
    ASSERT(set->count <= MEMBERS_MAX);
    uint32_t position = 0;
    while (position < set->count && set->ids[position] < id) {
        position++;
    }
    return position;
}

bool id_set_has(const struct id_set *set, node_id id)
{
    uint32_t position = position_of(set, id);
    return position < set->count && set->ids[position] == id;
}

bool id_set_add(struct id_set *set, node_id id)
{
    ASSERT(id != 0);
    uint32_t position = position_of(set, id);
    if (position < set->count && set->ids[position] == id) {
        return true;
    }
    if (set->count == MEMBERS_MAX) {
        return false;
    }
    memmove(&set->ids[position + 1], &set->ids[position],
            (set->count - position) * sizeof(set->ids[0]));
    set->ids[position] = id;
    set->count++;
    return true;
}

void id_set_remove(struct id_set *set, node_id id)
{
    uint32_t position = position_of(set, id);
    if (position == set->count || set->ids[position] != id) {
        return;
    }
    set->count--;
    memmove(&set->ids[position], &set->ids[position + 1],
            (set->count - position) * sizeof(set->ids[0]));
    set->ids[set->count] = 0;
}

bool id_set_equal(const struct id_set *a, const struct id_set *b)
{
    ASSERT(a->count <= MEMBERS_MAX);
    return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0;
}

bool id_set_is_valid(const struct id_set *set)
{
    if (set->count > MEMBERS_MAX) {
        return false;
    }
    node_id previous = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->ids[i] <= previous) {
            return false;
        }
        previous = set->ids[i];
    }
    return true;
}

static void id_set_encode(const struct id_set *set, struct writer *out)
{
    ASSERT(set->count <= MEMBERS_MAX);
    INVARIANT(id_set_is_valid(set));
    writer_u8(out, (uint8_t)set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        writer_u64(out, set->ids[i]);
    }
}

/* False if the set cannot be one of ours: too large, cut off, unsorted, or with the id 0. */
static bool id_set_decode(struct reader *in, struct id_set *out_set)
{
    struct id_set set = {.count = reader_u8(in)};
    if (set.count > MEMBERS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < set.count; i++) {
        set.ids[i] = reader_u64(in);
    }
    if (!reader_ok(in) || !id_set_is_valid(&set)) {
        return false;
    }
    *out_set = set;
    return true;
}

/* ---- the configuration in force ---- */

bool conf_state_has(const struct conf_state *conf, node_id id)
{
    /* learners_next are outgoing voters. */
    return id_set_has(&conf->voters, id) || id_set_has(&conf->voters_outgoing, id) ||
           id_set_has(&conf->learners, id);
}

bool conf_state_equal(const struct conf_state *a, const struct conf_state *b)
{
    return id_set_equal(&a->voters, &b->voters) &&
           id_set_equal(&a->voters_outgoing, &b->voters_outgoing) &&
           id_set_equal(&a->learners, &b->learners) &&
           id_set_equal(&a->learners_next, &b->learners_next) && a->auto_leave == b->auto_leave;
}

static bool is_disjoint(const struct id_set *a, const struct id_set *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (id_set_has(b, a->ids[i])) {
            return false;
        }
    }
    return true;
}

static bool is_subset(const struct id_set *part, const struct id_set *whole)
{
    for (uint32_t i = 0; i < part->count; i++) {
        if (!id_set_has(whole, part->ids[i])) {
            return false;
        }
    }
    return true;
}

bool conf_state_is_valid(const struct conf_state *conf)
{
    bool is_joint = conf->voters_outgoing.count > 0;
    if (!is_joint && (conf->learners_next.count > 0 || conf->auto_leave)) {
        return false;
    }
    return id_set_is_valid(&conf->voters) && id_set_is_valid(&conf->voters_outgoing) &&
           id_set_is_valid(&conf->learners) && id_set_is_valid(&conf->learners_next) &&
           is_disjoint(&conf->learners, &conf->voters) &&
           is_disjoint(&conf->learners, &conf->voters_outgoing) &&
           is_disjoint(&conf->learners_next, &conf->voters) &&
           is_subset(&conf->learners_next, &conf->voters_outgoing);
}

void conf_state_encode(const struct conf_state *conf, struct writer *out)
{
    INVARIANT(conf_state_is_valid(conf));
    id_set_encode(&conf->voters, out);
    id_set_encode(&conf->voters_outgoing, out);
    id_set_encode(&conf->learners, out);
    id_set_encode(&conf->learners_next, out);
    writer_u8(out, conf->auto_leave);
}

err conf_state_decode(struct reader *in, struct conf_state *out_conf)
{
    struct conf_state conf = {0};
    if (!id_set_decode(in, &conf.voters) || !id_set_decode(in, &conf.voters_outgoing) ||
        !id_set_decode(in, &conf.learners) || !id_set_decode(in, &conf.learners_next)) {
        return ERR_MALFORMED;
    }
    uint8_t auto_leave = reader_u8(in);
    conf.auto_leave = auto_leave == 1;
    if (!reader_ok(in) || auto_leave > 1 || !conf_state_is_valid(&conf)) {
        return ERR_MALFORMED;
    }
    *out_conf = conf;
    return OK;
}

/* ---- changes ---- */

static bool is_empty_change(const struct conf_change *change)
{
    return change->count == 0 && change->transition == CONF_TRANSITION_AUTO &&
           change->context.size == 0;
}

void conf_change_encode(const struct conf_change *change, struct writer *out)
{
    ASSERT(change->count <= MEMBERS_MAX);
    ASSERT(change->transition <= CONF_TRANSITION_EXPLICIT);
    if (is_empty_change(change)) {
        return;
    }
    writer_u8(out, CONF_CHANGE_FORMAT);
    writer_u8(out, (uint8_t)change->transition);
    writer_u8(out, (uint8_t)change->count);
    for (uint32_t i = 0; i < change->count; i++) {
        ASSERT(change->changes[i].type <= CONF_CHANGE_ADD_LEARNER);
        writer_u8(out, (uint8_t)change->changes[i].type);
        writer_u64(out, change->changes[i].id);
    }
    writer_sized(out, change->context);
}

err conf_change_decode(struct slice bytes, struct conf_change *out_change)
{
    struct conf_change change = {0};
    if (bytes.size == 0) {
        *out_change = change;
        return OK;
    }
    struct reader in = reader_of(bytes);
    uint8_t format = reader_u8(&in);
    uint8_t transition = reader_u8(&in);
    change.count = reader_u8(&in);
    if (format != CONF_CHANGE_FORMAT || transition > CONF_TRANSITION_EXPLICIT ||
        change.count > MEMBERS_MAX) {
        return ERR_MALFORMED;
    }
    change.transition = (enum conf_transition)transition;
    for (uint32_t i = 0; i < change.count; i++) {
        uint8_t type = reader_u8(&in);
        if (type > CONF_CHANGE_ADD_LEARNER) {
            return ERR_MALFORMED;
        }
        change.changes[i].type = (enum conf_change_type)type;
        change.changes[i].id = reader_u64(&in);
    }
    change.context = reader_sized(&in, in.size);
    if (reader_finish(&in) != OK || is_empty_change(&change)) {
        return ERR_MALFORMED;
    }
    *out_change = change;
    return OK;
}
