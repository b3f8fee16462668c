#include "node/notices.h"

#include "base/assert.h"
#include "base/hash.h"
#include "node/node_int.h"

void notices_init(struct notices *notices)
{
    for (size_t i = 0; i < NOTICES_BUCKETS; i++) {
        list_init(&notices->buckets[i]);
    }
    list_init(&notices->due);
    notices->count = 0;
}

static struct list *bucket_of(struct notices *notices, uint64_t hash)
{
    return &notices->buckets[hash % NOTICES_BUCKETS];
}

void notices_note(struct notices *notices, struct slice key)
{
    if (LIKELY(notices->count == 0)) {
        return;
    }
    uint64_t hash = hash64(key, 0);
    LIST_FOREACH (node, bucket_of(notices, hash)) {
        struct node_notice *notice = CONTAINER_OF(node, struct node_notice, link);
        if (notice->hash == hash) { /* another key with that hash does no harm */
            list_remove(&notice->link);
            list_push_back(&notices->due, &notice->link);
        }
    }
}

void notices_note_all(struct notices *notices)
{
    for (size_t i = 0; i < NOTICES_BUCKETS; i++) {
        list_splice_back(&notices->due, &notices->buckets[i]);
    }
}

void notices_turn(struct notices *notices)
{
    struct list due;
    list_init(&due);
    list_splice_back(&due, &notices->due);
    while (!list_is_empty(&due)) {
        struct node_notice *notice = CONTAINER_OF(due.next, struct node_notice, link);
        list_remove(&notice->link);
        list_push_back(bucket_of(notices, notice->hash), &notice->link);
        notice->changed(notice); /* may stop any of them (T2) */
    }
}

void node_notice_start(struct node *node, struct node_notice *notice, struct slice key)
{
    ASSERT(notice->changed != NULL && notice->link.next == NULL);
    notice->hash = hash64(key, 0);
    list_push_back(bucket_of(&node->notices, notice->hash), &notice->link);
    node->notices.count++;
}

void node_notice_stop(struct node *node, struct node_notice *notice)
{
    if (notice->link.next != NULL) {
        ASSERT(node->notices.count > 0);
        list_remove(&notice->link);
        notice->link = (struct list){NULL, NULL};
        node->notices.count--;
    }
}

err node_state_look(struct node *node, struct node_state *out_state)
{
    const struct replica *replica = node->replica;
    const struct store_region *state = store_region(node->store, replica->region);
    if (replica->repair.is_waiting || !divergence_is_trusted(replica)) {
        return ERR_DIVERGED;
    }
    if (state == NULL) {
        return ERR_NO_LEADER; /* not even its first entry is there */
    }
    *out_state = (struct node_state){node->store, expiry_guess_ms(&replica->expiry)};
    return OK;
}
