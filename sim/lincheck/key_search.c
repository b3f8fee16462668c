/*
 * A state is the set of operations that are in the order, and what the key then holds. A step puts
 * one more write into the order, and after it all that only looks (S1).
 *
 * S1  What changes nothing and fits is put into the order at once: it fits nowhere better.
 * S2  A value is written once, so it is not overwritten before all reads that found it are in the
 *     order: a state with such reads left is a dead end.
 * S3  So between steps the key holds nothing, or a value that nobody reads any more. Of those all
 *     are alike, and the memory takes them for one.
 * S4  In front of what follows a value that nobody reads any more, a put with all its reads may
 *     stand if it may stand anywhere later: where it is taken from, the key holds a value too. That
 *     is so if its answer says that there was one before, or if nothing is ever deleted. Such a put
 *     is *forced*: there is nothing to come back to.
 * S5  Free writes need not happen: a state that has used more of them leads nowhere that the same
 *     state with fewer does not.
 * S6  The search comes back to a state by undoing, last placed first: the lists are then as they
 *     were.
 * S7  Puts that may be next with all their reads, and whose answers say the same of what they met,
 *     may change their places: that which returns first comes first, or none does. So may deletes.
 */
#include "lincheck/key_search.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/search_items.h"
#include "lincheck/words.h"

#define PREFIX_SHOWN_MAX 8u
#define NEXT_SHOWN_MAX 12u

struct placed {
    uint32_t item;
    uint32_t value_before; /* what the key held */
};

enum stage {
    STAGE_KNOWN, /* writes that must be in the order, by return */
    STAGE_FREE_DELETE,
    STAGE_FREE_PUT,
    STAGE_OVER,
};

/* A state at which there is a choice. */
struct choice {
    uint32_t mark; /* the size of its order */
    enum stage stage;
    uint32_t floor;   /* writes with a return position below it have been tried */
    unsigned classes; /* S7: of which a write led on */
};

struct lincheck_key_search {
    struct lincheck_items all;
    struct lincheck_memory memory;
    struct placed *order;
    struct placed *best; /* the longest order so far; its beginning may stand in `order` */
    struct choice *choices;
    uint32_t capacity; /* of each array */
    uint32_t count;    /* of order */
    uint32_t best_count;
    uint32_t best_common; /* so many of best are the same in order */
    uint32_t choice_count;
    uint32_t return_next; /* in all.returns: the first that is not in the order */
    uint32_t free_puts_used;
    uint32_t free_deletes_used;
    uint32_t value;    /* what the key holds; 0: nothing (I3) */
    uint64_t set_hash; /* of the items in the order that are not free */
    uint64_t salt;
    uint64_t *steps_left;
    bool is_exhausted;
};

struct lincheck_key_search *lincheck_key_search_new(void)
{
    return mem_calloc(1, sizeof(struct lincheck_key_search));
}

static void free_arrays(struct lincheck_key_search *search)
{
    mem_free(search->order);
    mem_free(search->best);
    mem_free(search->choices);
}

void lincheck_key_search_free(struct lincheck_key_search *search)
{
    if (search != NULL) {
        lincheck_items_deinit(&search->all);
        lincheck_memory_deinit(&search->memory);
        free_arrays(search);
        mem_free(search);
    }
}

/* ---- the order ---- */

static bool is_done(const struct lincheck_key_search *search)
{
    return search->return_next == search->all.return_count;
}

/* The first to return of those that are not in the order: it has to be in it before anything that
 * is invoked later. */
static const struct lincheck_item *frontier(const struct lincheck_key_search *search)
{
    ASSERT(!is_done(search));
    return &search->all.items[search->all.returns[search->return_next]];
}

static bool is_reached(const struct lincheck_key_search *search, const struct lincheck_item *item)
{
    return is_done(search) || item->invoked <= frontier(search)->returned;
}

static void unlink_item(struct lincheck_items *all, const struct lincheck_item *item)
{
    *(item->prev == LINCHECK_ITEM_NONE ? &all->head : &all->items[item->prev].next) = item->next;
    if (item->next != LINCHECK_ITEM_NONE) {
        all->items[item->next].prev = item->prev;
    }
}

static void relink_item(struct lincheck_items *all, const struct lincheck_item *item)
{
    uint32_t index = (uint32_t)(item - all->items);
    *(item->prev == LINCHECK_ITEM_NONE ? &all->head : &all->items[item->prev].next) = index;
    if (item->next != LINCHECK_ITEM_NONE) {
        all->items[item->next].prev = index;
    }
}

static uint32_t *free_used(struct lincheck_key_search *search, const struct lincheck_item *item)
{
    return item->kind == LINCHECK_PUT ? &search->free_puts_used : &search->free_deletes_used;
}

