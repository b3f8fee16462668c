#include "node/reads.h"

#include "base/assert.h"
#include "node/mends.h"

static struct node_read *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct node_read, link);
}

static struct node_read *first(struct list *list)
{
    return list_is_empty(list) ? NULL : of_link(list->next);
}

void reads_init(struct reads *reads, uint64_t first_sequence)
{
    *reads = (struct reads){.next_sequence = first_sequence == 0 ? 1 : first_sequence};
    list_init(&reads->waiting);
    list_init(&reads->confirmed);
    list_init(&reads->behind);
    reads->behind_min = UINT64_MAX;
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        list_init(&reads->batches[i].reads);
    }
}

static void add(struct reads *reads, struct list *list, struct node_read *read)
{
    ASSERT(read->done != NULL);
    ASSERT(read->is_scan || read->key.size > 0);
    list_init(&read->link);
    list_push_back(list, &read->link);
    read->index = 0;
    read->is_behind = false;
    read->deadline.at_ms = read->deadline_ms;
    deadlines_add(&reads->deadlines, &read->deadline);
    reads->count++;
}

void reads_add(struct reads *reads, struct node_read *read)
{
    add(reads, &reads->waiting, read);
}

static void note_behind(struct reads *reads, struct node_read *read)
{
    ASSERT(read->revision_min > 0);
    read->is_behind = true;
    if (read->revision_min < reads->behind_min) {
        reads->behind_min = read->revision_min;
    }
}

void reads_add_behind(struct reads *reads, struct node_read *read)
{
    add(reads, &reads->behind, read);
    note_behind(reads, read);
}

static void forget(struct reads *reads, struct node_read *read)
{
    ASSERT(reads->count > 0);
    list_remove(&read->link);
    deadlines_remove(&reads->deadlines, &read->deadline);
    reads->count--;
    counter_add(&reads->finished, 1);
}

uint32_t reads_asked(const struct reads *reads)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        count += reads->batches[i].sequence != 0;
    }
    return count;
}

uint64_t reads_ask(struct reads *reads, uint64_t now_ms)
{
    if (list_is_empty(&reads->waiting)) {
        return 0;
    }
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        struct read_batch *batch = &reads->batches[i];
        if (batch->sequence != 0) {
            continue;
        }
        ASSERT(list_is_empty(&batch->reads));
        list_splice_back(&batch->reads, &reads->waiting); /* R1 */
        batch->sequence = reads->next_sequence;
        batch->asked_ms = now_ms;
        reads->next_sequence++;
        if (reads->next_sequence == 0) {
            reads->next_sequence = 1;
        }
        return batch->sequence;
    }
    return 0; /* R3 */
}

static struct read_batch *batch_of(struct reads *reads, uint64_t sequence)
{
    ASSERT(sequence != 0);
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        if (reads->batches[i].sequence == sequence) {
            return &reads->batches[i];
        }
    }
    return NULL;
}

void reads_unasked(struct reads *reads, uint64_t sequence)
{
    struct read_batch *batch = batch_of(reads, sequence);
    ASSERT(batch != NULL);
    list_splice_back(&batch->reads, &reads->waiting);
    list_splice_back(&reads->waiting, &batch->reads); /* the older ones stay in front */
    batch->sequence = 0;
}

uint64_t reads_overdue(struct reads *reads, uint64_t now_ms, uint64_t asked_before_ms)
{
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        struct read_batch *batch = &reads->batches[i];
        if (batch->sequence == 0 || batch->asked_ms >= asked_before_ms) {
            continue;
        }
        if (!list_is_empty(&batch->reads)) {
            batch->asked_ms = now_ms;
            return batch->sequence;
        }
        batch->sequence = 0; /* nobody waits for the answer any more */
    }
    return 0;
}

void reads_lost(struct reads *reads)
{
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        reads->batches[i].asked_ms = 0;
    }
}

void reads_confirm(struct reads *reads, uint64_t sequence, uint64_t index, uint64_t now_ns)
{
    struct read_batch *batch = batch_of(reads, sequence);
    if (batch == NULL) {
        return; /* another answer was there before, or nobody waits any more */
    }
    LIST_FOREACH (link, &batch->reads) {
        struct node_read *read = of_link(link);
        read->index = index;
        if (read->received_ns != 0 && now_ns > read->received_ns) {
            read->index_us = (uint32_t)((now_ns - read->received_ns) / 1000);
            histogram_observe(&reads->index_us, read->index_us);
        }
    }
    /* An answer can overtake another one's: keep the order of the indexes. */
    struct list *after = reads->confirmed.prev;
    while (after != &reads->confirmed && of_link(after)->index > index) {
        after = after->prev;
    }
    list_splice_back(after->next, &batch->reads);
    batch->sequence = 0;
}

