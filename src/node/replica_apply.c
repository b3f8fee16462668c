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

/* At ERR_VERSION: a guess could make this replica differ from the others. */
static void stop_if_newer(const struct replica *replica, const struct entry *entry, err e)
{
    if (e == ERR_VERSION) {
        fatal(0,
              "entry %" PRIu64 " of region %" PRIu64 " was written by a newer pontoon: upgrade "
              "this node",
              entry->pos.index, replica->region);
    }
}

static void apply_command(struct replica *replica, const struct entry *entry)
{
    struct store *store = replica->node->store;
    struct command command;
    struct command_result result = {.e = OK};
    err e = command_decode(buf_slice(entry->data), &command);
    stop_if_newer(replica, entry, e);
    if (e == OK) {
        store_apply(store, replica->region, entry->pos, &command, entry->data, &result);
        quota_applied(replica, &command, &result);
    } else {
        store_apply_nothing(store, replica->region, entry->pos);
        result.e = ERR_BAD_REQUEST;
    }
    writes_applied(&replica->writes, entry->pos, &result);
}

/* Who is added by `change`, or gets another address. */
static err decode_added(const struct conf_change *change, struct membership *out_added)
{
    struct reader reader = reader_of(change->context);
    *out_added = (struct membership){.member_count = 0};
    return change->context.size == 0 ? OK : membership_decode(&reader, out_added);
}

static err apply_conf_change(struct replica *replica, const struct entry *entry)
{
    struct membership membership = replica->membership;
    struct membership added;
    struct conf_change change;
    err e = conf_change_decode(buf_slice(entry->data), &change);
    if (e == OK) {
        e = decode_added(&change, &added);
    }
    stop_if_newer(replica, entry, e);
    if (e == OK) {
        e = raft_apply_conf_change(replica->raft, &change, &membership.conf);
    }
    if (e == OK) {
        const struct conf_state *conf = &membership.conf;
        members_update(&membership, &added);
        LOG_INFO(replica->node->log, "membership changed", LOG_U64("region", replica->region),
                 LOG_U64("index", entry->pos.index), LOG_U64("voters", conf->voters.count),
                 LOG_U64("learners", conf->learners.count),
                 LOG_U64("outgoing", conf->voters_outgoing.count));
        members_adopt(replica, &membership, entry->pos.index);
    }
    store_apply_membership(replica->node->store, replica->region, entry->pos, &replica->membership);
    return e == OK ? OK : ERR_CONFLICT;
}

static void apply_bootstrap(struct replica *replica, const struct entry *entry)
{
    struct membership founders;
    struct reader reader = reader_of(buf_slice(entry->data));
    if (membership_decode(&reader, &founders) != OK ||
        raft_apply_bootstrap(replica->raft, &founders.conf) != OK) {
        fatal(0, "entry %" PRIu64 " of region %" PRIu64 " does not hold this group's membership",
              entry->pos.index, replica->region);
    }
    members_adopt(replica, &founders, entry->pos.index);
    store_apply_membership(replica->node->store, replica->region, entry->pos, &founders);
}

static void apply_entry(struct replica *replica, const struct entry *entry)
{
    ASSERT(entry->pos.index == replica->applied + 1); /* R2 */
    err change = ERR_BUSY; /* what becomes of one that waits for this place: there is none here */
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
        change = apply_conf_change(replica, entry);
        writes_applied(&replica->writes, entry->pos, NULL);
        break;
    case ENTRY_BOOTSTRAP:
        apply_bootstrap(replica, entry);
        break;
    }
    replica->applied = entry->pos.index;
    divergence_note(replica);
    changes_applied(replica, entry->pos, change);
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

/* The keys of the next entries: the store looks for all of them at once, then for each. */
static void look_ahead(const struct replica *replica)
{
    struct slice keys[STORE_PREFETCH_MAX];
    uint32_t count = 0;
    uint32_t left = replica->backlog.count - replica->backlog_next;
    uint32_t end = replica->backlog_next + (left < STORE_PREFETCH_MAX ? left : STORE_PREFETCH_MAX);
    for (uint32_t i = replica->backlog_next; i < end; i++) {
        const struct entry *entry = &replica->backlog.items[i];
        bool is_command = entry->type == ENTRY_NORMAL && entry->data != NULL;
        struct slice key = is_command ? command_key(entry->data) : SLICE_EMPTY;
        if (key.size > 0) {
            keys[count] = key;
            count++;
        }
    }
    if (count > 1) {
        store_prefetch(replica->node->store, keys, count);
    }
}

bool replica_apply(struct replica *replica, struct apply_budget *budget)
{
    uint64_t before = replica->applied;
    if (replica->install.is_running) {
        return false; /* I1 */
    }
    if (replica->writes.count > 0) {
        writes_set_clock(&replica->writes, env_now_ns(replica->node->env));
    }
    for (uint32_t i = 0; replica_has_backlog(replica) && budget->entries > 0 && budget->bytes > 0 &&
                         store_health(replica->node->store) == OK;
         i++) {
        if (i % STORE_PREFETCH_MAX == 0) {
            look_ahead(replica);
        }
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