static void pass_placed_returns(struct lincheck_key_search *search)
{
    const struct lincheck_items *all = &search->all;
    while (!is_done(search) && all->items[all->returns[search->return_next]].is_placed) {
        search->return_next++;
    }
}

/* Puts the item at the end of the order. */
static void place(struct lincheck_key_search *search, uint32_t index)
{
    struct lincheck_item *item = &search->all.items[index];
    ASSERT(!item->is_placed);
    ASSERT(search->count < search->capacity);
    search->order[search->count] = (struct placed){.item = index, .value_before = search->value};
    search->count++;
    item->is_placed = true;
    if (item->kind != LINCHECK_GET) {
        search->value = item->value;
    } else if (item->value != 0) {
        ASSERT(item->value == search->value);
        search->all.items[item->value - 1].reads--;
    }
    if (item->is_free) {
        ++*free_used(search, item);
    } else {
        search->set_hash ^= lincheck_mix(search->salt ^ index);
        unlink_item(&search->all, item);
        pass_placed_returns(search);
    }
}

static void remember_best(struct lincheck_key_search *search)
{
    if (search->count > search->best_count) {
        for (uint32_t i = search->best_common; i < search->count; i++) {
            search->best[i] = search->order[i];
        }
        search->best_count = search->count;
        search->best_common = search->count;
    }
}

/* S6: takes items off the order until it has `mark`. */
static void undo(struct lincheck_key_search *search, uint32_t mark)
{
    remember_best(search);
    ASSERT(mark <= search->count);
    while (search->count > mark) {
        search->count--;
        const struct placed *last = &search->order[search->count];
        struct lincheck_item *item = &search->all.items[last->item];
        item->is_placed = false;
        search->value = last->value_before;
        if (item->kind == LINCHECK_GET && item->value != 0) {
            search->all.items[item->value - 1].reads++;
        }
        if (item->is_free) {
            --*free_used(search, item);
            continue;
        }
        search->set_hash ^= lincheck_mix(search->salt ^ last->item);
        relink_item(&search->all, item);
        if (item->return_position < search->return_next) {
            search->return_next = item->return_position;
        }
    }
    if (search->best_common > mark) {
        search->best_common = mark;
    }
}

/* ---- one step ---- */

/* S1 */
static bool only_looks(const struct lincheck_key_search *search, const struct lincheck_item *item)
{
    if (item->kind == LINCHECK_GET) {
        return item->value == search->value;
    }
    return item->kind == LINCHECK_DELETE && item->existed == LINCHECK_EXISTED_NO &&
           search->value == 0;
}

static void place_lookers(struct lincheck_key_search *search)
{
    uint32_t index = search->all.head;
    while (index != LINCHECK_ITEM_NONE && is_reached(search, &search->all.items[index])) {
        uint32_t next = search->all.items[index].next;
        if (only_looks(search, &search->all.items[index])) {
            place(search, index);
        }
        index = next;
    }
}

/* S2 */
static bool has_reads_left(const struct lincheck_key_search *search)
{
    return search->value != 0 && search->all.items[search->value - 1].reads > 0;
}

/* What returns first is neither the put nor one of its reads: it waits until those are placed, and
 * what is invoked later than its return waits for it. */
static bool is_cut_off(const struct lincheck_key_search *search, const struct lincheck_item *put)
{
    const struct lincheck_item *first = frontier(search);
    return put->last_read > first->returned && first != put &&
           (first->kind != LINCHECK_GET || first->value != put->value);
}

static bool existed_fits(const struct lincheck_key_search *search, const struct lincheck_item *item)
{
    return item->existed == LINCHECK_EXISTED_UNKNOWN ||
           (item->existed == LINCHECK_EXISTED_YES) == (search->value != 0);
}

/* Whether a step with this write may be tried. (A delete that met nothing only looks: where it
 * fits it is placed already.) */
static bool can_write(const struct lincheck_key_search *search, const struct lincheck_item *item)
{
    if (item->kind == LINCHECK_GET || !existed_fits(search, item)) {
        return false;
    }
    return item->kind == LINCHECK_DELETE || !is_cut_off(search, item);
}

/* S4 */
static bool is_forced(const struct lincheck_key_search *search, const struct lincheck_item *item)
{
    return item->kind == LINCHECK_PUT &&
           (item->existed == LINCHECK_EXISTED_YES || !search->all.has_deletes);
}

/* Takes the step; if it is a dead end, takes it back and returns false. */
static bool try_write(struct lincheck_key_search *search, uint32_t index)
{
    if (*search->steps_left == 0) {
        search->is_exhausted = true;
        return false;
    }
    --*search->steps_left;
    uint32_t mark = search->count;
    place(search, index);
    place_lookers(search);
    if (has_reads_left(search)) {
        undo(search, mark);
        return false;
    }
    return true;
}