uint64_t reads_answer(struct node_read *read, struct store *store)
{
    struct store_record record;
    if (read->is_scan) {
        read->done(read, OK, NULL);
        return READS_SCAN_COST;
    }
    err e = store_get(store, read->key, &record);
    if (e == ERR_CORRUPT && read->replica != NULL && mends_wait(read->replica, read)) {
        return 0;
    }
    if (e == ERR_NOT_FOUND && read->replica != NULL && mends_doubt(read->replica, read)) {
        return 0;
    }
    uint64_t size = e == OK ? record.value.size : 0;
    read->done(read, e, e == OK ? &record : NULL);
    return size;
}

/* The store looks for the next ones' keys all at once, then for each. */
static void look_ahead(const struct reads *reads, uint64_t applied, const struct store *store)
{
    struct slice keys[STORE_PREFETCH_MAX];
    uint32_t count = 0;
    LIST_FOREACH (link, &reads->confirmed) {
        if (count == STORE_PREFETCH_MAX || of_link(link)->index > applied ||
            of_link(link)->is_scan) {
            break;
        }
        keys[count] = of_link(link)->key;
        count++;
    }
    if (count > 1) {
        store_prefetch(store, keys, count);
    }
}

/* Those whose revision has come join what is confirmed, at an index that is applied. */
static void catch_up(struct reads *reads, struct read_point point)
{
    if (LIKELY(point.revision < reads->behind_min)) {
        return;
    }
    reads->behind_min = UINT64_MAX;
    LIST_FOREACH (link, &reads->behind) {
        struct node_read *read = of_link(link);
        if (read->revision_min <= point.revision) {
            list_remove(link);
            list_push_back(reads->confirmed.next, link); /* in front of all */
            read->index = 1;                             /* which is applied: the order stays */
            read->is_behind = false;
        } else {
            note_behind(reads, read);
        }
    }
}

bool reads_serve(struct reads *reads, struct read_point point, struct store *store,
                 struct read_budget *budget)
{
    uint32_t served = 0;
    catch_up(reads, point);
    for (struct node_read *read = first(&reads->confirmed);
         read != NULL && read->index <= point.applied; read = first(&reads->confirmed)) {
        if (UNLIKELY(read->revision_min > point.revision)) {
            list_remove(&read->link);
            list_push_back(&reads->behind, &read->link);
            note_behind(reads, read);
            continue;
        }
        if (budget->count == 0 || budget->bytes == 0) {
            return false;
        }
        if (served % STORE_PREFETCH_MAX == 0) {
            look_ahead(reads, point.applied, store);
        }
        served++;
        forget(reads, read);
        uint64_t size = reads_answer(read, store);
        budget->count--;
        budget->bytes -= size < budget->bytes ? size : budget->bytes;
    }
    return true;
}

void reads_tick(struct reads *reads, uint64_t now_ms)
{
    for (struct deadline *due = deadlines_due(&reads->deadlines, now_ms); due != NULL;
         due = deadlines_due(&reads->deadlines, now_ms)) {
        struct node_read *read = CONTAINER_OF(due, struct node_read, deadline);
        forget(reads, read);
        counter_add(&reads->expired, 1);
        /* With an index it only waited for this node to come so far. */
        err why = read->index != 0 ? ERR_OVERLOADED : ERR_NO_LEADER;
        read->done(read, read->is_behind ? ERR_BEHIND : why, NULL);
    }
}

static void close_list(struct reads *reads, struct list *list, err e)
{
    for (struct node_read *read = first(list); read != NULL; read = first(list)) {
        forget(reads, read);
        read->done(read, e, NULL);
    }
}

void reads_close(struct reads *reads, err e)
{
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        close_list(reads, &reads->batches[i].reads, e);
        reads->batches[i].sequence = 0;
    }
    close_list(reads, &reads->waiting, e);
    close_list(reads, &reads->confirmed, e);
    close_list(reads, &reads->behind, e);
    ASSERT(reads->count == 0);
}
