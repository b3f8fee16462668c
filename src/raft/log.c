#include "raft/log.h"

#include "base/assert.h"
#include "base/mem.h"
#include "raft/entries_int.h"

#define SCAN_SIZE_MAX (UINT64_C(1) << 20) /* entries read at once when looking for something */

void raft_log_init(struct raft_log *log, const struct raft_storage *storage,
                   uint64_t max_applying_size)
{
    uint64_t first = storage->first_index(storage->ctx);
    ASSERT(first > 0);
    *log = (struct raft_log){
        .storage = storage,
        .committed = first - 1,
        .applying = first - 1,
        .applied = first - 1,
        .max_applying_size = max_applying_size,
    };
    raft_unstable_init(&log->unstable, storage->last_index(storage->ctx));
}

void raft_log_deinit(struct raft_log *log)
{
    raft_unstable_deinit(&log->unstable);
    mem_free(log->batches);
    log->batches = NULL;
}

/* ---- Reading ---- */

uint64_t raft_log_first_index(const struct raft_log *log)
{
    if (log->unstable.has_snapshot) {
        return log->unstable.snapshot.pos.index + 1;
    }
    return log->storage->first_index(log->storage->ctx);
}

uint64_t raft_log_last_index(const struct raft_log *log)
{
    if (log->unstable.entries.count > 0 || log->unstable.has_snapshot) {
        return raft_unstable_end(&log->unstable) - 1;
    }
    return log->storage->last_index(log->storage->ctx);
}

err raft_log_term(const struct raft_log *log, uint64_t index, uint64_t *out_term)
{
    if (raft_unstable_term(&log->unstable, index, out_term)) {
        return OK;
    }
    if (index + 1 < raft_log_first_index(log)) {
        return ERR_COMPACTED;
    }
    if (index > raft_log_last_index(log)) {
        return ERR_UNAVAILABLE;
    }
    return log->storage->term(log->storage->ctx, index, out_term);
}

struct raft_pos raft_log_last(const struct raft_log *log)
{
    struct raft_pos last = {.index = raft_log_last_index(log)};
    err e = raft_log_term(log, last.index, &last.term);
    ASSERT(e == OK); /* the storage's contract: terms from first - 1 to last */
    return last;
}

bool raft_log_matches(const struct raft_log *log, struct raft_pos pos)
{
    uint64_t term = 0;
    return raft_log_term(log, pos.index, &term) == OK && term == pos.term;
}

bool raft_log_is_up_to_date(const struct raft_log *log, struct raft_pos last)
{
    struct raft_pos ours = raft_log_last(log);
    return last.term > ours.term || (last.term == ours.term && last.index >= ours.index);
}

struct raft_pos raft_log_find_conflict(const struct raft_log *log, struct raft_pos from)
{
    for (uint64_t index = from.index; index > 0; index--) {
        uint64_t term = 0;
        if (raft_log_term(log, index, &term) != OK) {
            return (struct raft_pos){.term = 0, .index = index};
        }
        if (term <= from.term) {
            return (struct raft_pos){.term = term, .index = index};
        }
    }
    return (struct raft_pos){0};
}

/* Pushes while the weights sum to at most `size_max`; `used` is the sum so far, 0 only at the
 * first. */
static bool push_within(struct raft_entries *list, const struct entry *entry, uint64_t *used,
                        uint64_t size_max)
{
    uint64_t weight = raft_entry_weight(entry);
    bool fits = *used < size_max && weight <= size_max - *used;
    if (*used > 0 && !fits) {
        return false;
    }
    raft_entries_push(list, entry);
    *used += weight;
    return true;
}

/* The part of [low, high) that lies in the storage. False: the size limit was reached in it. */
static err read_stable(const struct raft_log *log, uint64_t low, uint64_t high, uint64_t size_max,
                       struct raft_entries *out_entries)
{
    uint32_t before = out_entries->count;
    err e = log->storage->entries(log->storage->ctx, low, high, size_max, out_entries);
    if (e != OK) {
        raft_entries_truncate(out_entries, before);
        return e;
    }
    ASSERT(out_entries->count > before);
    ASSERT(out_entries->count - before <= high - low);
    ASSERT(out_entries->items[before].pos.index == low);
    return OK;
}

