#include "lincheck/search_items.h"

#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/sort.h"
#include "lincheck/words.h"

void lincheck_items_deinit(struct lincheck_items *items)
{
    mem_free(items->items);
    mem_free(items->returns);
    mem_free(items->free_puts);
    mem_free(items->free_deletes);
    lincheck_table_deinit(&items->values);
    *items = (struct lincheck_items){0};
}

/* Makes room for `count` items and forgets those that were there. */
static void make_room(struct lincheck_items *items, size_t count)
{
    if (count > items->capacity) {
        lincheck_items_deinit(items);
        items->items = mem_calloc(count, sizeof(items->items[0]));
        items->returns = mem_calloc(count, sizeof(items->returns[0]));
        items->free_puts = mem_calloc(count, sizeof(items->free_puts[0]));
        items->free_deletes = mem_calloc(count, sizeof(items->free_deletes[0]));
        items->capacity = (uint32_t)count;
    }
    lincheck_table_clear(&items->values);
    items->count = 0;
    items->return_count = 0;
    items->free_put_count = 0;
    items->free_delete_count = 0;
    items->head = LINCHECK_ITEM_NONE;
    items->has_deletes = false;
}

/* An item for each operation that may have happened; SIZE_MAX, or the operation whose value a later
 * one has too (its index is `out_later`). */
static size_t add_items(struct lincheck_items *items, const struct lincheck_key_ops *ops,
                        size_t *out_later)
{
    for (size_t i = 0; i < ops->count; i++) {
        const struct lincheck_op *op = &ops->history->ops[ops->ranks[i].index];
        bool says_nothing = op->kind == LINCHECK_GET && op->outcome != LINCHECK_ANSWERED;
        if (op->outcome == LINCHECK_REFUSED || says_nothing) {
            continue;
        }
        uint32_t index = items->count;
        items->items[index] = (struct lincheck_item){
            .invoked = op->invoked,
            .returned = op->returned,
            .op = ops->ranks[i].index,
            .kind = op->kind,
            .existed = op->existed,
            .is_free = op->outcome != LINCHECK_ANSWERED,
        };
        items->count++;
        if (op->kind == LINCHECK_PUT) {
            items->items[index].value = index + 1;
            uint32_t first = lincheck_table_add(&items->values, op->value, index);
            if (first != index) {
                *out_later = ops->ranks[i].index;
                return items->items[first].op;
            }
        }
        if (op->kind == LINCHECK_DELETE && op->existed != LINCHECK_EXISTED_NO) {
            items->has_deletes = true;
        }
    }
    return LINCHECK_NO_OP;
}

/* Ties a read to the write of what it found (I1). */
static void tie(struct lincheck_item *read, struct lincheck_item *write)
{
    read->value = write->value;
    write->reads++;
    write->is_free = false;
    if (write->last_read < read->invoked) {
        write->last_read = read->invoked;
    }
    if (write->returned > read->returned) {
        write->returned = read->returned;
    }
}

/* Nobody wrote what the read found; was it refused? */
static enum lincheck_verdict fail_unwritten(const struct lincheck_key_ops *ops, size_t read,
                                            struct lincheck_result *result)
{
    for (size_t i = 0; i < ops->count; i++) {
        size_t index = ops->ranks[i].index;
        const struct lincheck_op *op = &ops->history->ops[index];
        if (op->kind == LINCHECK_PUT && op->value == ops->history->ops[read].value) {
            return lincheck_result_set(result, LINCHECK_ILLEGAL, LINCHECK_REASON_REFUSED_VISIBLE,
                                       ops->history, read, index);
        }
    }
    return lincheck_result_set(result, LINCHECK_ILLEGAL, LINCHECK_REASON_NEVER_WRITTEN,
                               ops->history, read, LINCHECK_NO_OP);
}

static enum lincheck_verdict tie_reads(struct lincheck_items *items,
                                       const struct lincheck_key_ops *ops,
                                       struct lincheck_result *result)
{
    for (uint32_t i = 0; i < items->count; i++) {
        struct lincheck_item *read = &items->items[i];
        uint64_t found = ops->history->ops[read->op].value;
        if (read->kind != LINCHECK_GET || found == 0) {
            continue;
        }
        uint32_t write;
        if (!lincheck_table_find(&items->values, found, &write)) {
            return fail_unwritten(ops, read->op, result);
        }
        if (items->items[write].invoked > read->returned) {
            return lincheck_result_set(result, LINCHECK_ILLEGAL, LINCHECK_REASON_BEFORE_INVOCATION,
                                       ops->history, read->op, items->items[write].op);
        }
        tie(read, &items->items[write]);
    }
    return LINCHECK_LEGAL;
}

static void put_into_lists(struct lincheck_items *items)
{
    uint32_t last = LINCHECK_ITEM_NONE;
    for (uint32_t i = 0; i < items->count; i++) {
        struct lincheck_item *item = &items->items[i];
        if (item->is_free && item->kind == LINCHECK_PUT) {
            items->free_puts[items->free_put_count++] = i;
        } else if (item->is_free) {
            ASSERT(item->kind == LINCHECK_DELETE);
            items->free_deletes[items->free_delete_count++] = i;
        } else {
            item->prev = last;
            item->next = LINCHECK_ITEM_NONE;
            *(last == LINCHECK_ITEM_NONE ? &items->head : &items->items[last].next) = i;
            last = i;
            items->returns[items->return_count++] = i;
        }
    }
}

static void sort_returns(struct lincheck_items *items)
{
    struct lincheck_rank *ranks = mem_calloc(items->return_count, 2 * sizeof(ranks[0]));
    for (uint32_t i = 0; i < items->return_count; i++) {
        uint32_t item = items->returns[i];
        ranks[i] = (struct lincheck_rank){.key = items->items[item].returned, .index = item};
    }
    lincheck_sort(ranks, ranks + items->return_count, items->return_count);
    for (uint32_t i = 0; i < items->return_count; i++) {
        items->returns[i] = ranks[i].index;
        items->items[ranks[i].index].return_position = i;
    }
    mem_free(ranks);
}

enum lincheck_verdict lincheck_items_prepare(struct lincheck_items *items,
                                             const struct lincheck_key_ops *ops,
                                             struct lincheck_result *result)
{
    make_room(items, ops->count);
    size_t later = LINCHECK_NO_OP;
    size_t first = add_items(items, ops, &later);
    if (first != LINCHECK_NO_OP) {
        return lincheck_result_set(result, LINCHECK_UNDECIDED, LINCHECK_REASON_SAME_VALUE,
                                   ops->history, first, later);
    }
    enum lincheck_verdict verdict = tie_reads(items, ops, result);
    if (verdict == LINCHECK_LEGAL) {
        put_into_lists(items);
        sort_returns(items);
    }
    return verdict;
}
