#include "node/history_journal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/journal.h"

/*
 * What goes with one checkpoint: made by freeze, then the checkpointer's until done. Its changes
 * stay at their places as long as the history is pinned.
 */
struct part {
    uint64_t after;
    uint64_t through;
    uint64_t oldest;                      /* that the history had */
    const struct history_entry **changes; /* not NULL: the history is pinned */
    size_t count;
    size_t told;
    bool is_over; /* it is written, or given up: attempts that follow are the checkpoint's alone */
    bool is_given_up; /* the whole journal was, for want of space */
};

struct history_journal {
    struct log *log;
    struct history *history;
    struct store_journal *files;
    struct part part;
    /* Where the next part begins: behind the last one, be it written or given up (J3). */
    uint64_t number;
    uint64_t revision;
    uint64_t bytes;
};

/* ---- at the start ---- */

struct loading {
    struct history *history;
    uint64_t until; /* the state's revision */
    uint64_t told;  /* the revision of the last change, while it is not over; 0: it is */
    bool is_begun;
};

static void settle(struct loading *loading)
{
    if (loading->told != 0) {
        history_revised(loading->history, loading->told);
        loading->told = 0;
    }
}

/* Of a block that ended in damage the changes so far are whole revisions, but for the last one. */
static void on_begin(void *ctx, uint64_t after)
{
    struct loading *loading = ctx;
    if (!loading->is_begun || loading->told != 0 || after > history_newest(loading->history)) {
        history_restart(loading->history, after);
        loading->is_begun = true;
        loading->told = 0;
    }
}

static void on_change(void *ctx, const struct store_change *change)
{
    struct loading *loading = ctx;
    if (change->revision > loading->until || change->revision <= history_newest(loading->history)) {
        return; /* the log brings it; or it was told by another part */
    }
    if (loading->told != change->revision) {
        settle(loading);
    }
    history_changed(loading->history, change);
    loading->told = change->revision;
}

static void on_end(void *ctx, uint64_t through)
{
    struct loading *loading = ctx;
    settle(loading);
    if (through > loading->until) {
        through = loading->until;
    }
    if (through > history_newest(loading->history)) {
        history_revised(loading->history, through);
    }
}

static void take_back(struct history_journal *journal, uint64_t revision)
{
    struct history *history = journal->history;
    struct loading loading = {.history = history, .until = revision};
    const struct store_journal_reader reader = {
        .begin = on_begin, .change = on_change, .end = on_end, .ctx = &loading};
    uint32_t torn = store_journal_read(journal->files, &reader);
    if (loading.told != 0 || history_newest(history) != revision) {
        history_restart(history, revision);
    }
    LOG_INFO(journal->log, "history goes on", LOG_U64("oldest", history_oldest(history)),
             LOG_U64("newest", revision),
             LOG_U64("changes", history_end(history) - history_first(history)),
             LOG_U64("torn_files", torn));
}

err history_journal_load(struct history_journal *journal, uint64_t revision)
{
    err e = OK;
    if (revision == 0) { /* whatever is there is the past of another state */
        e = store_journal_drop(journal->files);
    } else {
        take_back(journal, revision);
    }
    journal->number = history_end(journal->history);
    journal->revision = revision;
    journal->bytes = store_journal_bytes(journal->files);
    return e;
}

err history_journal_open(struct history_journal **out_journal,
                         const struct history_journal_options *options, struct err_note *note)
{
    struct history_journal *journal = mem_calloc(1, sizeof(*journal));
    const struct store_journal_options files = {
        .env = options->env, .directory = options->directory, .region = options->region};
    err e = store_journal_open(&journal->files, &files, note);
    if (e != OK) {
        mem_free(journal);
        return e;
    }
    journal->log = options->log;
    journal->history = history_new(&options->history, 0);
    *out_journal = journal;
    return OK;
}

void history_journal_close(struct history_journal *journal)
{
    if (journal == NULL) {
        return;
    }
    store_journal_close(journal->files);
    history_free(journal->history);
    mem_free(journal->part.changes);
    mem_free(journal);
}

struct history *history_journal_history(struct history_journal *journal)
{
    return journal->history;
}

uint64_t history_journal_bytes(const struct history_journal *journal)
{
    return journal->bytes;
}

/* ---- with a checkpoint ---- */

static void on_freeze(void *ctx)
{
    struct history_journal *journal = ctx;
    struct history *history = journal->history;
    struct part *part = &journal->part;
    ASSERT(part->changes == NULL);
    uint64_t first = history_first(history);
    /* Else something that is not written is gone already: what is written is no use any more. */
    bool goes_on = first <= journal->number;
    uint64_t from = goes_on ? journal->number : first;
    *part = (struct part){
        .after = goes_on ? journal->revision : history_oldest(history),
        .through = history_newest(history),
        .oldest = history_oldest(history),
        .count = history_end(history) - from,
    };
    part->changes = mem_calloc(part->count + 1, sizeof(const struct history_entry *));
    for (size_t i = 0; i < part->count; i++) {
        part->changes[i] = history_at_number(history, from + i);
    }
    journal->number = from + part->count;
    journal->revision = part->through;
    history_pin(history);
}

static bool next_change(void *ctx, struct store_change *out_change)
{
    struct part *part = ctx;
    if (part->told == part->count) {
        return false;
    }
    const struct history_entry *entry = part->changes[part->told++];
    *out_change = (struct store_change){
        .kind = entry->kind,
        .revision = entry->revision,
        .clock_ms = entry->clock_ms,
        .key = entry->key,
        .record = entry->kind == STORE_CHANGE_PUT ? &entry->record : NULL,
        .replaced = entry->has_replaced ? &entry->replaced : NULL,
    };
    return true;
}

static void on_write(void *ctx)
{
    struct history_journal *journal = ctx;
    struct part *part = &journal->part;
    if (part->is_over) {
        return;
    }
    const struct store_journal_part told = {
        .after = part->after, .through = part->through, .next = next_change, .ctx = part};
    store_journal_trim(journal->files, part->oldest); /* first: it needs the room less */
    if (part->after != part->through && !store_journal_append(journal->files, &told)) {
        part->is_given_up = true;
    }
    part->is_over = true;
}

/* What nobody was promised goes before a write is refused. */
static bool on_give_way(void *ctx)
{
    struct history_journal *journal = ctx;
    bool has_any = store_journal_bytes(journal->files) > 0;
    if (!has_any || store_journal_drop(journal->files) != OK) {
        return false;
    }
    journal->part.is_over = true;
    journal->part.is_given_up = true;
    return true;
}

static err on_replace(void *ctx)
{
    struct history_journal *journal = ctx;
    journal->part.is_over = true;
    return store_journal_drop(journal->files);
}

static void on_done(void *ctx)
{
    struct history_journal *journal = ctx;
    struct part *part = &journal->part;
    if (part->changes != NULL) {
        ASSERT(part->is_over);
        history_unpin(journal->history);
        mem_free(part->changes);
        part->changes = NULL;
    }
    if (part->is_given_up) {
        LOG_WARN(journal->log,
                 "the disk is full: the history on it was removed, a restart will have none of "
                 "before",
                 LOG_U64("revision", part->through), LOG_U64("freed_bytes", journal->bytes));
        part->is_given_up = false;
    }
    journal->bytes = store_journal_bytes(journal->files);
}

struct store_companion history_journal_companion(struct history_journal *journal)
{
    return (struct store_companion){.freeze = on_freeze,
                                    .write = on_write,
                                    .give_way = on_give_way,
                                    .replace = on_replace,
                                    .done = on_done,
                                    .ctx = journal};
}
