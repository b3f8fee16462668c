#include "node/contact.h"

#include "base/assert.h"

static const struct contact_peer *get(const struct contact *contact, node_id peer)
{
    for (uint32_t i = 0; i < contact->count; i++) {
        if (contact->peers[i].id == peer) {
            return &contact->peers[i];
        }
    }
    return NULL;
}

static struct contact_peer *find(struct contact *contact, node_id peer)
{
    const struct contact_peer *known = get(contact, peer);
    return known == NULL ? NULL : &contact->peers[known - contact->peers];
}

/* NULL: there is no place for it. */
static struct contact_peer *find_or_add(struct contact *contact, node_id peer)
{
    ASSERT(peer != 0);
    struct contact_peer *known = find(contact, peer);
    if (known == NULL && contact->count < MEMBERS_MAX) {
        known = &contact->peers[contact->count];
        contact->count++;
        *known = (struct contact_peer){.id = peer};
    }
    return known;
}

void contact_heard(struct contact *contact, node_id peer, uint64_t now_ms)
{
    struct contact_peer *known = find_or_add(contact, peer);
    if (known != NULL) {
        known->heard_ms = now_ms;
        known->is_mending = false;
    }
}

void contact_mends(struct contact *contact, node_id peer)
{
    struct contact_peer *known = find_or_add(contact, peer);
    if (known != NULL) {
        known->is_mending = true;
    }
}

bool contact_is_mending(const struct contact *contact, node_id peer)
{
    const struct contact_peer *known = get(contact, peer);
    return known != NULL && known->is_mending;
}

void contact_lost(struct contact *contact, node_id peer)
{
    struct contact_peer *known = find(contact, peer);
    if (known != NULL) {
        contact->count--;
        *known = contact->peers[contact->count];
    }
}

static bool was_heard(const struct contact_peer *known, uint64_t oldest_ms)
{
    return known->heard_ms != 0 && known->heard_ms >= oldest_ms;
}

static bool is_in_contact(const struct contact *contact, node_id peer, uint64_t oldest_ms)
{
    const struct contact_peer *known = get(contact, peer);
    return known != NULL && was_heard(known, oldest_ms) && !known->is_mending;
}

/* What was heard from then on was heard within the window. */
static uint64_t oldest(uint64_t now_ms, uint64_t window_ms)
{
    return now_ms > window_ms ? now_ms - window_ms : 0;
}

bool contact_is_lost(const struct contact *contact, node_id peer, uint64_t now_ms,
                     uint64_t window_ms)
{
    return !is_in_contact(contact, peer, oldest(now_ms, window_ms));
}

bool contact_is_quiet(const struct contact *contact, uint64_t now_ms, uint64_t window_ms)
{
    uint64_t oldest_ms = oldest(now_ms, window_ms);
    for (uint32_t i = 0; i < contact->count; i++) {
        if (was_heard(&contact->peers[i], oldest_ms)) {
            return false;
        }
    }
    return true;
}

static bool has_majority(const struct contact *contact, const struct id_set *voters, node_id self,
                         uint64_t oldest_ms)
{
    uint32_t heard = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        if (voters->ids[i] == self || is_in_contact(contact, voters->ids[i], oldest_ms)) {
            heard++;
        }
    }
    return heard > voters->count / 2;
}

bool contact_has_quorum(const struct contact *contact, const struct conf_state *conf, node_id self,
                        uint64_t now_ms, uint64_t window_ms)
{
    uint64_t oldest_ms = oldest(now_ms, window_ms);
    return has_majority(contact, &conf->voters, self, oldest_ms) &&
           (conf->voters_outgoing.count == 0 ||
            has_majority(contact, &conf->voters_outgoing, self, oldest_ms));
}
