#include "node/identity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/hash.h"

/*
 * The file is text for people and fixed for us; its last line is the CRC32C of those before it. It
 * is written whole under another name, synced, renamed, and the directory synced: it is there
 * completely, as it was before or as it is now.
 */
#define IDENTITY_FORMAT 1
#define IDENTITY_TEXT_SIZE 4096
#define PATH_SIZE 4096

/* The words for the flags. */
#define STATE_NEW "new"
#define STATE_FOUNDED "founded"
#define STATE_JOINING "joining"
#define STATE_ENTERING "entering" /* joining, and the log has begun */
#define STATE_REMOVED "removed"
#define STATE_RESTORING "restoring"
/* Those for what was lost with a log. */
#define LOST_LOG "log"
#define LOST_VOTE "vote"

_Static_assert(384 + MEMBERS_MAX * 64 < IDENTITY_TEXT_SIZE, "a line for each peer must fit");

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

static const char *state_name(const struct identity *identity)
{
    if (identity->is_removed) {
        return STATE_REMOVED;
    }
    if (identity->is_restoring) {
        return STATE_RESTORING;
    }
    if (identity->is_joining) {
        return identity->is_founded ? STATE_ENTERING : STATE_JOINING;
    }
    return identity->is_founded ? STATE_FOUNDED : STATE_NEW;
}

/* Appends to `text`, which has room for it. */
static PRINTF_LIKE(2, 3) void add_line(char text[IDENTITY_TEXT_SIZE], const char *format, ...)
{
    size_t length = strlen(text);
    va_list args;
    va_start(args, format);
    int added = vsnprintf(text + length, IDENTITY_TEXT_SIZE - length, format, args);
    va_end(args);
    ASSERT(added > 0 && (size_t)added < IDENTITY_TEXT_SIZE - length);
}

static void format_identity(const struct identity *identity, char text[IDENTITY_TEXT_SIZE])
{
    text[0] = '\0';
    add_line(text, "pontoon-data %d\n", IDENTITY_FORMAT);
    add_line(text, "cluster %016" PRIx64 "\n", identity->cluster_id);
    add_line(text, "founding %016" PRIx64 "\n", identity->founding);
    add_line(text, "node %" PRIu64 "\n", identity->node);
    add_line(text, "instance %016" PRIx64 "\n", identity->instance);
    add_line(text, "state %s\n", state_name(identity));
    if (identity->installing_region != 0) {
        add_line(text, "installing %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                 identity->installing_region, identity->installing.term,
                 identity->installing.index);
    }
    if (identity->lost_region != 0) {
        add_line(text, "lost %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", identity->lost_region,
                 identity->lost.term, identity->lost.vote,
                 identity->is_vote_lost ? LOST_VOTE : LOST_LOG);
    }
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        add_line(text, "peer %" PRIu64 " %016" PRIx64 "\n", identity->peers[i].id,
                 identity->peers[i].instance);
    }
    add_line(text, "crc %08" PRIx32 "\n", crc32c(0, text, strlen(text)));
}

/*
 * Reads what can be read; whether it was right shows when it is formatted again. Widths are bounded
 * and the text ends with a NUL: the scans cannot run over.
 */
