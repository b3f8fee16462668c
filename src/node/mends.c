#include "node/mends.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "node/node_int.h"
#include "proto/text.h"
#include "store/mend.h"

static struct node_read *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct node_read, link);
}

static struct slice key_of(const struct mend *mend)
{
    return (struct slice){mend->key, mend->key_size};
}

void mends_init(struct mends *mends, uint64_t first_number)
{
    *mends = (struct mends){.next_number = first_number};
    list_init(&mends->reads);
}

static void answer(struct mends *mends, struct node_read *read, err e, struct store_record *record)
{
    list_remove(&read->link);
    deadlines_remove(&mends->deadlines, &read->deadline);
    read->done(read, e, record);
}

void mends_close(struct mends *mends, err e)
{
    while (!list_is_empty(&mends->reads)) {
        answer(mends, of_link(mends->reads.next), e, NULL);
    }
    for (uint32_t i = 0; i < MENDS_MAX; i++) {
        mends->items[i].key_size = 0;
    }
    mends->count = 0;
    mends->doubt_count = 0;
    mends->asked_count = 0;
}

/* ---- what is under way ---- */

static struct mend *find(struct mends *mends, struct slice key)
{
    for (uint32_t i = 0; mends->count > 0 && i < MENDS_MAX; i++) {
        if (mends->items[i].key_size > 0 && slice_equal(key_of(&mends->items[i]), key)) {
            return &mends->items[i];
        }
    }
    return NULL;
}

/* NULL: there is no room (M2). */
static struct mend *add(struct mends *mends, struct slice key, uint64_t revision, bool is_doubt)
{
    if (mends->count == MENDS_MAX || (is_doubt && mends->doubt_count == MENDS_DOUBTS_MAX)) {
        return NULL;
    }
    struct mend *mend = mends->items;
    while (mend->key_size > 0) {
        mend++;
    }
    *mend = (struct mend){
        .key_size = (uint16_t)key.size,
        .is_doubt = is_doubt,
        .revision = revision,
    };
    memcpy(mend->key, key.data, key.size);
    mends->count++;
    mends->doubt_count += is_doubt ? 1 : 0;
    return mend;
}

static void close_question(struct mends *mends, struct mend *mend)
{
    if (mend->number != 0) {
        ASSERT(mends->asked_count > 0);
        mend->number = 0;
        mends->asked_count--;
    }
}

/*
 * What needs nobody says which key by the hash that the access log has, too. What a person has to
 * write again is named, or it could not be (docs/STYLE.md, logs).
 */
static void log_record(const struct replica *replica, enum log_level level, const char *what,
                       const struct mend *mend, node_id member)
{
    bool is_named = level == LOG_LEVEL_ERROR;
    struct writer key = {0};
    if (is_named) {
        text_escape(key_of(mend), &key);
    } else {
        writer_format(&key, "%016" PRIx64, hash64(key_of(mend), 0));
    }
    writer_u8(&key, '\0');
    log_write(replica->node->log, level, what, what,
              (const struct log_field[]){
                  LOG_U64("region", replica->region),
                  LOG_TEXT(is_named ? "key" : "key_hash", (const char *)key.data),
                  LOG_U64("mod_revision", mend->revision), LOG_U64("member", member)},
              4);
    writer_deinit(&key);
}

static void forget(struct mends *mends, struct mend *mend)
{
    close_question(mends, mend);
    mends->doubt_count -= mend->is_doubt ? 1 : 0;
    mends->count--;
    mend->is_doubt = false;
    mend->key_size = 0;
}

/* Answers the reads of the key that is mended, or not there, and forgets it. */
static void finish(struct replica *replica, struct mend *mend)
{
    struct mends *mends = &replica->mends;
    struct list ready;
    list_init(&ready);
    LIST_FOREACH (link, &mends->reads) {
        struct node_read *read = of_link(link);
        if (slice_equal(read->key, key_of(mend))) {
            list_remove(&read->link);
            list_push_back(&ready, &read->link);
        }
    }
    forget(mends, mend);
    while (!list_is_empty(&ready)) {
        struct node_read *read = of_link(ready.next);
        struct store_record record;
        err e = store_get(replica->node->store, read->key, &record);
        answer(mends, read, e, e == OK ? &record : NULL);
    }
}

