/* `committed` and `vote`: the arithmetic of majorities, with a picture. */
#include <string.h>

#include "base/assert.h"
#include "drivers.h"
#include "raft/quorum.h"

#define TABLE_MAX (2 * MEMBERS_MAX)

/* What the block says of each id, in the order in which the ids first appear. */
struct row {
    node_id id;
    const char *word; /* "_" if nothing is known */
};

struct table {
    struct conf_state conf;
    bool is_joint;
    struct row rows[TABLE_MAX];
    unsigned count;
};

static void add_voter(struct table *table, struct id_set *half, node_id id)
{
    bool added = id_set_add(half, id);
    ASSERT(added);
    for (unsigned i = 0; i < table->count; i++) {
        if (table->rows[i].id == id) {
            return;
        }
    }
    table->rows[table->count] = (struct row){.id = id, .word = "_"};
    table->count++;
}

static void add_half(struct table *table, struct id_set *half, const struct script_arg *arg)
{
    for (unsigned i = 0; arg != NULL && i < arg->value_count; i++) {
        if (strcmp(arg->values[i], "zero") != 0) { /* a half without voters, said explicitly */
            add_voter(table, half, script_parse_number(arg->values[i]));
        }
    }
}

static bool read_table(const struct script_block *block, struct table *out_table)
{
    *out_table = (struct table){0};
    const struct script_arg *outgoing = script_find(block, "cfgj");
    out_table->is_joint = outgoing != NULL;
    add_half(out_table, &out_table->conf.voters, script_find(block, "cfg"));
    add_half(out_table, &out_table->conf.voters_outgoing, outgoing);
    bool is_vote = strcmp(block->name, "vote") == 0;
    const struct script_arg *words = script_find(block, is_vote ? "votes" : "idx");
    unsigned word_count = words == NULL ? 0 : words->value_count;
    for (unsigned i = 0; i < word_count && i < out_table->count; i++) {
        out_table->rows[i].word = words->values[i];
    }
    return word_count == out_table->count;
}

static const char *word_of(const struct table *table, node_id id)
{
    for (unsigned i = 0; i < table->count; i++) {
        if (table->rows[i].id == id) {
            return table->rows[i].word;
        }
    }
    UNREACHABLE();
}

static uint64_t index_of(const void *ctx, node_id id)
{
    return script_parse_number(word_of(ctx, id));
}

static enum raft_vote vote_of(const void *ctx, node_id id)
{
    const char *word = word_of(ctx, id);
    if (strcmp(word, "_") == 0) {
        return RAFT_VOTE_NONE;
    }
    return strcmp(word, "y") == 0 ? RAFT_VOTE_YES : RAFT_VOTE_NO;
}

/* How many ids have a lower index: the length of the bar. */
static unsigned bar_length(const struct table *table, uint64_t index)
{
    unsigned below = 0;
    for (unsigned i = 0; i < table->count; i++) {
        below += script_parse_number(table->rows[i].word) < index ? 1 : 0;
    }
    return below;
}

static void print_picture(const struct table *table, struct text *out)
{
    if (table->count == 0) {
        text_add(out, "<empty majority quorum>");
        return;
    }
    struct id_set ids[2] = {table->conf.voters, table->conf.voters_outgoing};
    int width = (int)table->count;
    text_add(out, "%*s    idx\n", width, "");
    /* By id: the halves are sorted, so each next row is the lower of the two heads. */
    unsigned at[2] = {0, 0};
    while (at[0] < ids[0].count || at[1] < ids[1].count) {
        node_id a = at[0] < ids[0].count ? ids[0].ids[at[0]] : UINT64_MAX;
        node_id b = at[1] < ids[1].count ? ids[1].ids[at[1]] : UINT64_MAX;
        node_id id = a < b ? a : b;
        at[0] += a == id ? 1 : 0;
        at[1] += b == id ? 1 : 0;
        uint64_t index = index_of(table, id);
        if (strcmp(word_of(table, id), "_") == 0) {
            text_add(out, "?%*s", width, "");
        } else {
            unsigned bar = bar_length(table, index);
            for (unsigned i = 0; i < bar; i++) {
                text_add(out, "x");
            }
            text_add(out, ">%*s", width - (int)bar, "");
        }
        text_add(out, " %5llu    (id=%llu)\n", (unsigned long long)index, (unsigned long long)id);
    }
}

static void print_index(uint64_t index, struct text *out)
{
    if (index == RAFT_INDEX_ALL) {
        text_add(out, "∞\n");
    } else {
        text_add(out, "%llu\n", (unsigned long long)index);
    }
}

/* The halves can be exchanged, and a half without voters changes nothing: says so if it were not
 * true. */
static void check_symmetry(const struct table *table, uint64_t index, struct text *out)
{
    struct conf_state swapped = {.voters = table->conf.voters_outgoing,
                                 .voters_outgoing = table->conf.voters};
    uint64_t other = raft_joint_committed(&swapped, index_of, table);
    if (other != index) {
        text_add(out, "%llu <-- via symmetry\n", (unsigned long long)other);
    }
    uint64_t alone = raft_quorum_committed(&table->conf.voters, index_of, table);
    if (table->conf.voters_outgoing.count == 0 && alone != index) {
        text_add(out, "%llu <-- via zero-joint quorum\n", (unsigned long long)alone);
    }
}

void quorum_run(const struct script_block *block, struct text *out)
{
    static const char *const results[] = {
        [RAFT_VOTE_PENDING] = "VotePending",
        [RAFT_VOTE_LOST] = "VoteLost",
        [RAFT_VOTE_WON] = "VoteWon",
    };
    struct table table;
    if (!read_table(block, &table)) {
        text_add(out, "error: one word for each voter is needed\n");
    } else if (strcmp(block->name, "vote") == 0) {
        text_add(out, "%s\n", results[raft_joint_vote(&table.conf, vote_of, &table)]);
    } else if (strcmp(block->name, "committed") == 0) {
        uint64_t index = raft_joint_committed(&table.conf, index_of, &table);
        print_picture(&table, out);
        check_symmetry(&table, index, out);
        print_index(index, out);
    } else {
        text_add(out, "unknown command\n");
    }
}
