#include "store/tail.h"

#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* Blocks below malloc's mmap threshold: giving one back is then no system call. */
#define BLOCK_SIZE (64u << 10)
#define FANOUT 64u
#define HALF (FANOUT / 2)
#define CACHE_LINE 64u
#define PREFIX_SIZE 48u

_Static_assert(FANOUT % 2 == 0, "a full node splits into two halves");
_Static_assert(sizeof(struct store_tail_entry) + STORE_SYSTEM_KEY_SIZE_MAX < BLOCK_SIZE / 8,
               "whatever is allocated is small beside a block");

struct block {
    struct block *next;
    uint8_t bytes[BLOCK_SIZE - sizeof(struct block *)];
};

/*
 * A leaf has entries and, in `next`, the leaf after it. An inner node has count + 1 children, and
 * entries[i] is the first one of children[i + 1].
 *
 * heads[i] is what entries[i]'s key goes on with after the first `skip` bytes, which all keys of
 * the node share: eight bytes as a big-endian number, padded with zeros. Most comparisons end
 * there, without a look at the key, and keys that all begin with the name of an application do not
 * spoil it.
 */
struct node {
    struct node *next;
    uint32_t count;
    uint32_t skip;
    uint8_t prefix[PREFIX_SIZE]; /* the first ones of those bytes: entries are seldom looked at */
    uint64_t heads[FANOUT];
    struct store_tail_entry *entries[FANOUT];
    struct node *children[];
};

struct store_tail {
    struct node *root;
    struct node *first_leaf;
    uint32_t height; /* inner nodes above a leaf */
    bool is_frozen;
    uint64_t count;
    uint64_t held_bytes; /* of bufs */
    uint64_t arena_bytes;
    struct block *blocks; /* the newest first */
    size_t block_used;
    struct store_tail_cursor drained; /* entries before it have given their bufs back */
    bool is_draining;
};

/* ---- memory ---- */

static void *arena_alloc(struct store_tail *tail, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    ASSERT(size <= sizeof(tail->blocks->bytes));
    if (tail->blocks == NULL || size > sizeof(tail->blocks->bytes) - tail->block_used) {
        struct block *block = mem_alloc(sizeof(*block));
        block->next = tail->blocks;
        tail->blocks = block;
        tail->block_used = 0;
    }
    void *memory = tail->blocks->bytes + tail->block_used;
    tail->block_used += size;
    tail->arena_bytes += size;
    return memory;
}

static struct node *node_new(struct store_tail *tail, bool is_leaf)
{
    size_t size = sizeof(struct node) + (is_leaf ? 0 : (FANOUT + 1) * sizeof(struct node *));
    struct node *node = arena_alloc(tail, size);
    node->next = NULL;
    node->count = 0;
    node->skip = 0;
    return node;
}

static struct store_tail_entry *entry_new(struct store_tail *tail, struct slice key)
{
    struct store_tail_entry *entry = arena_alloc(tail, sizeof(*entry) + key.size);
    entry->record = (struct store_record){0};
    entry->is_tombstone = true;
    entry->key_size = (uint16_t)key.size;
    memcpy(entry->key, key.data, key.size);
    return entry;
}

/* T3: the buf's own head and the allocator's count too. */
static uint64_t held_bytes(const struct buf *owner)
{
    return owner != NULL ? sizeof(struct buf) + owner->size + 16 : 0;
}

/* ---- search ---- */

static struct slice entry_key(const struct store_tail_entry *entry)
{
    return (struct slice){entry->key, entry->key_size};
}

/* How many bytes both begin with. */
static uint32_t common_prefix(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    uint32_t i = 0;
    while (i < size && a.data[i] == b.data[i]) {
        i++;
    }
    return i;
}

/* The eight bytes of `key` after the first `skip`, which it has. */
static uint64_t key_head(struct slice key, uint32_t skip)
{
    uint64_t head = 0;
    size_t rest = key.size - skip;
    memcpy(&head, key.data + skip, rest < sizeof(head) ? rest : sizeof(head));
    return be64toh(head);
}

/* The key against what all keys of the node begin with; 0: it begins so too. */
static int compare_prefix(struct slice key, const struct node *node)
{
    size_t size = key.size < node->skip ? key.size : node->skip;
    int order = memcmp(key.data, node->prefix, size < PREFIX_SIZE ? size : PREFIX_SIZE);
    if (order == 0 && size > PREFIX_SIZE) {
        order = memcmp(key.data, node->entries[0]->key, size);
    }
    return order != 0 || key.size >= node->skip ? order : -1;
}

