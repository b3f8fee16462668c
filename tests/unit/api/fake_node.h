/*
 * The node as the routes see it, made up: a few records, and what the test wants it to answer.
 */
#ifndef API_FAKE_NODE_H
#define API_FAKE_NODE_H

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json_tokener.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/api.h"
#include "base/hash.h"
#include "base/mem.h"
#include "env/uv.h"
#include "node/history.h"
#include "node/notices.h"
#include "node/scan.h"
#include "node/watches.h"
#include "wal/wal.h"

#define PATIENCE_MS 20000u
#define FAKE_RECORDS_MAX 64u
#define VALUE_BYTES_MAX 100000u
#define TXN_BYTES_MAX 200000u

/* ---- the node ---- */

struct fake_record {
    struct buf *key;
    struct buf *value;
    struct buf *content_type;
    struct store_record record;
};

struct node {
    struct fake_record records[FAKE_RECORDS_MAX];
    uint64_t revision;
    uint64_t clock_ms;
    unsigned writes_until_quota; /* then they get ERR_QUOTA; 0: never */
    err e;                       /* what the next requests get instead of being done */
    struct node_write *held;     /* the last write, unanswered, while `holds` */
    struct node_write *first_held;
    bool holds;
    struct node_status status;
    struct admin_spec spec;            /* the last request about members */
    uint32_t admin_count;              /* how many there were */
    const char *admin_text;            /* why not; NULL: nothing is said */
    struct admin_figures figures;      /* what a list is answered with */
    const char *why_not_ready;         /* NULL: it is ready */
    enum read_consistency consistency; /* of the last read */
    enum read_consistency given;       /* what the next bounded reads become */
    uint64_t staleness_ms_max;         /* of the last read */
    uint64_t revision_min;             /* likewise */
    uint64_t staleness_ms;             /* what this node says of itself */
    struct write_times times;          /* of the next writes */
    uint32_t index_us;                 /* of the next linearizable reads */
    uint64_t deadline_ms;              /* of the last request */
    struct wal_stats wal;
    struct store_stats store;
    uint64_t oldest;                          /* revision that can be read; the state is the same */
    err scan_e;                               /* what reading a record in a scan gives */
    uint64_t scans;                           /* opened so far */
    bool has_census;                          /* which knows how many keys are in a range */
    uint64_t same_since;                      /* nothing was changed since; 0: since now */
    uint64_t moves_at;                        /* the scan at which it moves on by a revision */
    uint8_t scan_bound[STORE_BOUND_SIZE_MAX]; /* of a scan that has skipped */
    struct store_region backup_state;
    struct node_backup *backup; /* that is open */
    unsigned backup_pieces;     /* left of it; each has BACKUP_PIECE_BYTES */
    unsigned backups_closed;
    uint64_t backup_delay_ms; /* after each piece */
    uint64_t backup_due_ms;
    struct buf *txn;                  /* the command of the last transaction */
    struct command_result txn_result; /* what transactions are answered, with these results */
    struct writer txn_results;
    unsigned txn_conflicts; /* so many of them find that their last check does not hold */
    unsigned txn_count;
    struct history *history; /* of what was written */
    struct watches *watches;
    struct env_turn turn; /* in which they are told */
    struct store *state;  /* of leases and locks, or NULL: state_testing.h */
    uint64_t elapsed_ms;  /* its time */
    uint64_t index;       /* its last entry's */
    struct list notices;  /* who wants to hear of its changes */
};

#define BACKUP_PIECE_BYTES 100000u

/* Of leases and locks: state_testing.h has a store for them. */
#ifdef STATE_TESTING_H
static void state_write(struct node *node, struct node_write *write);
#else
static inline void state_write(struct node *node, struct node_write *write)
{
    (void)node;
    (void)write;
    fail();
}
#endif

void node_notice_start(struct node *node, struct node_notice *notice, struct slice key)
{
    notice->hash = hash64(key, 0);
    if (node->notices.next == NULL) {
        list_init(&node->notices);
    }
    list_push_back(&node->notices, &notice->link);
}

void node_notice_stop(struct node *node, struct node_notice *notice)
{
    (void)node;
    if (notice->link.next != NULL) {
        list_remove(&notice->link);
        notice->link = (struct list){NULL, NULL};
    }
}

err node_state_look(struct node *node, struct node_state *out_state)
{
    *out_state = (struct node_state){node->state, node->elapsed_ms};
    return node->state != NULL ? OK : ERR_DIVERGED;
}

static struct fake_record *fake_find(struct node *node, struct slice key)
{
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        if (node->records[i].key != NULL && slice_equal(buf_slice(node->records[i].key), key)) {
            return &node->records[i];
        }
    }
    return NULL;
}