static struct identity scan_identity(const char *text, int *out_format)
{
    struct identity identity = {0};
    char state[10] = "";
    int length = 0;
    /* NOLINTBEGIN(cert-err34-c): see above */
    (void)sscanf(text,
                 "pontoon-data %4d\ncluster %16" SCNx64 "\nfounding %16" SCNx64 "\nnode %20" SCNu64
                 "\ninstance %16" SCNx64 "\nstate %9s\n%n",
                 out_format, &identity.cluster_id, &identity.founding, &identity.node,
                 &identity.instance, state, &length);
    identity.is_restoring = strcmp(state, STATE_RESTORING) == 0;
    identity.is_joining = strcmp(state, STATE_JOINING) == 0 || strcmp(state, STATE_ENTERING) == 0;
    identity.is_removed = strcmp(state, STATE_REMOVED) == 0;
    identity.is_founded = strcmp(state, STATE_FOUNDED) == 0 || strcmp(state, STATE_ENTERING) == 0 ||
                          identity.is_removed;
    text += length;
    if (sscanf(text, "installing %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\n%n",
               &identity.installing_region, &identity.installing.term, &identity.installing.index,
               &length) == 3) {
        text += length;
    }
    char lost[8] = "";
    if (sscanf(text, "lost %20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %7s\n%n",
               &identity.lost_region, &identity.lost.term, &identity.lost.vote, lost,
               &length) == 4) {
        identity.is_vote_lost = strcmp(lost, LOST_VOTE) == 0;
        text += length;
    }
    while (identity.peer_count < MEMBERS_MAX) {
        struct identity_peer *peer = &identity.peers[identity.peer_count];
        if (sscanf(text, "peer %20" SCNu64 " %16" SCNx64 "\n%n", &peer->id, &peer->instance,
                   &length) != 2) {
            break;
        }
        text += length;
        identity.peer_count++;
    }
    /* NOLINTEND(cert-err34-c) */
    return identity;
}

static err parse_identity(const char *text, size_t size, const char *path,
                          struct identity *out_identity, struct err_note *note)
{
    int format = IDENTITY_FORMAT;
    struct identity identity = scan_identity(text, &format);
    if (format != IDENTITY_FORMAT) {
        return err_note_set(note, ERR_VERSION,
                            "%s: data format %d, this program knows %d: use the version of "
                            "pontoon that wrote it",
                            path, format, IDENTITY_FORMAT);
    }
    char expected[IDENTITY_TEXT_SIZE];
    format_identity(&identity, expected);
    if (strlen(expected) != size || memcmp(expected, text, size) != 0) {
        return err_note_set(note, ERR_DAMAGED,
                            "%s: damaged (it does not match its checksum): this node's data cannot "
                            "be trusted, replace the node",
                            path);
    }
    *out_identity = identity;
    return OK;
}

static err another_cluster(const struct identity *found, const char *directory,
                           struct err_note *note)
{
    return err_note_set(note, ERR_IDENTITY,
                        "%s belongs to another cluster (%016" PRIx64 "): choose another --data, or "
                        "give the --cluster and --cluster-name it was made with",
                        directory, found->cluster_id);
}

err identity_check_use(const struct identity *found, const char *directory, struct err_note *note)
{
    if (found->is_restoring) {
        return err_note_set(note, ERR_IDENTITY,
                            "%s holds a restore that was not finished: remove it, and restore the "
                            "backup again",
                            directory);
    }
    if (found->is_removed) {
        return err_note_set(note, ERR_IDENTITY,
                            "node %" PRIu64 " was removed from its cluster, and %s is of no use "
                            "any more: to come back, join with --join and an empty --data",
                            found->node, directory);
    }
    return OK;
}

static err check_identity(const struct identity *found, const struct identity_claim *claim,
                          const char *directory, struct err_note *note)
{
    err e = identity_check_use(found, directory, note);
    if (e != OK) {
        return e;
    }
    if (found->node != claim->node) {
        return err_note_set(note, ERR_IDENTITY,
                            "%s belongs to node %" PRIu64 ", this is node %" PRIu64
                            ": choose another --data, or --id %" PRIu64,
                            directory, found->node, claim->node, found->node);
    }
    if (claim->joins != 0) {
        return found->cluster_id == claim->joins ? OK : another_cluster(found, directory, note);
    }
    if (found->is_joining) {
        return err_note_set(note, ERR_IDENTITY,
                            "%s was made to join cluster %016" PRIx64
                            " and has not noted yet that it was taken in: start it with --join and "
                            "the URL of any member, as at first",
                            directory, found->cluster_id);
    }
    /* Who has joined does not know the founders any more, and does not need to. */
    return found->founding == 0 || found->founding == founding_hash(claim)
               ? OK
               : another_cluster(found, directory, note);
}