/* Only in front of what follows a value. */
static bool take_forced(struct lincheck_key_search *search)
{
    uint32_t index = search->value == 0 ? LINCHECK_ITEM_NONE : search->all.head;
    while (index != LINCHECK_ITEM_NONE && is_reached(search, &search->all.items[index])) {
        const struct lincheck_item *item = &search->all.items[index];
        if (is_forced(search, item) && can_write(search, item) && try_write(search, index)) {
            return true;
        }
        index = item->next;
    }
    return false;
}

/* ---- choices ---- */

static unsigned class_of(const struct lincheck_item *item)
{
    return 1u << (item->kind * 3u + item->existed);
}

/* Of the writes that may be tried, the first to return from `floor` on; LINCHECK_ITEM_NONE. */
static uint32_t next_write(const struct lincheck_key_search *search, const struct choice *choice)
{
    uint32_t found = LINCHECK_ITEM_NONE;
    uint32_t found_position = UINT32_MAX;
    uint32_t index = search->all.head;
    while (index != LINCHECK_ITEM_NONE && is_reached(search, &search->all.items[index])) {
        const struct lincheck_item *item = &search->all.items[index];
        if (item->return_position >= choice->floor && item->return_position < found_position &&
            (choice->classes & class_of(item)) == 0 && can_write(search, item)) {
            found = index;
            found_position = item->return_position;
        }
        index = item->next;
    }
    return found;
}

/* S7 */
static bool try_known(struct lincheck_key_search *search, struct choice *choice)
{
    uint32_t index = next_write(search, choice);
    while (index != LINCHECK_ITEM_NONE) {
        const struct lincheck_item *item = &search->all.items[index];
        choice->floor = item->return_position + 1;
        if (try_write(search, index)) {
            choice->classes |= class_of(item);
            return true;
        }
        index = next_write(search, choice);
    }
    return false;
}

/* A delete of a value, or a put where there is none: free writes change nothing else (S3). */
static bool try_free(struct lincheck_key_search *search, enum lincheck_kind kind)
{
    const struct lincheck_items *all = &search->all;
    bool is_put = kind == LINCHECK_PUT;
    uint32_t used = is_put ? search->free_puts_used : search->free_deletes_used;
    uint32_t count = is_put ? all->free_put_count : all->free_delete_count;
    if (used == count || (search->value == 0) != is_put) {
        return false;
    }
    uint32_t index = is_put ? all->free_puts[used] : all->free_deletes[used];
    return is_reached(search, &all->items[index]) && try_write(search, index);
}

/* Takes the next step of the choice that leads anywhere; false: there is none left. */
static bool resume(struct lincheck_key_search *search, struct choice *choice)
{
    if (choice->stage == STAGE_KNOWN) {
        if (try_known(search, choice)) {
            return true;
        }
        choice->stage = STAGE_FREE_DELETE;
    }
    if (choice->stage == STAGE_FREE_DELETE) {
        choice->stage = STAGE_FREE_PUT;
        if (try_free(search, LINCHECK_DELETE)) {
            return true;
        }
    }
    if (choice->stage == STAGE_FREE_PUT) {
        choice->stage = STAGE_OVER;
        return try_free(search, LINCHECK_PUT);
    }
    return false;
}

/* Whether the state leads anywhere that no state seen before leads (S3, S5). */
static bool remember_state(struct lincheck_key_search *search)
{
    uint64_t holds = search->value != 0 ? lincheck_mix(~search->salt) : 0;
    struct lincheck_state state = {.hash = search->set_hash ^ holds,
                                   .used = {search->free_puts_used, search->free_deletes_used}};
    return lincheck_memory_add(&search->memory, state);
}

/* Goes back to the last choice that has a step left, and takes it; false: none has. */
static bool go_on(struct lincheck_key_search *search)
{
    while (search->choice_count > 0 && !search->is_exhausted) {
        struct choice *choice = &search->choices[search->choice_count - 1];
        undo(search, choice->mark);
        if (resume(search, choice)) {
            return true;
        }
        search->choice_count--;
    }
    return false;
}

static enum lincheck_verdict walk(struct lincheck_key_search *search)
{
    place_lookers(search);
    while (!is_done(search)) {
        if (take_forced(search)) {
            continue;
        }
        if (!search->is_exhausted && remember_state(search)) {
            search->choices[search->choice_count] =
                (struct choice){.mark = search->count, .stage = STAGE_KNOWN};
            search->choice_count++;
        }
        if (!go_on(search)) {
            return search->is_exhausted ? LINCHECK_UNDECIDED : LINCHECK_ILLEGAL;
        }
    }
    return LINCHECK_LEGAL;
}

/* ---- words ---- */