static void fake_clear(struct fake_record *record)
{
    buf_drop(&record->key);
    buf_drop(&record->value);
    buf_drop(&record->content_type);
    *record = (struct fake_record){0};
}

static struct fake_record *fake_place(struct node *node, struct slice key)
{
    struct fake_record *record = fake_find(node, key);
    for (size_t i = 0; i < FAKE_RECORDS_MAX && record == NULL; i++) {
        if (node->records[i].key == NULL) {
            record = &node->records[i];
        }
    }
    assert_non_null(record);
    return record;
}

/* Tells history and watches, as the store would. `old` is what stood there, or NULL. */
static void fake_tell(struct node *node, struct slice key, const struct fake_record *now,
                      const struct fake_record *old)
{
    struct store_record record;
    struct store_record replaced;
    struct store_change change = {.kind = STORE_CHANGE_DELETE,
                                  .revision = node->revision,
                                  .clock_ms = node->clock_ms,
                                  .key = key};
    if (old != NULL) {
        replaced = old->record;
        replaced.owner = old->value;
        replaced.value = buf_slice(old->value);
        change.replaced = &replaced;
    }
    if (now != NULL) {
        record = now->record;
        record.owner = now->value;
        record.value = buf_slice(now->value);
        change.kind = STORE_CHANGE_PUT;
        change.record = &record;
    }
    history_changed(node->history, &change);
    history_revised(node->history, node->revision);
}

static void fake_apply(struct node *node, const struct command *command,
                       struct command_result *result)
{
    if (command->type == COMMAND_TXN) { /* it is not carried out: tests say what it answers */
        struct txn txn;
        assert_int_equal(txn_decode(command->value, &txn), OK);
        node->txn_count++;
        if (node->txn_conflicts > 0) {
            node->txn_conflicts--;
            *result = (struct command_result){
                .e = ERR_PRECONDITION_FAILED, .has_failed = true, .failed = txn.check_count - 1};
            return;
        }
        *result = node->txn_result;
        result->results = writer_slice(&node->txn_results);
        return;
    }
    struct fake_record *old = fake_find(node, command->key);
    *result = (struct command_result){.e = OK, .existed = old != NULL};
    if (command->type == COMMAND_DELETE) {
        if (old != NULL) {
            node->revision++;
            fake_tell(node, command->key, NULL, old);
            fake_clear(old);
        }
        result->revision = node->revision;
        return;
    }
    struct store_record record = {
        .create_revision = old != NULL ? old->record.create_revision : node->revision + 1,
        .mod_revision = ++node->revision,
        .version = old != NULL ? old->record.version + 1 : 1,
        .modified_ms = node->clock_ms,
    };
    struct fake_record *place = fake_place(node, command->key);
    struct fake_record now = {.key = buf_copy(command->key),
                              .value = buf_copy(command->value),
                              .content_type = buf_copy(command->content_type),
                              .record = record};
    fake_tell(node, command->key, &now, old);
    fake_clear(place);
    *place = now;
    result->revision = node->revision;
    result->create_revision = record.create_revision;
    result->mod_revision = record.mod_revision;
    result->version = record.version;
    result->modified_ms = record.modified_ms;
}

/* Of transactions it knows those of one operation that deletes a range. False: it is another. */
static bool fake_delete_range(struct node *node, const struct command *command,
                              struct command_result *result, struct writer *results)
{
    struct txn txn;
    struct txn_op op;
    struct txn_result one = {.type = TXN_DELETE_RANGE};
    assert_int_equal(txn_decode(command->value, &txn), OK);
    struct reader walk = reader_of(txn.then_ops);
    if (!txn_next_op(&walk, &op) || op.type != TXN_DELETE_RANGE) {
        return false;
    }
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        struct slice key = buf_slice(node->records[i].key);
        if (key.size > 0 && slice_compare(key, op.key) >= 0 &&
            (op.end.size == 0 || slice_compare(key, op.end) < 0)) {
            fake_clear(&node->records[i]);
            one.number++;
        }
    }
    node->revision += one.number > 0;
    txn_result_encode(&one, results);
    *result = (struct command_result){
        .e = OK, .revision = node->revision, .results = writer_slice(results)};
    return true;
}

static void fake_answer(struct node *node, struct node_write *write)
{
    struct command command;
    struct command_result result = {.e = node->e};
    struct writer results = {0};
    assert_int_equal(command_decode(buf_slice(write->command), &command), OK);
    if (command.type == COMMAND_TXN) {
        buf_drop(&node->txn);
        node->txn = buf_ref(write->command);
    }
    bool is_range = node->e == OK && command.type == COMMAND_TXN &&
                    fake_delete_range(node, &command, &result, &results);
    if (node->e == OK && !is_range) {
        fake_apply(node, &command, &result);
    }
    if (node->writes_until_quota > 0 && --node->writes_until_quota == 0) {
        node->e = ERR_QUOTA;
    }
    buf_drop(&write->command);
    assert_int_not_equal(write->received_ns, 0);
    write->times = node->times;
    write->done(write, &result);
    writer_deinit(&results);
}

