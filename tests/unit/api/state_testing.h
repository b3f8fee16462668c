/*
 * What the tests of leases and locks share: a real store in the place of the node's, which applies
 * each transaction at once; time passes when a test says so. And a client that stays connected.
 */
#ifndef STATE_TESTING_H
#define STATE_TESTING_H

#include "api_testing.h"

/* What a system's key was changed to, until notices are told. */
struct state_changes {
    uint64_t hashes[64];
    size_t count;
};

static struct state_changes state_changes;
static char state_directory[64];
static err state_error;            /* what the next writes get instead of being applied */
static bool state_applies_unknown; /* and whether they are all the same */
static unsigned state_writes;      /* that were asked for */

static void state_changed(void *ctx, region_id region, struct slice key)
{
    (void)ctx;
    (void)region;
    if (state_changes.count < ARRAY_COUNT(state_changes.hashes)) {
        state_changes.hashes[state_changes.count++] = hash64(key, 0);
    }
}

static inline bool state_has_changed(uint64_t hash)
{
    for (size_t i = 0; i < state_changes.count; i++) {
        if (state_changes.hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

static inline void state_tell(struct node *node)
{
    struct list due;
    list_init(&due);
    if (node->notices.next != NULL) {
        list_splice_back(&due, &node->notices);
    }
    struct state_changes changes = state_changes;
    while (!list_is_empty(&due)) {
        struct node_notice *notice = CONTAINER_OF(due.next, struct node_notice, link);
        list_remove(&notice->link);
        list_push_back(&node->notices, &notice->link);
        state_changes = changes;
        if (state_has_changed(notice->hash)) {
            notice->changed(notice);
        }
    }
    state_changes.count = 0;
}

static inline void state_apply(struct node *node, struct buf *encoded, struct command_result *out)
{
    struct command command;
    const struct command_stamp stamp = {
        .ms = node->clock_ms,
        .clock = {.elapsed_ms = node->elapsed_ms,
                  .idempotency_age_ms = 600000,
                  .idempotency_count = 1000},
    };
    command_stamp(encoded, stamp);
    assert_int_equal(command_decode(buf_slice(encoded), &command), OK);
    struct raft_pos pos = {.term = 1, .index = ++node->index};
    store_apply(node->state, REGION_FIRST, pos, &command, encoded, out);
    node->revision = store_region(node->state, REGION_FIRST)->revision;
}

static void state_write(struct node *node, struct node_write *write)
{
    struct command_result result = {.e = state_error};
    struct buf *encoded = write->command;
    state_writes++;
    write->command = NULL;
    if (state_error == OK) {
        state_apply(node, encoded, &result);
    } else if (state_applies_unknown) {
        struct command_result unseen;
        state_apply(node, encoded, &unseen);
    }
    buf_unref(encoded);
    write->done(write, &result);
    state_tell(node);
}

/* Time passes, and what is due is removed. */
static inline void state_pass(struct fixture *f, uint64_t ms)
{
    struct txn_builder builder = {0};
    const struct txn_op op = {.type = TXN_EXPIRE, .number = 1000};
    txn_add_op(&builder, &op, false);
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {.type = COMMAND_TXN, .key = SLICE_LITERAL("x"), .txn = &txn};
    struct buf *encoded = command_encode(&command);
    struct command_result result;
    f->node.elapsed_ms += ms;
    state_apply(&f->node, encoded, &result);
    buf_unref(encoded);
    txn_builder_deinit(&builder);
    state_tell(&f->node);
}

static inline int state_open(void **state)
{
    (void)fixture_open(state);
    struct fixture *f = *state;
    struct err_note note;
    struct membership membership = {.conf = {.voters = {.count = 1, .ids = {7}}}};
    struct member member = {.id = 7, .peer_address = "127.0.0.1:4000"};
    (void)snprintf(state_directory, sizeof(state_directory), "/tmp/pontoon-api-XXXXXX");
    assert_non_null(mkdtemp(state_directory));
    const struct store_options options = {.env = f->env,
                                          .directory = state_directory,
                                          .system_changed = state_changed,
                                          .ctx = &f->node};
    assert_int_equal(store_open(&f->node.state, &options, &note), OK);
    assert_true(membership_put(&membership, &member));
    f->node.index = 1;
    store_apply_membership(f->node.state, REGION_FIRST, (struct raft_pos){1, 1}, &membership);
    f->node.elapsed_ms = 1000;
    state_error = OK;
    state_applies_unknown = false;
    state_writes = 0;
    state_changes.count = 0;
    return 0;
}

static inline int state_close(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"data.mdb", "lock.mdb", "owner.lock"};
    http_server_close(f->http);
    f->http = NULL;
    api_end(f->api);
    store_close(f->node.state);
    f->node.state = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", state_directory, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(state_directory + strlen(state_directory), 10, "/incoming");
    (void)rmdir(state_directory);
    *strrchr(state_directory, '/') = '\0';
    assert_int_equal(rmdir(state_directory), 0);
    return fixture_close(state);
}

/* ---- a client that stays ---- */

struct peer {
    int fd;
    struct writer in;
};

static inline void peer_receive(struct fixture *f, struct peer *peer)
{
    uint8_t piece[4096];
    env_uv_run_once(f->env, false);
    ssize_t count = recv(peer->fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (count > 0) {
        writer_bytes(&peer->in, (struct slice){piece, (size_t)count});
    }
}

static inline struct peer peer_open(struct fixture *f, const char *start, const char *fields,
                                    const char *body)
{
    struct peer peer = {.fd = client_connect(f)};
    struct writer text = {0};
    writer_format(&text, "%s HTTP/1.1\r\nHost: localhost:3000\r\n%sContent-Length: %zu\r\n\r\n%s",
                  start, fields, strlen(body), body);
    struct slice bytes = writer_slice(&text);
    while (bytes.size > 0) {
        client_send(peer.fd, &bytes);
    }
    writer_deinit(&text);
    return peer;
}

static inline bool peer_has(const struct peer *peer, const char *text)
{
    return peer->in.size > 0 && memmem(peer->in.data, peer->in.size, text, strlen(text)) != NULL;
}

/* Until it has received `text`. */
static inline void peer_until(struct fixture *f, struct peer *peer, const char *text)
{
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (!peer_has(peer, text)) {
        peer_receive(f, peer);
        if (env_now_ms(f->env) >= deadline_ms) {
            fail_msg("no \"%s\" in: %.*s", text, (int)peer->in.size, (const char *)peer->in.data);
        }
    }
}

/* The loop turns until so many transactions were asked for. */
static inline void until_writes(struct fixture *f, unsigned count)
{
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (state_writes < count) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < deadline_ms);
    }
}

static inline void peer_close(struct peer *peer)
{
    (void)close(peer->fd);
    writer_deinit(&peer->in);
}

#endif
