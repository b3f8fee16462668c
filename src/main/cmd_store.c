/* pontoon store dump DIR: what the checkpoint of a stopped node holds. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_percent.h"
#include "main/command.h"
#include "main/offline.h"
#include "store/inspect.h"

static const char text[] =
    "pontoon store dump prints what the checkpoint of a stopped node holds.\n"
    "\n"
    "All of it, or the keys that begin with app/:\n"
    "  pontoon store dump pontoon-data\n"
    "  pontoon store dump pontoon-data --prefix app/\n"
    "\n"
    "First the regions, what is applied in each, and its members; then a line a\n"
    "record; without a prefix also the system's own (system_key=). Keys and the\n"
    "prefix are as in a URL: %20 is a space. Writes since the last checkpoint are\n"
    "not in it: \"pontoon log dump\" has them.\n"
    "\n"
    "Nothing is written. Status: 0; 1: something is damaged (crc=damaged says what)\n"
    "or cannot be read; 2: called wrongly.\n";

struct dump {
    struct writer key;
    struct writer content_type;
    uint64_t damages;
    uint64_t records;
};

static const char *const verb_names[] = {"dump", NULL};

const struct command_form main_form_store = {
    .synopsis = "dump DIR",
    .text = text,
    .verbs = verb_names,
    .takes_files = true,
};

static void print_ids(const char *name, const struct id_set *ids)
{
    (void)printf(" %s=", name);
    for (uint32_t i = 0; i < ids->count; i++) {
        (void)printf("%s%" PRIu64, i > 0 ? "," : "", ids->ids[i]);
    }
}

static void on_region(void *ctx, const struct store_region *region, err e)
{
    struct dump *dump = ctx;
    if (e != OK) {
        dump->damages++;
        (void)printf("region=%" PRIu64 " state=%s\n", region->id, err_name(e));
        return;
    }
    const struct membership *membership = &region->membership;
    (void)printf("region=%" PRIu64 " applied_index=%" PRIu64 " applied_term=%" PRIu64
                 " revision=%" PRIu64 " clock_ms=%" PRIu64 " elapsed_ms=%" PRIu64 " keys=%" PRIu64
                 " key_bytes=%" PRIu64 " value_bytes=%" PRIu64 " system_keys=%" PRIu64
                 " system_bytes=%" PRIu64 " hash=%016" PRIx64 "%016" PRIx64,
                 region->id, region->applied.index, region->applied.term, region->revision,
                 region->clock_ms, region->elapsed_ms, region->keys, region->key_bytes,
                 region->value_bytes, region->system_keys, region->system_bytes,
                 region->state_hash.high, region->state_hash.low);
    print_ids("voters", &membership->conf.voters);
    print_ids("voters_outgoing", &membership->conf.voters_outgoing);
    print_ids("learners", &membership->conf.learners);
    print_ids("learners_next", &membership->conf.learners_next);
    (void)putchar('\n');
    for (uint32_t i = 0; i < membership->member_count; i++) {
        const struct member *member = &membership->members[i];
        (void)printf("region=%" PRIu64 " member=%" PRIu64 " address=%s%s\n", region->id, member->id,
                     member->peer_address, member->wants_vote ? " wants_vote=true" : "");
    }
}

static void on_record(void *ctx, const struct store_inspect_record *told)
{
    struct dump *dump = ctx;
    const struct store_record *record = told->record;
    dump->records++;
    (void)printf("%s=%s", told->space == STORE_SPACE_USER ? "key" : "system_key",
                 main_offline_escape(told->key, &dump->key));
    if (record != NULL) {
        (void)printf(" create_revision=%" PRIu64 " mod_revision=%" PRIu64 " version=%" PRIu64
                     " modified_ms=%" PRIu64 " size=%zu content_type=%s",
                     record->create_revision, record->mod_revision, record->version,
                     record->modified_ms, record->value.size,
                     main_offline_escape(record->content_type, &dump->content_type));
        if (record->expires_ms != 0) { /* elapsed time, as the region's line has it */
            bool is_leased = (record->flags & STORE_RECORD_LEASED) != 0;
            (void)printf(is_leased ? " lease=%016" PRIx64 : " expires_elapsed_ms=%" PRIu64,
                         record->expires_ms);
        }
    }
    if (told->fault != NULL) {
        dump->damages++;
        (void)printf(" crc=damaged why=\"%s\"\n", told->fault);
    } else {
        (void)printf(" crc=ok\n");
    }
}