void node_write(struct node *node, struct slice key, struct node_write *write)
{
    assert_true(key.size > 0);
    node->deadline_ms = write->deadline_ms;
    if (node->holds) {
        node->first_held = node->first_held == NULL ? write : node->first_held;
        node->held = write;
        return;
    }
    if (node->state != NULL && command_type_of(write->command) == COMMAND_TXN) {
        state_write(node, write);
        return;
    }
    fake_answer(node, write);
}

void node_read(struct node *node, struct node_read *read)
{
    node->consistency = read->consistency;
    node->staleness_ms_max = read->staleness_ms_max;
    node->revision_min = read->revision_min;
    node->deadline_ms = read->deadline_ms;
    assert_int_not_equal(read->received_ns, 0);
    if (read->consistency == READ_BOUNDED) {
        read->consistency = node->given;
    }
    read->index_us = read->consistency == READ_LINEARIZABLE ? node->index_us : 0;
    if (read->is_scan) {
        read->done(read, node->e, NULL);
        return;
    }
    const struct fake_record *found = fake_find(node, read->key);
    if (node->e != OK || found == NULL) {
        read->done(read, node->e != OK ? node->e : ERR_NOT_FOUND, NULL);
        return;
    }
    struct store_record record = found->record;
    record.owner = buf_ref(found->value);
    record.value = buf_slice(found->value);
    record.content_type = buf_slice(found->content_type);
    read->done(read, OK, &record);
}

/* ---- its scans: whatever the revision, what is there now ---- */

static struct node *fake_of_scan(const struct node_scan *scan)
{
    return (struct node *)(void *)scan->replica;
}

uint64_t node_scan_oldest(const struct node *node)
{
    return node->oldest;
}

uint64_t node_scan_keys(const struct node *node)
{
    uint64_t count = 0;
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        count += node->records[i].key != NULL;
    }
    return count;
}

err node_scan_count(struct node *node, struct store_range range, uint64_t budget,
                    uint64_t *out_count)
{
    (void)budget;
    if (!node->has_census) {
        return ERR_OVERLOADED;
    }
    *out_count = 0;
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        struct slice key = buf_slice(node->records[i].key);
        bool is_within = (range.begin.size == 0 || slice_compare(key, range.begin) >= 0) &&
                         (range.end.size == 0 || slice_compare(key, range.end) < 0);
        *out_count += key.size > 0 && is_within;
    }
    return OK;
}

void node_scan_skip(struct node_scan *scan, struct slice key)
{
    struct node *node = fake_of_scan(scan);
    memcpy(node->scan_bound, key.data, key.size);
    struct slice bound = {node->scan_bound, key.size};
    *(scan->present.is_reverse ? &scan->present.range.end : &scan->present.range.begin) = bound;
}

err node_scan_open(struct node *node, const struct node_scan_options *options,
                   struct node_scan *out_scan)
{
    node->scans++;
    if (node->scans == node->moves_at) {
        node->revision++;
        node->oldest = node->revision;
    }
    if (options->revision > node->revision) {
        return ERR_BAD_REQUEST;
    }
    if (options->revision < node->oldest) {
        return ERR_GONE;
    }
    *out_scan = (struct node_scan){.replica = (struct replica *)(void *)node};
    out_scan->present.range = options->range;
    out_scan->present.is_reverse = options->is_reverse;
    struct slice near = options->is_reverse ? options->range.end : options->range.begin;
    if (near.size > 0) { /* it is not borrowed, but for the opening */
        node_scan_skip(out_scan, near);
    }
    return OK;
}

void node_scan_close(struct node_scan *scan)
{
    scan->replica = NULL;
}

/* Whether the scan has still to come to `key`. */
static bool fake_is_ahead(const struct node_scan *scan, struct slice key)
{
    const struct store_range *range = &scan->present.range;
    bool is_within = (range->begin.size == 0 || slice_compare(key, range->begin) >= 0) &&
                     (range->end.size == 0 || slice_compare(key, range->end) < 0);
    int order = scan->key.size > 0 ? slice_compare(key, scan->key) : 0;
    return is_within && (scan->key.size == 0 || (scan->present.is_reverse ? order < 0 : order > 0));
}

err node_scan_next(struct node_scan *scan)
{
    const struct node *node = fake_of_scan(scan);
    struct slice next = SLICE_EMPTY;
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        struct slice key = buf_slice(node->records[i].key);
        if (key.size == 0 || !fake_is_ahead(scan, key)) {
            continue;
        }
        int order = next.size > 0 ? slice_compare(key, next) : 0;
        if (next.size == 0 || (scan->present.is_reverse ? order > 0 : order < 0)) {
            next = key;
        }
    }
    if (next.size == 0) {
        return ERR_NOT_FOUND;
    }
    scan->key = next;
    return OK;
}

