/* pontoon log dump DIR: what the log of a stopped node holds, record by record. */
#include <inttypes.h>
#include <string.h>

#include "api/units.h"
#include "base/assert.h"
#include "main/command.h"
#include "main/offline.h"
#include "proto/command.h"
#include "wal/wal_inspect.h"

static const char text[] =
    "pontoon log dump prints what the log of a stopped node holds.\n"
    "\n"
    "All of it, or the entries 100 to 110:\n"
    "  pontoon log dump pontoon-data\n"
    "  pontoon log dump pontoon-data --from 100 --to 110\n"
    "\n"
    "A line a record: the file and the offset, the region, and\n"
    "  hard-state term=2 vote=1 commit=5\n"
    "  entry index=3 term=2 type=command size=53 put key=foo value=3\n"
    "  compaction index=2 term=1     entries up to it are gone\n"
    "  snapshot index=9 term=2       every entry is gone, the log goes on after it\n"
    "Keys are as in a URL: %20 is a space. Entries may stand more than once: the\n"
    "last one counts. --from and --to leave out everything but entries.\n"
    "\n"
    "It goes on as far as the log is whole, and tells on standard error where and\n"
    "why it ends. Nothing is written. Status: 0; 1: there is damage, or it cannot\n"
    "be read; 2: called wrongly.\n";

struct dump {
    bool has_range;
    uint64_t from;
    uint64_t to;
    struct writer key;
    /* How the log ends. */
    char end[ERR_NOTE_SIZE];
};

static const char *const verb_names[] = {"dump", NULL};

const struct command_form main_form_log = {
    .synopsis = "dump DIR",
    .text = text,
    .verbs = verb_names,
    .takes_files = true,
};

static const char *type_name(const struct wal_inspect_record *record)
{
    switch (record->type) {
    case ENTRY_NORMAL:
        return record->data.size > 0 ? "command" : "no-op";
    case ENTRY_CONF_CHANGE:
        return "conf-change";
    case ENTRY_CONF_CHANGE_V2:
        return "conf-change-v2";
    case ENTRY_BOOTSTRAP:
        return "bootstrap";
    default:
        UNREACHABLE(); /* the log's decoder knows no other */
    }
}

static const char *op_name(enum txn_type type)
{
    static const char *const names[TXN_TYPES + 1] = {
        [TXN_GET] = "get",
        [TXN_PUT] = "put",
        [TXN_DELETE] = "delete",
        [TXN_DELETE_RANGE] = "delete-range",
        [TXN_ADD] = "add",
        [TXN_APPEND] = "append",
        [TXN_TOUCH] = "touch",
        [TXN_LEASE_GRANT] = "lease-grant",
        [TXN_LEASE_KEEP] = "lease-keep",
        [TXN_LEASE_REVOKE] = "lease-revoke",
        [TXN_LOCK] = "lock",
        [TXN_LOCK_RENEW] = "lock-renew",
        [TXN_LOCK_LEAVE] = "lock-leave",
        [TXN_UNLOCK] = "unlock",
        [TXN_EXPIRE] = "expire",
    };
    return names[type];
}

/* Each operation with its key; a lock's name begins with its kind. */
static void print_ops(struct dump *dump, const char *branch, struct slice ops)
{
    struct reader walk = reader_of(ops);
    struct txn_op op;
    while (txn_next_op(&walk, &op)) {
        (void)printf(" %s=%s:%s", branch, op_name(op.type),
                     main_offline_escape(op.key, &dump->key));
    }
}

static void print_txn(struct dump *dump, const struct command *command)
{
    struct txn txn;
    if (txn_decode(command->value, &txn) != OK) {
        (void)printf(" undecodable\n"); /* it cannot be: command_decode has looked */
        return;
    }
    (void)printf(" txn elapsed_ms=%" PRIu64 " checks=%" PRIu32, command->clock.elapsed_ms,
                 txn.check_count);
    if (txn.idempotency_key.size > 0) {
        (void)printf(" idempotency_key=%s", main_offline_escape(txn.idempotency_key, &dump->key));
    }
    print_ops(dump, "then", txn.then_ops);
    print_ops(dump, "else", txn.else_ops);
    (void)putchar('\n');
}

static void print_command(struct dump *dump, struct slice data)
{
    struct command command;
    err e = command_decode(data, &command);
    if (e != OK) {
        (void)printf(" undecodable=%s\n", err_name(e));
        return;
    }
    if (command.type == COMMAND_TXN) {
        print_txn(dump, &command);
        return;
    }
    const char *key = main_offline_escape(command.key, &dump->key);
    if (command.type == COMMAND_PUT) {
        (void)printf(" put key=%s value=%zu\n", key, command.value.size);
    } else {
        (void)printf(" delete key=%s\n", key);
    }
}

static void print_entry(struct dump *dump, const struct wal_inspect_record *record)
{
    (void)printf("entry index=%" PRIu64 " term=%" PRIu64 " type=%s size=%zu", record->pos.index,
                 record->pos.term, type_name(record), record->data.size);
    if (record->type == ENTRY_NORMAL && record->data.size > 0) {
        print_command(dump, record->data);
    } else {
        (void)putchar('\n');
    }
}