static enum exit_status dump_store(struct dump *dump, const struct offline *offline,
                                   struct slice prefix, struct err_note *note)
{
    struct store_inspect *inspect = NULL;
    err e = store_inspect_open(&inspect, offline->env, offline->store_directory, note);
    if (e != OK) {
        return EXIT_FAILED;
    }
    e = store_inspect_regions(inspect, on_region, dump, note);
    if (e == OK) {
        e = store_inspect_records(inspect, STORE_SPACE_USER, prefix, on_record, dump, note);
    }
    if (e == OK && prefix.size == 0) {
        e = store_inspect_records(inspect, STORE_SPACE_SYSTEM, SLICE_EMPTY, on_record, dump, note);
    }
    if (e == OK && dump->damages > 0) {
        e = err_note_set(note, ERR_CORRUPT, "%s: %" PRIu64 " of what was printed is damaged",
                         store_inspect_path(inspect), dump->damages);
    }
    if (e == OK) {
        (void)fprintf(stderr, "pontoon: %s: %" PRIu64 " records, all whole\n",
                      store_inspect_path(inspect), dump->records);
    }
    store_inspect_close(inspect);
    return e == OK ? EXIT_OK : EXIT_FAILED;
}

/* The prefix, decoded into `target`, which has room for it. */
static err take_prefix(const char *value, uint8_t *target, struct slice *out_prefix,
                       struct err_note *note)
{
    if (http_percent_decode(slice_from_text(value), target, out_prefix) != OK) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "--prefix %s: a %% has two hexadecimal digits behind it; it is written "
                            "%%25 itself",
                            value);
    }
    if (out_prefix->size > KEY_SIZE_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--prefix: it is longer than a key can be");
    }
    return OK;
}

static enum exit_status run(struct dump *dump, struct env *env, const char *directory,
                            struct slice prefix, struct err_note *note)
{
    struct offline offline;
    enum exit_status status = EXIT_FAILED;
    if (main_offline_open(&offline, env, directory, note) == OK) {
        main_offline_guard();
        status = dump_store(dump, &offline, prefix, note);
    }
    main_offline_close(&offline);
    return status;
}

enum exit_status main_cmd_store(struct env *env, int count, char *const *arguments)
{
    struct offline_flag flags[] = {{.name = "prefix"}};
    struct err_note note = {""};
    struct dump dump = {.damages = 0};
    const char *directory = NULL;
    if (count == 0 || strcmp(arguments[0], "dump") != 0) {
        (void)err_note_set(&note, ERR_BAD_REQUEST, "say what to do: \"pontoon store dump DIR\"");
        return main_command_complain("store", &note, EXIT_USAGE);
    }
    enum exit_status status = EXIT_USAGE;
    err e =
        main_offline_parse(count - 1, arguments + 1, &directory, flags, ARRAY_COUNT(flags), &note);
    const char *value = flags[0].value != NULL ? flags[0].value : "";
    uint8_t *bytes = mem_alloc(strlen(value) + 1);
    struct slice prefix = SLICE_EMPTY;
    if (e == OK && take_prefix(value, bytes, &prefix, &note) == OK) {
        status = run(&dump, env, directory, prefix, &note);
    }
    mem_free(bytes);
    writer_deinit(&dump.key);
    writer_deinit(&dump.content_type);
    return status == EXIT_OK ? main_offline_finish("store")
                             : main_command_complain("store", &note, status);
}