bool node_scan_is_same(const struct node *node, struct store_range range, uint64_t revision)
{
    (void)range;
    return revision == node->revision ||
           (node->same_since != 0 && revision >= node->same_since && revision < node->revision);
}

err node_scan_record(struct node_scan *scan, bool wants_value, struct store_record *out_record)
{
    struct node *node = fake_of_scan(scan);
    const struct fake_record *found = fake_find(node, scan->key);
    assert_non_null(found);
    (void)wants_value;
    *out_record = found->record;
    out_record->owner = found->value;
    out_record->value = buf_slice(found->value);
    out_record->content_type = buf_slice(found->content_type);
    return node->scan_e;
}

void node_backup_open(struct node *node, struct node_backup *backup)
{
    backup->node = node;
    if (node->e != OK) {
        backup->opened(backup, node->e);
        return;
    }
    node->backup = backup;
    backup->state = &node->backup_state;
    backup->opened(backup, OK);
}

err node_backup_read(struct node_backup *backup, struct writer *out, bool *out_is_last)
{
    struct node *node = backup->node;
    if (node->e != OK) {
        return node->e;
    }
    node->backup_pieces--;
    node->backup_due_ms = node->clock_ms + node->backup_delay_ms;
    memset(writer_extend(out, BACKUP_PIECE_BYTES), 'b', BACKUP_PIECE_BYTES);
    *out_is_last = node->backup_pieces == 0;
    return OK;
}

/* The clock moves on when it is asked for. */
uint64_t node_backup_delay_ms(const struct node_backup *backup)
{
    struct node *node = backup->node;
    uint64_t delay_ms = node->backup_due_ms > node->clock_ms ? node->backup_delay_ms : 0;
    node->clock_ms += delay_ms;
    return delay_ms;
}

void node_backup_close(struct node_backup *backup)
{
    backup->node->backup = NULL;
    backup->node->backups_closed++;
}

const char *node_role_name(enum node_role role)
{
    static const char *const names[] = {"follower", "candidate", "leader", "learner"};
    return names[role];
}

void node_admin(struct node *node, struct node_admin *request)
{
    node->spec = request->spec;
    node->deadline_ms = request->deadline_ms;
    node->admin_count++;
    request->id = request->spec.id == 0 ? 4 : request->spec.id;
    if (request->spec.op == ADMIN_LIST) {
        request->id = node->status.leader;
        request->figures = &node->figures;
    }
    const char *text = node->admin_text == NULL ? "" : node->admin_text;
    request->done(request, node->e, slice_from_text(text));
}

void node_drain(struct node *node, struct node_drain *drain)
{
    assert_false(drain->is_final);
    node->status.is_draining = node->e == OK;
    drain->done(drain, node->e);
}

err node_undrain(struct node *node)
{
    node->status.is_draining = false;
    return node->e;
}

const char *node_explain_overload(const struct node *node)
{
    (void)node;
    return "full: --max-pending-requests";
}

const char *node_explain_draining(const struct node *node)
{
    return node->status.is_draining ? "draining: undo it" : "shutting down";
}

void node_status(const struct node *node, struct node_status *out_status)
{
    *out_status = node->status;
}

uint64_t node_revision(const struct node *node)
{
    return node->revision;
}

void node_standing(const struct node *node, struct node_standing *out_standing)
{
    *out_standing = (struct node_standing){
        .leader = node->status.leader,
        .term = node->status.term,
        .staleness_ms = node->staleness_ms,
    };
}

bool node_leader_address(const struct node *node, char out_address[ADDRESS_SIZE_MAX + 1])
{
    memcpy(out_address, node->status.leader_client_address, ADDRESS_SIZE_MAX + 1);
    return node->status.role == NODE_LEADER;
}

bool node_is_leader(const struct node *node)
{
    return node->status.role == NODE_LEADER && node->status.has_quorum;
}

bool node_is_ready(const struct node *node, const char **out_why_not)
{
    *out_why_not = node->why_not_ready;
    return node->why_not_ready == NULL;
}

const struct wal_stats *node_wal_stats(const struct node *node)
{
    return &node->wal;
}

const struct store_stats *node_store_stats(const struct node *node)
{
    return &node->store;
}

struct history *node_history(const struct node *node)
{
    return node->history;
}

struct watches *node_watches(const struct node *node)
{
    return node->watches;
}

static void fake_turn(struct env_turn *turn)
{
    watches_turn(CONTAINER_OF(turn, struct node, turn)->watches);
}

const char *node_store_path(const struct node *node)
{
    (void)node;
    return "data/store/data.mdb";
}

#endif