static err slice(const struct raft_log *log, uint64_t low, uint64_t high, uint64_t size_max,
                 struct raft_entries *out_entries)
{
    ASSERT(low < high);
    ASSERT(high <= raft_log_last_index(log) + 1);
    if (low < raft_log_first_index(log)) {
        return ERR_COMPACTED;
    }
    const struct raft_unstable *unstable = &log->unstable;
    uint64_t used = 0;
    if (low < unstable->offset) {
        uint64_t cut = high < unstable->offset ? high : unstable->offset;
        uint32_t before = out_entries->count;
        err e = read_stable(log, low, cut, size_max, out_entries);
        if (e != OK) {
            return e;
        }
        for (uint32_t i = before; i < out_entries->count; i++) {
            used += raft_entry_weight(&out_entries->items[i]);
        }
        if (out_entries->count - before < cut - low) {
            return OK; /* the next one would have gone over the limit */
        }
        low = cut;
    }
    for (uint64_t index = low; index < high; index++) {
        const struct entry *entry = &unstable->entries.items[index - unstable->offset];
        if (!push_within(out_entries, entry, &used, size_max)) {
            break;
        }
    }
    return OK;
}

err raft_log_entries(const struct raft_log *log, uint64_t low, uint64_t size_max,
                     struct raft_entries *out_entries)
{
    uint64_t last = raft_log_last_index(log);
    return low > last ? OK : slice(log, low, last + 1, size_max, out_entries);
}

/* ---- Appending ---- */

void raft_log_append(struct raft_log *log, const struct entry *entries, uint32_t count)
{
    if (count > 0) {
        ASSERT(entries[0].pos.index > log->committed); /* L2 */
        raft_unstable_append(&log->unstable, entries, count);
    }
}

/* The number of entries at the front that the log has already. */
static uint32_t count_known(const struct raft_log *log, const struct entry *entries, uint32_t count)
{
    uint32_t known = 0;
    while (known < count && raft_log_matches(log, entries[known].pos)) {
        known++;
    }
    return known;
}

bool raft_log_try_append(struct raft_log *log, struct raft_pos prev, const struct entry *entries,
                         uint32_t count, uint64_t leader_commit)
{
    ASSERT(prev.index >= log->committed); /* L2 */
    if (!raft_log_matches(log, prev)) {
        return false;
    }
    /* Only a real conflict replaces anything: a message that was overtaken by a longer one must not
     * cut off what that one brought (section 5.3). */
    uint32_t known = count_known(log, entries, count);
    if (known < count) {
        raft_log_append(log, entries + known, count - known);
    }
    uint64_t checked = prev.index + count;
    raft_log_commit_to(log, leader_commit < checked ? leader_commit : checked);
    return true;
}

void raft_log_restore(struct raft_log *log, const struct snapshot *snapshot)
{
    ASSERT(snapshot->pos.index > log->committed);
    raft_unstable_restore(&log->unstable, snapshot);
    log->committed = snapshot->pos.index;
}

/* ---- Committing ---- */

void raft_log_commit_to(struct raft_log *log, uint64_t index)
{
    if (index > log->committed) {
        ASSERT(index <= raft_log_last_index(log)); /* L1 */
        log->committed = index;
    }
}

bool raft_log_maybe_commit(struct raft_log *log, struct raft_pos pos)
{
    if (pos.term == 0 || pos.index <= log->committed || !raft_log_matches(log, pos)) {
        return false;
    }
    raft_log_commit_to(log, pos.index);
    return true;
}

/* ---- Applying ---- */

/* The index after the last that may be applied. */
static uint64_t applicable_end(const struct raft_log *log, bool allow_unstable)
{
    uint64_t end = log->committed + 1;
    return !allow_unstable && end > log->unstable.offset ? log->unstable.offset : end;
}