/* ---- asking ---- */

static bool has_others(const struct replica *replica)
{
    return replica->node->net != NULL && replica->membership.member_count > 1;
}

/* The reachable member after `last`, in a circle; 0: none is. */
static node_id next_member(const struct replica *replica, node_id last)
{
    const struct node *node = replica->node;
    node_id lowest = 0;
    node_id next = 0;
    for (uint32_t i = 0; i < replica->membership.member_count; i++) {
        node_id id = replica->membership.members[i].id;
        if (id == node->identity.node || !net_is_up(node->net, id)) {
            continue;
        }
        lowest = lowest == 0 || id < lowest ? id : lowest;
        if (id > last && (next == 0 || id < next)) {
            next = id;
        }
    }
    return next != 0 ? next : lowest;
}

static void ask(struct replica *replica, struct mend *mend, uint64_t now_ms)
{
    struct mends *mends = &replica->mends;
    struct node *node = replica->node;
    node_id member = next_member(replica, mend->asked);
    if (member == 0) {
        return;
    }
    mends->next_number += mends->next_number == 0 ? 1 : 0;
    writer_reset(&node->scratch);
    writer_u64(&node->scratch, mends->next_number);
    writer_bytes(&node->scratch, key_of(mend));
    mend->asked = member;
    if (net_send(node->net, member, FRAME_RECORD_ASK, replica->region,
                 writer_slice(&node->scratch)) == OK) {
        mend->number = mends->next_number++;
        mend->asked_ms = now_ms;
        mends->asked_count++;
    }
}

/* Those that have no open question, as far as there is room (M2). `is_first`: only those that
 * nobody was asked yet. */
static void ask_waiting(struct replica *replica, uint64_t now_ms, bool is_first)
{
    struct mends *mends = &replica->mends;
    if (!has_others(replica) || !divergence_is_trusted(replica)) {
        return;
    }
    for (uint32_t i = 0; i < MENDS_MAX && mends->asked_count < MENDS_ASKED_MAX; i++) {
        struct mend *mend = &mends->items[mends->turn];
        mends->turn = (mends->turn + 1) % MENDS_MAX;
        if (mend->key_size > 0 && mend->number == 0 && (!is_first || mend->asked == 0)) {
            ask(replica, mend, now_ms);
        }
    }
}

/* The record that is to be mended; NULL: there is no room. */
static struct mend *begin(struct replica *replica, struct slice key, uint64_t revision)
{
    struct mends *mends = &replica->mends;
    struct mend *mend = find(mends, key);
    if (mend != NULL && !mend->is_doubt) {
        return mend;
    }
    if (mend != NULL) {
        forget(mends, mend); /* it was found since, and damaged */
    }
    mend = add(mends, key, revision, false);
    if (mend != NULL) {
        log_record(replica, LOG_LEVEL_WARN,
                   "a record is damaged: it will be mended from another member", mend, 0);
        ask_waiting(replica, env_now_ms(replica->node->env), true);
    }
    return mend;
}

bool mends_found(struct replica *replica, struct slice key, uint64_t revision)
{
    if (!divergence_is_trusted(replica)) {
        return true; /* it is wrong anyway */
    }
    if (!has_others(replica)) {
        struct mend mend = {.key_size = (uint16_t)key.size, .revision = revision};
        memcpy(mend.key, key.data, key.size);
        log_record(replica, LOG_LEVEL_ERROR,
                   "a record is damaged and there is no other member that has it: write it again, "
                   "or restore a backup",
                   &mend, 0);
        return true;
    }
    return begin(replica, key, revision) != NULL;
}

err mends_met(struct replica *replica, struct slice key)
{
    (void)mends_found(replica, key, 0); /* no room: whoever comes again tells it again */
    return has_others(replica) ? ERR_MENDING : ERR_CORRUPT;
}

