/* Checks of a transaction, and how it is refused if they do not hold. */
#include "sim/txn_model_int.h"

static bool relates(enum txn_relation relation, uint64_t a, uint64_t b)
{
    const bool is_so[1 + TXN_RELATIONS] = {
        [TXN_EQUAL] = a == b,
        [TXN_NOT_EQUAL] = a != b,
        [TXN_LESS] = a<b, [TXN_LESS_OR_EQUAL] = a <= b, [TXN_GREATER] = a> b,
        [TXN_GREATER_OR_EQUAL] = a >= b,
    };
    return is_so[relation];
}

static bool holds_of(const struct txn_check *check, const struct model_key *key)
{
    int order = 0;
    switch ((int)check->target) {
    case TXN_MOD_REVISION:
        return relates(check->relation, key->mod_revision, check->number);
    case TXN_CREATE_REVISION:
        return relates(check->relation, key->create_revision, check->number);
    case TXN_VERSION:
        return relates(check->relation, key->version, check->number);
    default: /* its value; no other is asked for */
        order = slice_compare(buf_slice(key->value), check->value);
        return key->is_there &&
               relates(check->relation, (uint64_t)(1 + (order > 0) - (order < 0)), 1);
    }
}

/* Of each key that there is. */
static bool holds_of_range(const struct txn_model *model, const struct txn_check *check)
{
    for (size_t i = 0; i < model->key_count; i++) {
        const struct model_key *key = &model->keys[i];
        struct slice name = buf_slice(key->name);
        bool is_in = key->is_there && slice_compare(name, check->key) >= 0 &&
                     slice_compare(name, check->end) < 0;
        if (is_in && !holds_of(check, key)) {
            return false;
        }
    }
    return true;
}

static bool holds(struct txn_model *model, const struct txn_check *check)
{
    if (check->target == TXN_FENCE) { /* no other relation is asked for */
        return txn_model_party_at(model, check->key, true, check->number) != NULL;
    }
    return check->end.size > 0 ? holds_of_range(model, check)
                               : holds_of(check, txn_model_key_at(model, check->key));
}

/* Those of which one is enough, from one that is no `or` on. */
struct group {
    struct txn_check first;
    uint32_t place; /* of its first */
    uint32_t next;  /* of what comes behind it */
    bool does_hold;
};

/* The next group; false: that was all. */
static bool next_group(struct txn_model *model, struct reader *walk, struct group *group)
{
    struct txn_check check;
    if (!txn_next_check(walk, &check)) {
        return false;
    }
    *group = (struct group){.first = check, .place = group->next, .next = group->next + 1};
    group->does_hold = holds(model, &check);
    struct reader ahead = *walk;
    while (txn_next_check(&ahead, &check) && check.is_or) {
        *walk = ahead;
        group->does_hold = holds(model, &check) || group->does_hold;
        group->next++;
    }
    return true;
}

/* Whether there is a group that does not hold: the first such. */
static bool find_failed(struct txn_model *model, const struct txn *txn, struct group *out_group)
{
    struct reader walk = reader_of(txn->checks);
    *out_group = (struct group){0};
    while (next_group(model, &walk, out_group)) {
        if (!out_group->does_hold) {
            return true;
        }
    }
    return false;
}

uint32_t txn_model_failed_check(struct txn_model *model, const struct txn *txn)
{
    struct group group;
    return find_failed(model, txn, &group) ? group.place : UINT32_MAX;
}

void txn_model_check_failed(struct txn_model *model, const struct txn *txn)
{
    const struct command_result *result = model->entry->result;
    struct group group;
    if (!find_failed(model, txn, &group)) {
        txn_model_complain(model, "a check fails, and all hold");
        return;
    }
    bool is_fence = group.first.target == TXN_FENCE;
    txn_model_expect(model, "the check that fails", result->failed, group.place);
    txn_model_expect(model, "whether a fence was lost", result->e == ERR_FENCE_LOST, is_fence);
    if (!is_fence) {
        static const struct model_key none = {0};
        const struct model_key *key =
            group.first.end.size > 0 ? &none : txn_model_key_at(model, group.first.key);
        txn_model_expect(model, "whether a checked key is there", result->existed, key->is_there);
        txn_model_expect(model, "a checked key's revision", result->mod_revision,
                         key->mod_revision);
        txn_model_expect(model, "a checked key's version", result->version, key->version);
    }
}