static struct identity make_identity(struct env *env, const struct identity_claim *claim)
{
    struct identity identity = {
        .cluster_id = claim->joins,
        .node = claim->node,
        .instance = env_random(env) | 1, /* not 0 */
        .is_joining = claim->joins != 0,
    };
    if (!identity.is_joining) {
        bool is_alone = claim->founders->member_count == 1;
        identity.founding = founding_hash(claim);
        identity.cluster_id = is_alone ? env_random(env) | 1 : identity.founding;
    }
    return identity;
}

struct identity identity_restoring(struct env *env, const struct identity_claim *claim,
                                   struct hash128 seed)
{
    struct identity identity = make_identity(env, claim);
    ASSERT(!identity.is_joining);
    if (claim->founders->member_count > 1) {
        uint8_t bytes[24];
        store_u64(bytes, identity.founding);
        store_u64(bytes + 8, seed.low);
        store_u64(bytes + 16, seed.high);
        identity.cluster_id = hash64((struct slice){bytes, sizeof(bytes)}, 0);
    }
    identity.is_restoring = true;
    return identity;
}

/* The next one's blocks, so that a full disk does not keep it from being written; if it is full
 * already, it has to be better then. */
static void reserve_next(struct env *env, const char *directory)
{
    char staged[PATH_SIZE];
    struct env_file *file = NULL;
    (void)snprintf(staged, sizeof(staged), "%s/identity.new", directory);
    if (env_file_open(env, staged, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL) == OK) {
        (void)!env_file_allocate(file, IDENTITY_TEXT_SIZE);
        env_file_close(file);
    }
}

err identity_save(struct env *env, const char *directory, const struct identity *identity,
                  struct err_note *note)
{
    char text[IDENTITY_TEXT_SIZE];
    char staged[PATH_SIZE];
    char path[PATH_SIZE];
    format_identity(identity, text);
    (void)snprintf(staged, sizeof(staged), "%s/identity.new", directory);
    (void)snprintf(path, sizeof(path), "%s/identity", directory);
    struct env_file *file = NULL;
    err e = env_file_open(env, staged, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, note);
    if (e != OK) {
        return e;
    }
    struct iovec part = {.iov_base = text, .iov_len = strlen(text)};
    e = env_file_write(file, 0, &part, 1);
    if (e == OK) {
        e = env_file_truncate(file, part.iov_len); /* of what was reserved, or left over */
    }
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
    if (e == OK) {
        reserve_next(env, directory);
    }
    return e == OK ? OK : err_note_set(note, e, "%s: cannot be written: %s", path, err_title(e));
}

err identity_read(struct env *env, const char *directory, struct identity *out_identity,
                  struct err_note *note)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/identity", directory);
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
    struct identity identity = {0};
    err e = identity_read(env, directory, &identity, note);
    if (e == OK) {
        e = check_identity(&identity, claim, directory, note);
    } else if (e == ERR_NO_FILE) {
        identity = make_identity(env, claim);
        e = identity_save(env, directory, &identity, note);
    }
    if (e == OK) {
        reserve_next(env, directory);
        *out_identity = identity;
    }
    return e;
}

uint64_t identity_instance_of(const struct identity *identity, node_id peer)
{
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        if (identity->peers[i].id == peer) {
            return identity->peers[i].instance;
        }
    }
    return 0;
}

bool identity_meet(struct identity *identity, node_id peer, uint64_t instance)
{
    ASSERT(peer != 0 && instance != 0);
    if (identity_instance_of(identity, peer) != 0 || identity->peer_count == MEMBERS_MAX) {
        return false;
    }
    identity->peers[identity->peer_count] = (struct identity_peer){peer, instance};
    identity->peer_count++;
    return true;
}

bool identity_forget(struct identity *identity, node_id peer)
{
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        if (identity->peers[i].id == peer) {
            identity->peer_count--;
            identity->peers[i] = identity->peers[identity->peer_count];
            identity->peers[identity->peer_count] = (struct identity_peer){0};
            return true;
        }
    }
    return false;
}
