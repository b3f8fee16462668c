/*
 * From an operator's intention to a change of the configuration, as a leader sees it: whether it
 * fits, and whether it is safe. Decides and changes nothing.
 */
#ifndef NODE_ADMIN_PLAN_H
#define NODE_ADMIN_PLAN_H

#include "node/contact.h"
#include "proto/admin.h"
#include "proto/membership.h"

#define ADMIN_WHY_SIZE 200u

/* What a leader knows when it is asked. Borrows all. */
struct admin_view {
    node_id self;
    const char
        *own_address; /* where peers reach this node, if it was alone so far; NULL: nowhere */
    const struct membership *membership; /* as applied */
    const struct contact *contact;
    uint64_t now_ms;
    uint64_t window_ms; /* whose core was heard within it can vote */
    /* Of a learner: whether it has nearly all of the log. Called with `ctx`. */
    bool (*has_caught_up)(void *ctx, node_id id);
    /* Whether a data directory was met under this id. */
    bool (*was_met)(void *ctx, node_id id);
    void *ctx;
};

struct admin_plan {
    bool is_done;              /* nothing is left to be done */
    bool lacks_quorum;         /* ERR_CONFLICT: for those that cannot vote now */
    node_id id;                /* of whom it is about */
    struct conf_change change; /* else */
    uint32_t member_count;     /* whom it adds or moves */
    struct member members[2];
    char why[ADMIN_WHY_SIZE]; /* an error, for people */
};

/*
 * Plans `spec` (not a TRANSFER). ERR_BAD_REQUEST, ERR_NOT_FOUND (no such member), ERR_CONFLICT (the
 * id or address is taken, the quorum could be lost, …), each with `why`.
 */
MUST_USE err admin_plan(const struct admin_view *view, const struct admin_spec *spec,
                        struct admin_plan *out_plan);

#endif
