#include "node/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/hash.h"

/*
 * The file is text for people and fixed for us: six lines, the last one the CRC32C of those before
 * it. It is written whole under another name, synced, renamed, and the directory synced: it is
 * there completely or not at all.
 */
#define IDENTITY_FORMAT 1
#define IDENTITY_TEXT_SIZE 512
#define PATH_SIZE 4096

static uint64_t founding_hash(const struct identity_claim *claim)
{
    const struct membership *founders = claim->founders;
    struct writer text = {0};
    writer_bytes(&text, slice_from_text(claim->cluster_name));
    /* A founder that is alone has no peers yet: where it would listen for them does not matter. */
    for (uint32_t i = 0; i < founders->member_count && founders->member_count > 1; i++) {
        writer_u8(&text, 0);
        member_encode(&founders->members[i], &text);
    }
    uint64_t hash = hash64(writer_slice(&text), 0);
    writer_deinit(&text);
    return hash;
}

static int format_identity(const struct identity *identity, char *text, size_t size)
{
    int length = snprintf(text, size,
                          "pontoon-data %d\n"
                          "cluster %016" PRIx64 "\n"
                          "founding %016" PRIx64 "\n"
                          "node %" PRIu64 "\n"
                          "instance %016" PRIx64 "\n",
                          IDENTITY_FORMAT, identity->cluster_id, identity->founding, identity->node,
                          identity->instance);
    ASSERT(length > 0 && (size_t)length + 16 < size);
    uint32_t crc = crc32c(0, text, (size_t)length);
    return length + snprintf(text + length, size - (size_t)length, "crc %08" PRIx32 "\n", crc);
}

static err parse_identity(const char *text, size_t size, const char *path,
                          struct identity *out_identity, struct err_note *note)
{
    int format = 0;
    uint32_t crc = 0;
    struct identity identity = {0};
    const char *crc_line = strstr(text, "\ncrc ");
    /* The scan cannot run over: the caller has ended the text with a NUL, widths are bounded. */
    /* NOLINTNEXTLINE(cert-err34-c): every number is checked by formatting it again below */
    int count = sscanf(text,
                       "pontoon-data %4d\ncluster %16" SCNx64 "\nfounding %16" SCNx64
                       "\nnode %20" SCNu64 "\ninstance %16" SCNx64 "\ncrc %8" SCNx32,
                       &format, &identity.cluster_id, &identity.founding, &identity.node,
                       &identity.instance, &crc);
    if (count >= 1 && format != IDENTITY_FORMAT) {
        return err_note_set(note, ERR_VERSION,
                            "%s: data format %d, this program knows %d: use the version of "
                            "pontoon that wrote it",
                            path, format, IDENTITY_FORMAT);
    }
    char expected[IDENTITY_TEXT_SIZE];
    if (count != 6 || crc_line == NULL ||
        format_identity(&identity, expected, sizeof(expected)) != (int)size ||
        memcmp(expected, text, size) != 0) {
        return err_note_set(note, ERR_DAMAGED,
                            "%s: damaged (it does not match its checksum): restore it from a "
                            "backup, or remove this node's data and let it be replaced",
                            path);
    }
    *out_identity = identity;
    return OK;
}

static err write_identity(struct env *env, const char *directory, const char *path,
                          const struct identity *identity, struct err_note *note)
{
    char text[IDENTITY_TEXT_SIZE];
    char staged[PATH_SIZE];
    int length = format_identity(identity, text, sizeof(text));
    (void)snprintf(staged, sizeof(staged), "%s/identity.new", directory);
    struct env_file *file = NULL;
    err e = env_file_open(env, staged, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file,
                          note);
    if (e != OK) {
        return e;
    }
    struct iovec part = {.iov_base = text, .iov_len = (size_t)length};
    e = env_file_write(file, 0, &part, 1);
    if (e == OK) {
        e = env_file_sync(file);
    }
    env_file_close(file);
    if (e == OK) {
        e = env_rename(env, staged, path);
    }
    if (e == OK) {
        e = env_dir_sync(env, directory);
    }
    return e == OK ? OK : err_note_set(note, e, "%s: cannot be written: %s", path, err_title(e));
}

static err check_identity(const struct identity *found, node_id node, uint64_t founding,
                          const char *directory, struct err_note *note)
{
    if (found->node != node) {
        return err_note_set(note, ERR_IDENTITY,
                            "%s belongs to node %" PRIu64 ", this is node %" PRIu64
                            ": choose another --data, or --id %" PRIu64,
                            directory, found->node, node, found->node);
    }
    if (found->founding != founding) {
        return err_note_set(note, ERR_IDENTITY,
                            "%s belongs to another cluster (%016" PRIx64 "): choose another "
                            "--data, or give the --cluster and --cluster-name it was made with",
                            directory, found->cluster_id);
    }
    return OK;
}

/* ERR_NO_FILE: there is none. */
static err read_identity(struct env *env, const char *path, struct identity *out_identity,
                         struct err_note *note)
{
    struct env_file *file = NULL;
    err e = env_file_open(env, path, ENV_OPEN_READ, &file, note);
    if (e != OK) {
        return e;
    }
    char text[IDENTITY_TEXT_SIZE] = {0};
    size_t size = 0;
    e = env_file_read(file, 0, text, sizeof(text) - 1, &size);
    env_file_close(file);
    if (e != OK) {
        return err_note_set(note, e, "%s: cannot be read: %s", path, err_title(e));
    }
    return parse_identity(text, size, path, out_identity, note);
}

err identity_open(struct env *env, const char *directory, const struct identity_claim *claim,
                  struct identity *out_identity, struct err_note *note)
{
    ASSERT(claim->node != 0);
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/identity", directory);
    uint64_t founding = founding_hash(claim);
    struct identity identity = {0};
    err e = read_identity(env, path, &identity, note);
    if (e == OK) {
        e = check_identity(&identity, claim->node, founding, directory, note);
    } else if (e == ERR_NO_FILE) {
        bool is_alone = claim->founders->member_count == 1;
        identity = (struct identity){
            .cluster_id = is_alone ? env_random(env) : founding,
            .founding = founding,
            .node = claim->node,
            .instance = env_random(env),
        };
        e = write_identity(env, directory, path, &identity, note);
    }
    if (e == OK) {
        *out_identity = identity;
    }
    return e;
}
