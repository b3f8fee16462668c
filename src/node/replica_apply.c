/*
 * Applying: what is committed goes to the store in order, and whoever waits for it is answered.
 *
 * A1  What is done for an entry depends on the entry and the applied state alone (determinism);
 *     that some write waits here for its result changes only who is told.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "node/replica.h"

static void apply_command(struct replica *replica, const struct entry *entry)
{
    struct store *store = replica->node->store;
    struct command command;
    struct command_result result = {.e = OK};
    err e = command_decode(buf_slice(entry->data), &command);
    if (e == ERR_VERSION) {
        /* A guess could make this replica differ from the others. */
        fatal(0,
              "entry %" PRIu64 " of region %" PRIu64 " was written by a newer pontoon: upgrade "
              "this node",
              entry->pos.index, replica->region);
    }
    if (e == OK) {
        store_apply(store, replica->region, entry->pos, &command, entry->data, &result);
    } else {
        store_apply_nothing(store, replica->region, entry->pos);
        result.e = ERR_BAD_REQUEST;
    }
    writes_applied(&replica->writes, entry->pos, &result);
}

static void meet_members(struct replica *replica, const struct membership *before)
{
    struct node *node = replica->node;
    for (uint32_t i = 0; node->net != NULL && i < before->member_count; i++) {
        if (membership_find(&replica->membership, before->members[i].id) == NULL) {
            net_peer_remove(node->net, before->members[i].id);
            replica_peer_down(replica, before->members[i].id);
        }
    }
    for (uint32_t i = 0; node->net != NULL && i < replica->membership.member_count; i++) {
        const struct member *member = &replica->membership.members[i];
        if (member->id != node->identity.node) {
            if (net_peer_set(node->net, member->id, member->peer_address) != OK) {
                LOG_WARN(node->log, "a member has no usable address", LOG_U64("member", member->id),
                         LOG_TEXT("address", member->peer_address));
            }
        }
    }
}

/* The address book after `change`: who is added brings an address, who is in no set any more
 * goes. */
static void update_addresses(struct membership *membership, const struct conf_change *change)
{
    struct reader context = reader_of(change->context);
    struct member member;
    if (change->context.size > 0 && member_decode(&context, &member) == OK) {
        (void)!membership_put(membership, &member); /* full: the core has refused the change too */
    }
    for (uint32_t i = membership->member_count; i > 0; i--) {
        node_id id = membership->members[i - 1].id;
        const struct conf_state *conf = &membership->conf;
        if (!id_set_has(&conf->voters, id) && !id_set_has(&conf->voters_outgoing, id) &&
            !id_set_has(&conf->learners, id) && !id_set_has(&conf->learners_next, id)) {
            membership_remove(membership, id);
        }
    }
}

static void apply_conf_change(struct replica *replica, const struct entry *entry)
{
    struct membership before = replica->membership;
    struct conf_change change;
    struct conf_state conf;
    if (conf_change_decode(buf_slice(entry->data), &change) == OK &&
        raft_apply_conf_change(replica->raft, &change, &conf) == OK) {
        replica->membership.conf = conf;
        update_addresses(&replica->membership, &change);
        meet_members(replica, &before);
        LOG_INFO(replica->node->log, "membership changed", LOG_U64("region", replica->region),
                 LOG_U64("index", entry->pos.index), LOG_U64("voters", conf.voters.count),
                 LOG_U64("learners", conf.learners.count));
    }
    store_apply_membership(replica->node->store, replica->region, entry->pos, &replica->membership);
}

static void apply_bootstrap(struct replica *replica, const struct entry *entry)
{
    struct membership founders;
    struct reader reader = reader_of(buf_slice(entry->data));
    if (membership_decode(&reader, &founders) != OK) {
        fatal(0, "entry %" PRIu64 " of region %" PRIu64 " does not hold a membership",
              entry->pos.index, replica->region);
    }
    store_apply_membership(replica->node->store, replica->region, entry->pos, &founders);
}

static void apply_entry(struct replica *replica, const struct entry *entry)
{
    ASSERT(entry->pos.index == replica->applied + 1); /* R2 */
    switch (entry->type) {
    case ENTRY_NORMAL:
        if (entry->data != NULL) {
            apply_command(replica, entry);
        } else {
            store_apply_nothing(replica->node->store, replica->region, entry->pos);
            writes_applied(&replica->writes, entry->pos, NULL);
        }
        break;
    case ENTRY_CONF_CHANGE:
    case ENTRY_CONF_CHANGE_V2:
        apply_conf_change(replica, entry);
        writes_applied(&replica->writes, entry->pos, NULL);
        break;
    case ENTRY_BOOTSTRAP:
        apply_bootstrap(replica, entry);
        break;
    }
    replica->applied = entry->pos.index;
}

void replica_take_committed(struct replica *replica, const struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&replica->backlog, &entries[i]);
    }
}

bool replica_has_backlog(const struct replica *replica)
{
    return replica->backlog_next < replica->backlog.count;
}

bool replica_apply(struct replica *replica, struct apply_budget *budget)
{
    uint64_t before = replica->applied;
    if (replica->writes.count > 0) {
        writes_set_clock(&replica->writes, env_now_ns(replica->node->env));
    }
    while (replica_has_backlog(replica) && budget->entries > 0 && budget->bytes > 0 &&
           store_health(replica->node->store) == OK) {
        const struct entry *entry = &replica->backlog.items[replica->backlog_next];
        size_t size = entry_size(entry);
        apply_entry(replica, entry);
        replica->backlog_next++;
        budget->entries--;
        budget->bytes -= size < budget->bytes ? size : budget->bytes;
    }
    if (!replica_has_backlog(replica)) {
        raft_entries_clear(&replica->backlog);
        replica->backlog_next = 0;
    }
    if (replica->applied == before) {
        return false;
    }
    counter_add(&replica->applied_entries, replica->applied - before);
    raft_applied(replica->raft, replica->applied);
    return true;
}
