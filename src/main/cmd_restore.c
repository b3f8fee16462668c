/* pontoon restore: a backup into the data directory of a node of a new cluster. */
#include <inttypes.h>
#include <stdio.h>

#include "api/document.h"
#include "base/limits.h"
#include "main/backup_text.h"
#include "main/client.h"
#include "main/members.h"
#include "node/restore.h"

struct settings {
    const char *data;
    uint64_t id;
    const char *cluster;
    const char *cluster_name;
    uint64_t output; /* enum client_output */
};

static const char *const outputs[] = {"text", "json", NULL};

static const struct flag flags[] = {
    {"data", 0, FLAG_TEXT, offsetof(struct settings, data), NULL, "DIR",
     "the directory to make; not there yet, or empty"},
    {"id", 0, FLAG_U64, offsetof(struct settings, id), NULL, "N", "this node's number (1)"},
    {"cluster", 0, FLAG_TEXT, offsetof(struct settings, cluster), NULL, "1=HOST:PORT,...",
     "the first members of the new cluster (this node alone)"},
    {"cluster-name", 0, FLAG_TEXT, offsetof(struct settings, cluster_name), NULL, "NAME",
     "as \"pontoon serve\" will be given it"},
    {"output", 'o', FLAG_CHOICE, offsetof(struct settings, output), outputs, "text|json",
     "for people, or for programs (text)"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

static const char text[] =
    "pontoon restore makes a new data directory of a backup. No node runs on it meanwhile.\n"
    "\n"
    "One node:\n"
    "  pontoon restore monday.backup --data new\n"
    "  pontoon serve --data new\n"
    "\n"
    "Three: on each of them, from the same file, with the same --cluster; then serve with the "
    "same:\n"
    "  C=1=10.0.0.1:4000,2=10.0.0.2:4000,3=10.0.0.3:4000\n"
    "  pontoon restore monday.backup --data new --id 1 --cluster $C\n"
    "  pontoon serve --data new --id 1 --cluster $C\n"
    "\n"
    "It is a new cluster, with an id of its own: members of the old one are not let in. Stop them\n"
    "first, or clients may write to both. Keys keep their revisions; new ones begin "
    "10,000,000,000\n"
    "behind the backup's. Restoring one file twice for the same members gives the same cluster;\n"
    "with another --cluster-name it is another one.\n"
    "\n"
    "A file that is not whole is refused, before anything is made.\n";

const struct command_form main_form_restore = {
    .synopsis = "FILE --data DIR",
    .text = text,
    .flags = flags,
    .takes_files = true,
};

static err find_members(const struct settings *settings, struct member *members,
                        uint32_t *out_count, struct err_note *note)
{
    if (settings->id == 0 || settings->id > NODE_ID_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "--id: ids are numbers from 1 to %" PRIu64,
                            NODE_ID_MAX);
    }
    if (settings->cluster == NULL) {
        members[0] = (struct member){.id = settings->id};
        *out_count = 1;
        return OK;
    }
    err e = main_members_parse(settings->cluster, members, out_count, note);
    if (e != OK) {
        return err_note_wrap(note, e, "--cluster");
    }
    if (main_members_find(members, *out_count, settings->id) == NULL) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "--cluster: this node's id %" PRIu64 " is not among the members",
                            settings->id);
    }
    return OK;
}

static void report(const struct settings *settings, const struct restored *restored)
{
    if (settings->output == CLIENT_OUTPUT_JSON) {
        struct json_object *document = json_object_new_object();
        api_document_add_text(document, "data", settings->data);
        api_document_add_id(document, "cluster_id", restored->cluster_id);
        api_document_add_u64(document, "node_id", settings->id);
        api_document_add_u64(document, "next_revision", restored->revision + 1);
        main_backup_text_add(document, &restored->backup);
        main_backup_text_print(document, stdout);
        return;
    }
    char hash[BACKUP_TEXT_HASH_SIZE];
    main_backup_text_hash(restored->backup.state.state_hash, hash);
    (void)printf("%s: node %" PRIu64 " of the new cluster %016" PRIx64 ", as of revision %" PRIu64
                 ": %" PRIu64 " keys, state hash %s; the next revision is %" PRIu64 "\n",
                 settings->data, settings->id, restored->cluster_id,
                 restored->backup.state.revision, restored->backup.state.keys, hash,
                 restored->revision + 1);
}

static enum exit_status run(struct env *env, const struct settings *settings, const char *path,
                            struct err_note *note)
{
    struct member members[MEMBERS_MAX];
    struct restored restored;
    struct restore_options options = {
        .env = env,
        .backup_path = path,
        .data_directory = settings->data,
        .id = settings->id,
        .cluster_name = settings->cluster_name,
        .members = members,
    };
    if (find_members(settings, members, &options.member_count, note) != OK) {
        return EXIT_USAGE;
    }
    if (restore_data_directory(&options, &restored, note) != OK) {
        return EXIT_FAILED;
    }
    report(settings, &restored);
    return EXIT_OK;
}

enum exit_status main_cmd_restore(struct env *env, int count, char *const *arguments)
{
    struct settings settings = {.id = 1, .cluster_name = ""};
    const struct flag_group groups[] = {{flags, &settings}, {NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    enum exit_status status = EXIT_USAGE;
    if (main_flags_parse(groups, count, arguments, 1, &words, &note) == OK) {
        if (words.count == 0 || settings.data == NULL || settings.data[0] == '\0') {
            (void)err_note_set(&note, ERR_BAD_REQUEST,
                               "say what and where: \"pontoon restore FILE --data DIR\"");
        } else {
            status = run(env, &settings, words.items[0], &note);
        }
    }
    return status == EXIT_OK ? EXIT_OK : main_command_complain("restore", &note, status);
}
