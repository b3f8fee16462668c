/*
 * ZooKeeper's client protocol: packets of a big-endian size and fields. A get is a sync and then a
 * getData, since getData alone may answer with what is old.
 */
#include <string.h>

#include "base/mem.h"
#include "protocol.h"

#define PACKET_SIZE_MAX (16u << 20)
#define SESSION_TIMEOUT_MS 30000u
#define PASSWORD_SIZE 16u
#define ALL_PERMISSIONS 31u
#define REPLY_HEAD_SIZE 16u /* xid, zxid, error */

enum packet_type {
    PACKET_CREATE = 1,
    PACKET_GET_DATA = 4,
    PACKET_SET_DATA = 5,
    PACKET_SYNC = 9,
};

enum server_error {
    SERVER_ERROR_NO_NODE = -101,
    SERVER_ERROR_NODE_EXISTS = -110,
};

struct zookeeper {
    const struct work *work;
    bool is_greeted;
    uint32_t sequence;
    unsigned reply_count;   /* of the present request, that have come */
    struct problem problem; /* of one of those */
};

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void write_u32(struct writer *out, uint32_t value)
{
    put_u32(writer_extend(out, 4), value);
}

static void write_text(struct writer *out, const char *text)
{
    write_u32(out, (uint32_t)strlen(text));
    writer_bytes(out, slice_from_text(text));
}

/* Begins a packet; what is returned goes to packet_end. */
static size_t packet_begin(struct writer *out)
{
    (void)writer_extend(out, 4);
    return out->size;
}

static void packet_end(struct writer *out, size_t begin)
{
    put_u32(out->data + begin - 4, (uint32_t)(out->size - begin));
}

static void *zookeeper_open(const struct protocol_options *options, struct writer *out)
{
    struct zookeeper *zookeeper = mem_calloc(1, sizeof(*zookeeper));
    zookeeper->work = options->work;
    size_t begin = packet_begin(out);
    write_u32(out, 0);  /* version */
    writer_u64(out, 0); /* last zxid seen */
    write_u32(out, SESSION_TIMEOUT_MS);
    writer_u64(out, 0); /* a new session */
    write_u32(out, PASSWORD_SIZE);
    memset(writer_extend(out, PASSWORD_SIZE), 0, PASSWORD_SIZE);
    writer_u8(out, 0); /* not read-only */
    packet_end(out, begin);
    return zookeeper;
}

/* Begins a packet of that type about that key. */
static size_t ask_begin(struct zookeeper *zookeeper, enum packet_type type, uint64_t key,
                        struct writer *out)
{
    size_t begin = packet_begin(out);
    write_u32(out, ++zookeeper->sequence);
    write_u32(out, (uint32_t)type);
    write_u32(out, 1 + WORK_KEY_SIZE);
    writer_u8(out, '/');
    work_write_key(key, out);
    return begin;
}

static void zookeeper_ask(void *state, const struct request *request, struct writer *out)
{
    struct zookeeper *zookeeper = state;
    if (!request->is_put) {
        packet_end(out, ask_begin(zookeeper, PACKET_SYNC, request->key, out));
        size_t begin = ask_begin(zookeeper, PACKET_GET_DATA, request->key, out);
        writer_u8(out, 0); /* no watch */
        packet_end(out, begin);
        return;
    }
    size_t begin =
        ask_begin(zookeeper, request->is_new ? PACKET_CREATE : PACKET_SET_DATA, request->key, out);
    write_u32(out, (uint32_t)work_value_size(zookeeper->work));
    work_write_value(zookeeper->work, request->key, out);
    if (request->is_new) {
        write_u32(out, 1); /* one access rule: */
        write_u32(out, ALL_PERMISSIONS);
        write_text(out, "world");
        write_text(out, "anyone");
        write_u32(out, 0); /* persistent */
    } else {
        write_u32(out, UINT32_MAX); /* whatever version it has */
    }
    packet_end(out, begin);
}

/* Takes one packet off `input`, without its size, if it is whole. */
static enum taken take_packet(struct slice *input, struct slice *out_packet)
{
    if (input->size < 4) {
        return TAKEN_NOTHING;
    }
    uint32_t size = get_u32(input->data);
    if (size < REPLY_HEAD_SIZE || size > PACKET_SIZE_MAX) {
        return TAKEN_NONSENSE;
    }
    if (input->size - 4 < size) {
        return TAKEN_NOTHING;
    }
    *out_packet = (struct slice){input->data + 4, size};
    *input = (struct slice){input->data + 4 + size, input->size - 4 - size};
    return TAKEN_ANSWER;
}

static void judge(const struct work *work, const struct request *request, struct slice packet,
                  bool has_value, struct problem *out_problem)
{
    int error = (int)(int32_t)get_u32(packet.data + REPLY_HEAD_SIZE - 4);
    struct slice body = {packet.data + REPLY_HEAD_SIZE, packet.size - REPLY_HEAD_SIZE};
    if (error == SERVER_ERROR_NO_NODE) {
        problem_set(out_problem, slice_from_text("missing"));
    } else if (error != 0 && !(error == SERVER_ERROR_NODE_EXISTS && request->is_new)) {
        problem_set_number(out_problem, error);
    } else if (has_value) {
        uint32_t size = body.size >= 4 ? get_u32(body.data) : UINT32_MAX;
        if (size > body.size ||
            !work_is_value(work, request->key, (struct slice){body.data + 4, size})) {
            problem_set(out_problem, slice_from_text("wrong_value"));
        }
    }
}

static enum taken zookeeper_take(void *state, const struct request *request, struct slice *input,
                                 struct problem *out_problem)
{
    struct zookeeper *zookeeper = state;
    unsigned wanted = request->is_put ? 1 : 2;
    while (zookeeper->reply_count < wanted) {
        struct slice packet;
        enum taken taken = take_packet(input, &packet);
        if (taken != TAKEN_ANSWER) {
            return taken;
        }
        if (!zookeeper->is_greeted) {
            zookeeper->is_greeted = true;
            continue;
        }
        zookeeper->reply_count++;
        bool has_value = !request->is_put && zookeeper->reply_count == 2;
        judge(zookeeper->work, request, packet, has_value, &zookeeper->problem);
    }
    *out_problem = zookeeper->problem;
    zookeeper->problem = (struct problem){0};
    zookeeper->reply_count = 0;
    return TAKEN_ANSWER;
}

const struct protocol protocol_zookeeper = {"zookeeper", zookeeper_open, mem_free, zookeeper_ask,
                                            zookeeper_take};