static void on_record(void *ctx, const struct wal_inspect_record *record)
{
    struct dump *dump = ctx;
    bool is_entry = record->kind == WAL_KIND_ENTRY;
    if (dump->has_range &&
        (!is_entry || record->pos.index < dump->from || record->pos.index > dump->to)) {
        return;
    }
    (void)printf("%016" PRIx64 ".seg:%" PRIu64 " region=%" PRIu64 " ", record->segment,
                 record->offset, record->region);
    if (is_entry) {
        print_entry(dump, record);
    } else if (record->kind == WAL_KIND_HARD_STATE) {
        (void)printf("hard-state term=%" PRIu64 " vote=%" PRIu64 " commit=%" PRIu64 "\n",
                     record->hard_state.term, record->hard_state.vote, record->hard_state.commit);
    } else {
        (void)printf("%s index=%" PRIu64 " term=%" PRIu64 "\n",
                     record->kind == WAL_KIND_SNAPSHOT ? "snapshot" : "compaction",
                     record->pos.index, record->pos.term);
    }
}

static void on_segment(void *ctx, const struct wal_inspect_segment *segment)
{
    struct dump *dump = ctx;
    if (!segment->is_whole) {
        return; /* how it ends was told */
    }
    if (segment->is_torn) {
        (void)snprintf(dump->end, sizeof(dump->end),
                       "%s: at offset %" PRIu64 ": the log ends: a batch is torn that was never "
                       "reported durable (at offset %" PRIu64 ": %s)",
                       segment->path, segment->end, segment->fault_offset, segment->fault);
    } else {
        (void)snprintf(dump->end, sizeof(dump->end),
                       "%s: at offset %" PRIu64 ": the log ends: nothing was written behind it",
                       segment->path, segment->end);
    }
}

static void on_damage(void *ctx, err e, const char *what)
{
    struct dump *dump = ctx;
    (void)e;
    (void)snprintf(dump->end, sizeof(dump->end), "%s", what);
}

static enum exit_status dump_log(struct dump *dump, const struct offline *offline,
                                 struct err_note *note)
{
    static const struct wal_inspect_handler handler = {on_record, on_segment, on_damage};
    struct wal_marks_view marks = {.state = WAL_MARKS_MISSING};
    struct wal_inspect *inspect = NULL;
    err e = wal_marks_look(offline->env, offline->log_directory, &marks, note);
    if (e != OK) {
        return EXIT_FAILED;
    }
    struct wal_inspect_options options = {
        .env = offline->env,
        .directory = offline->log_directory,
        .cluster_id = offline->identity.cluster_id,
        .node = offline->identity.node,
        .mark = marks.mark,
    };
    e = wal_inspect_open(&inspect, &options, &handler, dump);
    wal_inspect_close(inspect);
    if (e != OK) {
        (void)err_note_set(note, e, "%s", dump->end);
        return EXIT_FAILED;
    }
    (void)fprintf(stderr, "pontoon: %s\n",
                  dump->end[0] != '\0' ? dump->end : "the log has no segment yet");
    return EXIT_OK;
}

/* The bounds, where they are given. */
static err take_range(struct dump *dump, const struct offline_flag *flags, struct err_note *note)
{
    uint64_t *targets[] = {&dump->from, &dump->to};
    dump->to = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        const char *value = flags[i].value;
        if (value == NULL) {
            continue;
        }
        dump->has_range = true;
        if (api_units_parse_u64(slice_from_text(value), targets[i]) != OK) {
            return err_note_set(note, ERR_BAD_REQUEST, "--%s %s: it takes the index of an entry",
                                flags[i].name, value);
        }
    }
    return OK;
}

enum exit_status main_cmd_log(struct env *env, int count, char *const *arguments)
{
    struct offline_flag flags[] = {{.name = "from"}, {.name = "to"}};
    struct err_note note = {""};
    struct dump dump = {.has_range = false};
    struct offline offline = {.env = env};
    const char *directory = NULL;
    if (count == 0 || strcmp(arguments[0], "dump") != 0) {
        (void)err_note_set(&note, ERR_BAD_REQUEST, "say what to do: \"pontoon log dump DIR\"");
        return main_command_complain("log", &note, EXIT_USAGE);
    }
    err e =
        main_offline_parse(count - 1, arguments + 1, &directory, flags, ARRAY_COUNT(flags), &note);
    e = e == OK ? take_range(&dump, flags, &note) : e;
    if (e != OK) {
        return main_command_complain("log", &note, EXIT_USAGE);
    }
    enum exit_status status = EXIT_FAILED;
    if (main_offline_open(&offline, env, directory, &note) == OK) {
        main_offline_guard();
        status = dump_log(&dump, &offline, &note);
    }
    main_offline_close(&offline);
    writer_deinit(&dump.key);
    return status == EXIT_OK ? main_offline_finish("log")
                             : main_command_complain("log", &note, status);
}