static void add_read(struct replica *replica, struct node_read *read)
{
    struct mends *mends = &replica->mends;
    uint64_t until_ms = env_now_ms(replica->node->env) + MENDS_WAIT_MS;
    bool is_short = read->deadline_ms != 0 && read->deadline_ms < until_ms;
    read->deadline.at_ms = is_short ? read->deadline_ms : until_ms;
    list_init(&read->link);
    list_push_back(&mends->reads, &read->link);
    deadlines_add(&mends->deadlines, &read->deadline);
}

bool mends_wait(struct replica *replica, struct node_read *read)
{
    if (!has_others(replica)) {
        return false;
    }
    add_read(replica, read);
    if (begin(replica, read->key, 0) == NULL) {
        answer(&replica->mends, read, ERR_MENDING, NULL);
    }
    return true;
}

/* M4. */
static bool is_in_doubt(const struct replica *replica, struct slice key)
{
    const struct store *store = replica->node->store;
    return !store_is_absence_proven(store, key) &&
           (has_others(replica) || store_stats(store)->scrub_passes == 0);
}

/* Whether another member has a record of `key`. False: there is no room. */
static bool begin_doubt(struct replica *replica, struct slice key)
{
    struct mends *mends = &replica->mends;
    if (!has_others(replica) || find(mends, key) != NULL) {
        return true;
    }
    if (add(mends, key, 0, true) == NULL) {
        return false;
    }
    ask_waiting(replica, env_now_ms(replica->node->env), true);
    return true;
}

bool mends_doubt(struct replica *replica, struct node_read *read)
{
    if (!is_in_doubt(replica, read->key)) {
        return false;
    }
    add_read(replica, read);
    replica->mends.has_doubts = true;
    (void)begin_doubt(replica, read->key); /* no room: begin_doubts */
    return true;
}

/* For the reads that had no room. */
static void begin_doubts(struct replica *replica)
{
    struct mends *mends = &replica->mends;
    if (!mends->has_doubts || mends->doubt_count == MENDS_DOUBTS_MAX) {
        return;
    }
    LIST_FOREACH (link, &mends->reads) {
        if (!begin_doubt(replica, of_link(link)->key)) {
            return;
        }
    }
}

static bool is_waited_for(const struct mends *mends, const struct mend *mend)
{
    LIST_FOREACH (link, &mends->reads) {
        if (slice_equal(of_link(link)->key, key_of(mend))) {
            return true;
        }
    }
    return false;
}

/* Doubts that concern nobody any more. */
static void forget_doubts(struct mends *mends)
{
    for (uint32_t i = 0; mends->doubt_count > 0 && i < MENDS_MAX; i++) {
        struct mend *mend = &mends->items[i];
        if (mend->is_doubt && (!mends->has_doubts || !is_waited_for(mends, mend))) {
            forget(mends, mend);
        }
    }
}

/* Reads that wait though nothing of theirs is being mended: once they need not. */
static void clear_doubts(struct replica *replica)
{
    struct mends *mends = &replica->mends;
    if (!mends->has_doubts || is_in_doubt(replica, SLICE_LITERAL("?"))) {
        return;
    }
    mends->has_doubts = false;
    forget_doubts(mends);
    struct list ready;
    list_init(&ready);
    LIST_FOREACH (link, &mends->reads) {
        struct node_read *read = of_link(link);
        if (find(mends, read->key) == NULL) {
            list_remove(&read->link);
            list_push_back(&ready, &read->link);
        }
    }
    while (!list_is_empty(&ready)) {
        struct node_read *read = of_link(ready.next);
        list_remove(&read->link);
        deadlines_remove(&mends->deadlines, &read->deadline);
        reads_answer(read, replica->node->store);
    }
}