/* How many of the node's entries are below the key; whether the next one is the key itself. */
static uint32_t lower_bound(const struct node *node, struct slice key, bool *out_is_equal)
{
    *out_is_equal = false;
    int order = compare_prefix(key, node);
    if (order != 0) {
        return order < 0 ? 0 : node->count;
    }
    uint64_t head = key_head(key, node->skip);
    uint32_t low = 0;
    uint32_t high = node->count;
    while (low < high && !*out_is_equal) {
        uint32_t middle = (low + high) / 2;
        if (node->heads[middle] != head) {
            order = node->heads[middle] < head ? -1 : 1;
        } else {
            order = slice_compare(entry_key(node->entries[middle]), key);
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            *out_is_equal = order == 0;
        }
    }
    return high;
}

/* Where in a leaf that is not empty the key stands, if it is there: without a look at any entry. */
static uint32_t likely_index(const struct node *leaf, struct slice key)
{
    uint64_t head = key_head(key, key.size < leaf->skip ? (uint32_t)key.size : leaf->skip);
    uint32_t low = 0;
    uint32_t high = leaf->count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (leaf->heads[middle] < head) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The child under which the key belongs: what equals the separator is on its right. */
static uint32_t child_index(const struct node *node, struct slice key)
{
    bool is_equal;
    uint32_t index = lower_bound(node, key, &is_equal);
    return index + is_equal;
}

static const struct node *find_leaf(const struct store_tail *tail, struct slice key)
{
    const struct node *node = tail->root;
    for (uint32_t level = tail->height; level > 0; level--) {
        node = node->children[child_index(node, key)];
    }
    return node;
}

/* ---- growth ---- */

/* Works out skip and heads anew: the first and the last key differ no later than any other two. */
static void rehead(struct node *node)
{
    ASSERT(node->count > 0);
    node->skip =
        common_prefix(entry_key(node->entries[0]), entry_key(node->entries[node->count - 1]));
    memcpy(node->prefix, node->entries[0]->key,
           node->skip < PREFIX_SIZE ? node->skip : PREFIX_SIZE);
    for (uint32_t i = 0; i < node->count; i++) {
        node->heads[i] = key_head(entry_key(node->entries[i]), node->skip);
    }
}

static void insert_entry(struct node *node, uint32_t index, struct store_tail_entry *entry)
{
    ASSERT(node->count < FANOUT);
    ASSERT(index <= node->count);
    struct slice key = entry_key(entry);
    bool is_alike = compare_prefix(key, node) == 0;
    size_t after = node->count - index;
    memmove(node->heads + index + 1, node->heads + index, after * sizeof(node->heads[0]));
    memmove(node->entries + index + 1, node->entries + index, after * sizeof(node->entries[0]));
    node->entries[index] = entry;
    node->count++;
    if (is_alike) {
        node->heads[index] = key_head(key, node->skip);
    } else {
        rehead(node);
    }
}

/* Moves entries from `begin` on to the empty node `right`. */
static void move_entries(struct node *left, uint32_t begin, struct node *right)
{
    right->count = left->count - begin;
    memcpy(right->entries, left->entries + begin, right->count * sizeof(right->entries[0]));
    left->count = begin;
}

/* Splits the full child `index` of `parent`, which has room for one more. */
static void split_child(struct store_tail *tail, struct node *parent, uint32_t index, bool is_leaf)
{
    struct node *left = parent->children[index];
    struct node *right = node_new(tail, is_leaf);
    ASSERT(left->count == FANOUT);
    struct store_tail_entry *separator = left->entries[HALF];
    if (is_leaf) {
        move_entries(left, HALF, right);
        right->next = left->next;
        left->next = right;
    } else { /* the separator moves up, it does not stay below */
        move_entries(left, HALF + 1, right);
        memcpy(right->children, left->children + HALF + 1,
               (right->count + 1) * sizeof(right->children[0]));
        left->count = HALF;
    }
    rehead(left);
    rehead(right);
    insert_entry(parent, index, separator);
    struct node **place = parent->children + index + 1;
    memmove(place + 1, place, (parent->count - index - 1) * sizeof(*place));
    *place = right;
}

/* The key's leaf, with room for one more: full nodes are split on the way down. */
static struct node *make_room(struct store_tail *tail, struct slice key)
{
    if (tail->root->count == FANOUT) {
        struct node *root = node_new(tail, false);
        root->children[0] = tail->root;
        split_child(tail, root, 0, tail->height == 0);
        tail->root = root;
        tail->height++;
    }
    struct node *node = tail->root;
    for (uint32_t level = tail->height; level > 0; level--) {
        uint32_t index = child_index(node, key);
        if (node->children[index]->count == FANOUT) {
            split_child(tail, node, index, level == 1);
            index += slice_compare(entry_key(node->entries[index]), key) <= 0;
        }
        node = node->children[index];
    }
    return node;
}

/* The key's entry, made if it is not there: a tombstone then. */
static struct store_tail_entry *find_or_insert(struct store_tail *tail, struct slice key)
{
    ASSERT(!tail->is_frozen);
    ASSERT(key.size > 0);
    ASSERT(key.size <= STORE_SYSTEM_KEY_SIZE_MAX);
    struct node *leaf = make_room(tail, key);
    bool is_equal;
    uint32_t index = lower_bound(leaf, key, &is_equal);
    if (!is_equal) {
        insert_entry(leaf, index, entry_new(tail, key));
        tail->count++;
    }
    return leaf->entries[index];
}

/* ---- the interface ---- */

struct store_tail *store_tail_new(void)
{
    struct store_tail *tail = mem_calloc(1, sizeof(*tail));
    tail->root = node_new(tail, true);
    tail->first_leaf = tail->root;
    return tail;
}

void store_tail_free(struct store_tail *tail)
{
    if (tail == NULL) {
        return;
    }
    bool is_empty = store_tail_drain(tail, SIZE_MAX);
    ASSERT(is_empty);
    mem_free(tail);
}

bool store_tail_drain(struct store_tail *tail, size_t steps)
{
    if (!tail->is_draining) {
        tail->is_draining = true;
        tail->is_frozen = true;
        tail->drained = (struct store_tail_cursor){tail->first_leaf, 0};
    }
    while (steps > 0) {
        const struct store_tail_entry *entry = store_tail_next(&tail->drained);
        if (entry == NULL) {
            break;
        }
        /* Freeing costs by the page: a large value is many steps. */
        size_t cost = 1 + (size_t)(held_bytes(entry->record.owner) / BLOCK_SIZE);
        steps -= cost < steps ? cost : steps;
        buf_unref(entry->record.owner);
    }
    for (; steps > 0 && tail->blocks != NULL; steps--) {
        struct block *next = tail->blocks->next;
        mem_free(tail->blocks);
        tail->blocks = next;
    }
    return tail->blocks == NULL;
}

void store_tail_freeze(struct store_tail *tail)
{
    tail->is_frozen = true;
}

void store_tail_put(struct store_tail *tail, struct slice key, const struct store_record *record)
{
    ASSERT(record->owner != NULL);
    struct store_tail_entry *entry = find_or_insert(tail, key);
    tail->held_bytes -= held_bytes(entry->record.owner);
    tail->held_bytes += held_bytes(record->owner);
    struct buf *replaced = entry->record.owner;
    entry->record = *record;
    buf_ref(record->owner);
    entry->is_tombstone = false;
    buf_unref(replaced);
}

void store_tail_delete(struct store_tail *tail, struct slice key)
{
    struct store_tail_entry *entry = find_or_insert(tail, key);
    tail->held_bytes -= held_bytes(entry->record.owner);
    struct buf *replaced = entry->record.owner;
    entry->record = (struct store_record){0};
    entry->is_tombstone = true;
    buf_unref(replaced);
}

const struct store_tail_entry *store_tail_get(const struct store_tail *tail, struct slice key)
{
    ASSERT(!tail->is_draining);
    const struct node *leaf = find_leaf(tail, key);
    bool is_equal;
    uint32_t index = lower_bound(leaf, key, &is_equal);
    return is_equal ? leaf->entries[index] : NULL;
}

/* All of the numbers: which of them a search reads is not known before. */
static void prefetch_node(const struct node *node)
{
    __builtin_prefetch(node);
    for (uint32_t i = 0; i < FANOUT; i += CACHE_LINE / sizeof(node->heads[0])) {
        __builtin_prefetch(node->heads + i);
    }
}

static void prefetch_entry(const struct store_tail_entry *entry)
{
    for (size_t i = 0; i < sizeof(*entry); i += CACHE_LINE) {
        __builtin_prefetch((const uint8_t *)entry + i);
    }
}

/*
 * Level by level, and in each what all keys need before the next: what one key waits for comes
 * while the others ask for theirs.
 */
void store_tail_prefetch(const struct store_tail *tail, const struct slice *keys, uint32_t count)
{
    const struct node *nodes[STORE_PREFETCH_MAX];
    struct store_tail_entry *const *places[STORE_PREFETCH_MAX];
    ASSERT(count <= STORE_PREFETCH_MAX);
    if (tail->count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = tail->root;
    }
    for (uint32_t level = tail->height; level > 0; level--) {
        for (uint32_t i = 0; i < count; i++) {
            nodes[i] = nodes[i]->children[child_index(nodes[i], keys[i])];
            prefetch_node(nodes[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = likely_index(nodes[i], keys[i]);
        places[i] = nodes[i]->entries + index;
        __builtin_prefetch(places[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        prefetch_entry(*places[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch((*places[i])->record.owner); /* a put gives it back */
    }
}

struct store_tail_cursor store_tail_seek(const struct store_tail *tail, struct slice from)
{
    ASSERT(!tail->is_draining);
    if (from.size == 0) {
        return (struct store_tail_cursor){tail->first_leaf, 0};
    }
    const struct node *leaf = find_leaf(tail, from);
    bool is_equal;
    return (struct store_tail_cursor){leaf, lower_bound(leaf, from, &is_equal)};
}

const struct store_tail_entry *store_tail_next(struct store_tail_cursor *cursor)
{
    const struct node *leaf = cursor->leaf;
    while (leaf != NULL && cursor->index == leaf->count) {
        leaf = leaf->next;
        *cursor = (struct store_tail_cursor){leaf, 0};
    }
    return leaf != NULL ? leaf->entries[cursor->index++] : NULL;
}

/* Leaves point forward only: the entry before the first one of a leaf is found from the fork. */
const struct store_tail_entry *store_tail_before(const struct store_tail *tail, struct slice to)
{
    ASSERT(!tail->is_draining);
    bool is_equal;
    const struct node *node = tail->root;
    const struct node *left = NULL; /* the subtree right before the path, as low as there is one */
    uint32_t left_height = 0;
    for (uint32_t height = tail->height; height > 0; height--) {
        uint32_t index = to.size > 0 ? child_index(node, to) : node->count;
        if (index > 0) {
            left = node->children[index - 1];
            left_height = height - 1;
        }
        node = node->children[index];
    }
    uint32_t count = to.size > 0 ? lower_bound(node, to, &is_equal) : node->count;
    if (count == 0 && left == NULL) {
        return NULL;
    }
    if (count == 0) {
        for (; left_height > 0; left_height--) {
            left = left->children[left->count];
        }
        node = left;
        count = left->count;
    }
    return node->entries[count - 1];
}

uint64_t store_tail_bytes(const struct store_tail *tail)
{
    return tail->arena_bytes + tail->held_bytes;
}

uint64_t store_tail_count(const struct store_tail *tail)
{
    return tail->count;
}

/* ---- of both spaces ---- */

struct store_tails store_tails_new(void)
{
    struct store_tails tails;
    for (size_t i = 0; i < STORE_SPACES; i++) {
        tails.of[i] = store_tail_new();
    }
    return tails;
}

void store_tails_free(struct store_tails *tails)
{
    for (size_t i = 0; i < STORE_SPACES; i++) {
        store_tail_free(tails->of[i]);
        tails->of[i] = NULL;
    }
}

/* The steps are for one: the other, if it still has something, gets its turn. */
bool store_tails_drain(struct store_tails *tails, size_t steps)
{
    for (size_t i = 0; i < STORE_SPACES; i++) {
        if (tails->of[i] == NULL) {
            continue;
        }
        if (!store_tail_drain(tails->of[i], steps)) {
            return false;
        }
        store_tail_free(tails->of[i]);
        tails->of[i] = NULL;
    }
    return true;
}

void store_tails_freeze(struct store_tails *tails)
{
    for (size_t i = 0; i < STORE_SPACES; i++) {
        store_tail_freeze(tails->of[i]);
    }
}

uint64_t store_tails_bytes(const struct store_tails *tails)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < STORE_SPACES; i++) {
        bytes += tails->of[i] != NULL ? store_tail_bytes(tails->of[i]) : 0;
    }
    return bytes;
}

uint64_t store_tails_count(const struct store_tails *tails)
{
    uint64_t count = 0;
    for (size_t i = 0; i < STORE_SPACES; i++) {
        count += tails->of[i] != NULL ? store_tail_count(tails->of[i]) : 0;
    }
    return count;
}