static void write_item(struct lincheck_key_search *search, const struct lincheck_history *history,
                       uint32_t index, struct writer *out)
{
    writer_format(out, "    ");
    lincheck_words_op(out, &history->ops[search->all.items[index].op]);
}

static uint64_t value_held(const struct lincheck_key_search *search,
                           const struct lincheck_history *history)
{
    return search->value == 0 ? 0 : history->ops[search->all.items[search->value - 1].op].value;
}

static const char *why_not_next(const struct lincheck_key_search *search,
                                const struct lincheck_item *item)
{
    if (item->kind == LINCHECK_GET) {
        return "it found something else";
    }
    if (!existed_fits(search, item)) {
        return search->value == 0 ? "there is no value that it could meet"
                                  : "there is a value that it would meet";
    }
    return has_reads_left(search) ? "that value has yet to be read" : "no order goes on from there";
}

/* A read that found what the key holds and is not in the order: nothing else may be next (S2). */
static size_t waiting_read(const struct lincheck_key_search *search)
{
    uint32_t index = search->all.head;
    while (index != LINCHECK_ITEM_NONE) {
        const struct lincheck_item *item = &search->all.items[index];
        if (item->kind == LINCHECK_GET && item->value == search->value && item->value != 0) {
            return item->op;
        }
        index = item->next;
    }
    return LINCHECK_NO_OP;
}

/* The longest order found, its end and what could not go on from it. The search is over: its state
 * is rebuilt from the best order. */
static void explain(struct lincheck_key_search *search, const struct lincheck_history *history,
                    struct lincheck_result *result)
{
    undo(search, 0);
    for (uint32_t i = 0; i < search->best_count; i++) {
        place(search, search->best[i].item);
    }
    (void)lincheck_result_set(result, LINCHECK_ILLEGAL, LINCHECK_REASON_NO_ORDER, history,
                              frontier(search)->op, waiting_read(search));
    result->prefix_count = search->count;
    struct writer *out = &result->text;
    writer_format(out,
                  "  the longest order that explains some of them has %u of %u; it ends with\n",
                  search->count, search->all.count);
    uint32_t shown = search->count < PREFIX_SHOWN_MAX ? search->count : PREFIX_SHOWN_MAX;
    for (uint32_t i = search->count - shown; i < search->count; i++) {
        write_item(search, history, search->order[i].item, out);
        writer_format(out, "\n");
    }
    writer_format(out, "  then the key holds ");
    lincheck_words_value(out, value_held(search, history));
    writer_format(out, ", and none of these can be next:\n");
    uint32_t index = search->all.head;
    for (shown = 0; index != LINCHECK_ITEM_NONE && is_reached(search, &search->all.items[index]) &&
                    shown < NEXT_SHOWN_MAX;
         shown++) {
        write_item(search, history, index, out);
        writer_format(out, ": %s\n", why_not_next(search, &search->all.items[index]));
        index = search->all.items[index].next;
    }
}

/* ---- running ---- */

static void make_room(struct lincheck_key_search *search, uint32_t count)
{
    if (count > search->capacity) {
        free_arrays(search);
        search->order = mem_calloc(count, sizeof(search->order[0]));
        search->best = mem_calloc(count, sizeof(search->best[0]));
        search->choices = mem_calloc(count, sizeof(search->choices[0]));
        search->capacity = count;
    }
}

static void begin(struct lincheck_key_search *search, uint64_t salt, uint64_t *steps_left)
{
    lincheck_memory_clear(&search->memory);
    make_room(search, search->all.count);
    search->count = 0;
    search->best_count = 0;
    search->best_common = 0;
    search->choice_count = 0;
    search->return_next = 0;
    search->free_puts_used = 0;
    search->free_deletes_used = 0;
    search->value = 0;
    search->set_hash = 0;
    search->salt = lincheck_mix(salt);
    search->steps_left = steps_left;
    search->is_exhausted = false;
}

enum lincheck_verdict lincheck_key_search_run(struct lincheck_key_search *search,
                                              const struct lincheck_key_ops *ops, uint64_t salt,
                                              uint64_t *steps_left, struct lincheck_result *result)
{
    ASSERT(ops->count <= LINCHECK_OPS_MAX);
    enum lincheck_verdict verdict = lincheck_items_prepare(&search->all, ops, result);
    if (verdict != LINCHECK_LEGAL) {
        return verdict;
    }
    begin(search, salt, steps_left);
    verdict = walk(search);
    if (verdict == LINCHECK_ILLEGAL) {
        explain(search, ops->history, result);
    } else if (verdict == LINCHECK_UNDECIDED) {
        (void)lincheck_result_set(result, LINCHECK_UNDECIDED, LINCHECK_REASON_STEPS, ops->history,
                                  frontier(search)->op, LINCHECK_NO_OP);
    }
    return verdict;
}