void mends_tick(struct replica *replica, uint64_t now_ms)
{
    struct mends *mends = &replica->mends;
    clear_doubts(replica);
    for (struct deadline *due = deadlines_due(&mends->deadlines, now_ms); due != NULL;
         due = deadlines_due(&mends->deadlines, now_ms)) {
        answer(mends, CONTAINER_OF(due, struct node_read, deadline), ERR_MENDING, NULL);
    }
    forget_doubts(mends);
    begin_doubts(replica);
    for (uint32_t i = 0; mends->count > 0 && i < MENDS_MAX; i++) {
        struct mend *mend = &mends->items[i];
        if (mend->key_size > 0 && mend->number != 0 && now_ms >= mend->asked_ms + MENDS_ANSWER_MS) {
            close_question(mends, mend);
        }
    }
    if (mends->count > 0) {
        ask_waiting(replica, now_ms, false);
    }
}

/* ---- answering ---- */

void mends_asked(struct replica *replica, node_id from, struct slice payload)
{
    struct node *node = replica->node;
    const struct store_region *state = store_region(node->store, replica->region);
    struct reader reader = reader_of(payload);
    struct frame_record told = {.number = reader_u64(&reader), .state = FRAME_RECORD_REFUSED};
    struct slice key = reader_bytes(&reader, reader.size);
    if (!reader_ok(&reader) || key.size == 0 || key.size > KEY_SIZE_MAX || state == NULL) {
        return;
    }
    struct writer bytes = {0};
    if (divergence_is_trusted(replica)) { /* M5 */
        err e = store_mend_read(node->store, key, &bytes);
        told.applied = state->applied.index;
        if (e == OK) {
            told.state = FRAME_RECORD_WHOLE;
        } else if (e == ERR_NOT_FOUND) {
            told.state = FRAME_RECORD_NONE;
        } else {
            (void)mends_found(replica, key, 0);
        }
    }
    told.bytes = writer_slice(&bytes);
    writer_reset(&node->scratch);
    frame_record_encode(&told, &node->scratch);
    (void)!net_send(node->net, from, FRAME_RECORD, replica->region, writer_slice(&node->scratch));
    writer_deinit(&bytes);
}

/* M3. */
static void note_conflict(struct replica *replica, struct mend *mend, node_id from)
{
    if (mend->conflict_with != from) {
        mend->conflict_with = from;
        mend->conflicts++;
    }
    log_record(replica, LOG_LEVEL_WARN,
               mend->is_doubt
                   ? "another member has a record that is not found here"
                   : "another member's record does not fit what is left of the damaged one",
               mend, from);
    uint32_t others = replica->membership.member_count - 1;
    if (mend->conflicts >= (others < MENDS_CONFLICTS_MAX ? others : MENDS_CONFLICTS_MAX)) {
        divergence_condemn(replica, "other members agree that one of its records is another one");
    }
}

void mends_answered(struct replica *replica, node_id from, struct slice payload)
{
    struct mends *mends = &replica->mends;
    struct frame_record told;
    if (frame_record_decode(payload, &told) != OK) {
        LOG_WARN(replica->node->log, "malformed record", LOG_U64("from", from));
        return;
    }
    struct mend *mend = mends->items;
    while (mend < mends->items + MENDS_MAX &&
           (mend->key_size == 0 || mend->number == 0 || mend->number != told.number ||
            mend->asked != from)) {
        mend++;
    }
    if (mend == mends->items + MENDS_MAX || !divergence_is_trusted(replica)) {
        return; /* of a question that is closed */
    }
    close_question(mends, mend);
    struct store *store = replica->node->store;
    err e = ERR_UNAVAILABLE;
    if (told.state != FRAME_RECORD_REFUSED) {
        e = (mend->is_doubt ? store_mend_confirm : store_mend_write)(
            store, replica->region, key_of(mend), told.applied, told.bytes);
    }
    if (e == OK) {
        if (!mend->is_doubt) {
            log_record(replica, LOG_LEVEL_WARN, "a damaged record is whole again", mend, from);
        }
        finish(replica, mend);
    } else if (e == ERR_CONFLICT) {
        note_conflict(replica, mend, from);
    }
    begin_doubts(replica);
    ask_waiting(replica, env_now_ms(replica->node->env), true);
}
