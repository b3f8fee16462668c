#include "proto/message.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

const char *message_type_name(enum message_type type)
{
    static const char *const names[MSG_TYPE_COUNT] = {
        [MSG_HUP] = "MsgHup",
        [MSG_BEAT] = "MsgBeat",
        [MSG_PROP] = "MsgProp",
        [MSG_APP] = "MsgApp",
        [MSG_APP_RESP] = "MsgAppResp",
        [MSG_VOTE] = "MsgVote",
        [MSG_VOTE_RESP] = "MsgVoteResp",
        [MSG_SNAP] = "MsgSnap",
        [MSG_HEARTBEAT] = "MsgHeartbeat",
        [MSG_HEARTBEAT_RESP] = "MsgHeartbeatResp",
        [MSG_UNREACHABLE] = "MsgUnreachable",
        [MSG_SNAP_STATUS] = "MsgSnapStatus",
        [MSG_CHECK_QUORUM] = "MsgCheckQuorum",
        [MSG_TRANSFER_LEADER] = "MsgTransferLeader",
        [MSG_TIMEOUT_NOW] = "MsgTimeoutNow",
        [MSG_READ_INDEX] = "MsgReadIndex",
        [MSG_READ_INDEX_RESP] = "MsgReadIndexResp",
        [MSG_PRE_VOTE] = "MsgPreVote",
        [MSG_PRE_VOTE_RESP] = "MsgPreVoteResp",
        [MSG_FORGET_LEADER] = "MsgForgetLeader",
    };
    ASSERT(type < MSG_TYPE_COUNT);
    return names[type];
}

/* ---- what may travel ---- */

static bool is_local(enum message_type type)
{
    return type == MSG_HUP || type == MSG_BEAT || type == MSG_UNREACHABLE ||
           type == MSG_SNAP_STATUS || type == MSG_CHECK_QUORUM;
}

/* MSG_PROP's entries have no position yet, every other message has none at all. */
static bool has_valid_entries(const struct message *message)
{
    if (message->type == MSG_PROP || message->entry_count == 0) {
        return true;
    }
    if (message->type != MSG_APP || message->index > UINT64_MAX - message->entry_count) {
        return false;
    }
    struct raft_pos previous = {.term = message->log_term, .index = message->index};
    for (uint32_t i = 0; i < message->entry_count; i++) {
        struct raft_pos pos = message->entries[i].pos;
        if (pos.index != previous.index + 1 || pos.term < previous.term) {
            return false;
        }
        previous = pos;
    }
    return previous.term <= message->term;
}

/* ---- the codec (README.md: raft message) ---- */

#define FLAG_REJECT 1u
#define FLAG_TRANSFER 2u
#define FLAGS_KNOWN (FLAG_REJECT | FLAG_TRANSFER)

/* A buf with what is read next, or NULL for nothing. */
static struct buf *data_decode(struct reader *in)
{
    struct slice data = reader_sized(in, ENTRY_SIZE_MAX);
    return data.size == 0 ? NULL : buf_copy(data);
}

static void snapshot_encode(const struct snapshot *snapshot, struct writer *out)
{
    ASSERT(snapshot->data == NULL || snapshot->data->size <= ENTRY_SIZE_MAX);
    writer_u64(out, snapshot->pos.term);
    writer_u64(out, snapshot->pos.index);
    conf_state_encode(&snapshot->conf, out);
    writer_sized(out, buf_slice(snapshot->data));
}

static bool snapshot_decode(struct reader *in, struct snapshot *snapshot)
{
    snapshot->pos.term = reader_u64(in);
    snapshot->pos.index = reader_u64(in);
    if (conf_state_decode(in, &snapshot->conf) != OK) {
        return false;
    }
    snapshot->data = data_decode(in);
    return reader_ok(in);
}

void message_encode(const struct message *message, struct writer *out)
{
    ASSERT(message->type < MSG_TYPE_COUNT && !is_local(message->type));
    ASSERT((message->type == MSG_SNAP) == (message->snapshot != NULL));
    INVARIANT(has_valid_entries(message));
    writer_u8(out, (uint8_t)message->type);
    writer_u8(out, (uint8_t)((message->reject ? FLAG_REJECT : 0u) |
                             (message->is_transfer ? FLAG_TRANSFER : 0u)));
    writer_u16(out, 0);
    writer_u32(out, message->entry_count);
    writer_u64(out, message->to);
    writer_u64(out, message->from);
    writer_u64(out, message->term);
    writer_u64(out, message->log_term);
    writer_u64(out, message->index);
    writer_u64(out, message->commit);
    writer_u64(out, message->commit_term);
    writer_u64(out, message->vote);
    writer_u64(out, message->reject_hint);
    writer_u64(out, message->read.node);
    writer_u64(out, message->read.sequence);
    for (uint32_t i = 0; i < message->entry_count; i++) {
        entry_encode(&message->entries[i], out);
    }
    if (message->snapshot != NULL) {
        snapshot_encode(message->snapshot, out);
    }
}

/* The fixed part, up to the entries. */
static bool fields_decode(struct reader *in, struct message *message)
{
    uint8_t type = reader_u8(in);
    uint8_t flags = reader_u8(in);
    uint16_t reserved = reader_u16(in);
    if (type >= MSG_TYPE_COUNT || is_local((enum message_type)type) ||
        (flags & ~FLAGS_KNOWN) != 0 || reserved != 0) {
        return false;
    }
    message->type = (enum message_type)type;
    message->reject = (flags & FLAG_REJECT) != 0;
    message->is_transfer = (flags & FLAG_TRANSFER) != 0;
    message->entry_count = reader_u32(in);
    message->to = reader_u64(in);
    message->from = reader_u64(in);
    message->term = reader_u64(in);
    message->log_term = reader_u64(in);
    message->index = reader_u64(in);
    message->commit = reader_u64(in);
    message->commit_term = reader_u64(in);
    message->vote = reader_u64(in);
    message->reject_hint = reader_u64(in);
    message->read.node = reader_u64(in);
    message->read.sequence = reader_u64(in);
    return reader_ok(in) && message->entry_count <= in->size / ENTRY_ENCODED_MIN;
}

/* Entries and snapshot. What was made when it fails is in `owned` and its owner's to give back. */
static bool contents_decode(struct reader *in, struct owned_message *owned)
{
    struct message *message = &owned->message;
    if (message->entry_count > 0) {
        owned->entries = mem_calloc(message->entry_count, sizeof(owned->entries[0]));
        message->entries = owned->entries;
    }
    for (uint32_t i = 0; i < message->entry_count; i++) {
        if (!entry_decode(in, &owned->entries[i])) {
            return false;
        }
    }
    if (!has_valid_entries(message)) {
        return false;
    }
    return message->type != MSG_SNAP || snapshot_decode(in, &owned->snapshot);
}

err message_decode(struct reader *in, struct owned_message *out_message)
{
    struct owned_message owned = {.entries = NULL};
    if (!fields_decode(in, &owned.message) || !contents_decode(in, &owned)) {
        message_deinit(&owned);
        return ERR_MALFORMED;
    }
    *out_message = owned;
    if (owned.message.type == MSG_SNAP) {
        out_message->message.snapshot = &out_message->snapshot;
    }
    return OK;
}

void message_deinit(struct owned_message *message)
{
    for (uint32_t i = 0; message->entries != NULL && i < message->message.entry_count; i++) {
        buf_drop(&message->entries[i].data);
    }
    mem_free(message->entries);
    buf_drop(&message->snapshot.data);
    *message = (struct owned_message){.entries = NULL};
}