bool raft_log_has_committed(const struct raft_log *log, bool allow_unstable)
{
    /* A snapshot comes first: the state machine jumps over what is before it. */
    if (log->applying_paused || log->unstable.has_snapshot) {
        return false;
    }
    return log->applying + 1 < applicable_end(log, allow_unstable);
}

static void push_batch(struct raft_log *log, struct raft_apply_batch batch)
{
    if (log->batch_count == log->batch_capacity) {
        log->batch_capacity = log->batch_capacity == 0 ? 8 : log->batch_capacity * 2;
        log->batches = mem_realloc(log->batches, log->batch_capacity, sizeof(*log->batches));
    }
    log->batches[log->batch_count] = batch;
    log->batch_count++;
}

void raft_log_take_committed(struct raft_log *log, bool allow_unstable,
                             struct raft_entries *out_entries)
{
    if (!raft_log_has_committed(log, allow_unstable)) {
        return;
    }
    ASSERT(out_entries->count == 0);
    ASSERT(log->applying_size < log->max_applying_size); /* else it would be paused */
    uint64_t end = applicable_end(log, allow_unstable);
    err e = slice(log, log->applying + 1, end, log->max_applying_size - log->applying_size,
                  out_entries);
    ASSERT(e == OK); /* committed and not applied: the storage may not have dropped it */

    struct raft_apply_batch batch = {0};
    for (uint32_t i = 0; i < out_entries->count; i++) {
        const struct entry *entry = &out_entries->items[i];
        if (entry->pos.term != batch.term) { /* terms never fall along a log */
            batch.term = entry->pos.term;
            batch.data_size = 0;
        }
        batch.weight += raft_entry_weight(entry);
        batch.data_size += entry_size(entry);
    }
    batch.last_index = log->applying + out_entries->count;
    ASSERT(out_entries->items[out_entries->count - 1].pos.index == batch.last_index);
    push_batch(log, batch);
    log->applying = batch.last_index;
    log->applying_size += batch.weight;
    /* L4: an entry that had to stay behind would go over the limit. */
    log->applying_paused = log->applying_size >= log->max_applying_size || log->applying + 1 < end;
}

uint64_t raft_log_applied_to(struct raft_log *log, uint64_t index)
{
    ASSERT(index <= log->committed); /* L1 */
    uint32_t through = 0;
    uint64_t data_size = 0;
    uint64_t last_term = raft_log_last(log).term;
    while (through < log->batch_count && log->batches[through].last_index <= index) {
        log->applying_size -= log->batches[through].weight;
        bool counts = log->batches[through].term == last_term;
        data_size += counts ? log->batches[through].data_size : 0;
        through++;
    }
    log->batch_count -= through;
    for (uint32_t i = 0; i < log->batch_count && through > 0; i++) {
        log->batches[i] = log->batches[i + through];
    }
    log->applied = index > log->applied ? index : log->applied;
    log->applying = log->applied > log->applying ? log->applied : log->applying;
    log->applying_paused = log->applying_size >= log->max_applying_size;
    return data_size;
}

bool raft_log_has_unapplied_conf_change(const struct raft_log *log)
{
    struct raft_entries page = {0};
    bool found = false;
    uint64_t next = log->applied + 1;
    /* What a snapshot to install covers is not in the log, and carries its own configuration. */
    if (next < raft_log_first_index(log)) {
        next = raft_log_first_index(log);
    }
    while (next <= log->committed && !found) {
        err e = slice(log, next, log->committed + 1, SCAN_SIZE_MAX, &page);
        ASSERT(e == OK); /* as in raft_log_take_committed */
        for (uint32_t i = 0; i < page.count; i++) {
            enum entry_type type = page.items[i].type;
            found = found || type == ENTRY_CONF_CHANGE || type == ENTRY_CONF_CHANGE_V2;
        }
        next += page.count;
        raft_entries_clear(&page);
    }
    raft_entries_deinit(&page);
    return found;
}
