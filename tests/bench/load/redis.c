/* Redis, RESP2: SET, GET, and WAIT behind each SET where replicas are to have it. */
#include <string.h>

#include "base/mem.h"
#include "protocol.h"

#define WAIT_MS 5000
#define LINE_SIZE_MAX 512u
#define NUMBER_MAX (64 << 20)

struct redis {
    const struct work *work;
    unsigned replica_count;
    unsigned reply_count;   /* of the present request, that have come */
    struct problem problem; /* of one of those */
};

struct reply {
    char type;
    int64_t number;     /* of ':' and '$' */
    struct slice bytes; /* the line, or the string of '$' */
};

static void *redis_open(const struct protocol_options *options, struct writer *out)
{
    (void)out;
    struct redis *redis = mem_calloc(1, sizeof(*redis));
    redis->work = options->work;
    redis->replica_count = options->replica_count;
    return redis;
}

static void redis_ask(void *state, const struct request *request, struct writer *out)
{
    const struct redis *redis = state;
    writer_format(out, "*%d\r\n$3\r\n%s\r\n$%u\r\n", request->is_put ? 3 : 2,
                  request->is_put ? "SET" : "GET", WORK_KEY_SIZE);
    work_write_key(request->key, out);
    writer_bytes(out, slice_from_text("\r\n"));
    if (request->is_put) {
        writer_format(out, "$%zu\r\n", work_value_size(redis->work));
        work_write_value(redis->work, request->key, out);
        writer_bytes(out, slice_from_text("\r\n"));
    }
    if (request->is_put && redis->replica_count > 0) {
        writer_format(out, "*3\r\n$4\r\nWAIT\r\n$1\r\n%u\r\n$4\r\n%d\r\n", redis->replica_count,
                      WAIT_MS);
    }
}

/* Digits, with or without '-' before them. */
static bool parse_number(struct slice text, int64_t *out_number)
{
    bool is_negative = text.size > 1 && text.data[0] == '-';
    int64_t number = 0;
    for (size_t i = is_negative ? 1 : 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > NUMBER_MAX) {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *out_number = is_negative ? -number : number;
    return text.size > 0;
}

/* Takes one reply off `input`, if it is whole. */
static enum taken take_reply(struct slice *input, struct reply *out_reply)
{
    const uint8_t *end = input->size > 0 ? memmem(input->data, input->size, "\r\n", 2) : NULL;
    if (end == NULL) {
        return input->size > LINE_SIZE_MAX ? TAKEN_NONSENSE : TAKEN_NOTHING;
    }
    size_t line_size = (size_t)(end - input->data);
    if (line_size == 0) {
        return TAKEN_NONSENSE;
    }
    struct reply reply = {.type = (char)input->data[0]};
    reply.bytes = (struct slice){input->data + 1, line_size - 1};
    bool is_known =
        reply.type == '+' || reply.type == '-' || reply.type == ':' || reply.type == '$';
    if (!is_known ||
        ((reply.type == ':' || reply.type == '$') && !parse_number(reply.bytes, &reply.number))) {
        return TAKEN_NONSENSE;
    }
    size_t size = line_size + 2;
    if (reply.type == '$' && reply.number >= 0) {
        size_t string_size = (size_t)reply.number;
        if (input->size < size + string_size + 2) {
            return TAKEN_NOTHING;
        }
        reply.bytes = (struct slice){input->data + size, string_size};
        size += string_size + 2;
    }
    *input = (struct slice){input->data + size, input->size - size};
    *out_reply = reply;
    return TAKEN_ANSWER;
}

static void judge(const struct redis *redis, const struct request *request,
                  const struct reply *reply, struct problem *out_problem)
{
    if (reply->type == '-') {
        const uint8_t *space =
            reply->bytes.size > 0 ? memchr(reply->bytes.data, ' ', reply->bytes.size) : NULL;
        size_t size = space == NULL ? reply->bytes.size : (size_t)(space - reply->bytes.data);
        problem_set(out_problem, (struct slice){reply->bytes.data, size});
    } else if (redis->reply_count > 1) {
        if (reply->type != ':' || reply->number < (int64_t)redis->replica_count) {
            problem_set(out_problem, slice_from_text("too_few_replicas"));
        }
    } else if (request->is_put) {
        if (reply->type != '+') {
            problem_set(out_problem, slice_from_text("not_OK"));
        }
    } else if (reply->type != '$' || reply->number < 0) {
        problem_set(out_problem, slice_from_text("missing"));
    } else if (!work_is_value(redis->work, request->key, reply->bytes)) {
        problem_set(out_problem, slice_from_text("wrong_value"));
    }
}

static enum taken redis_take(void *state, const struct request *request, struct slice *input,
                             struct problem *out_problem)
{
    struct redis *redis = state;
    unsigned wanted = request->is_put && redis->replica_count > 0 ? 2 : 1;
    while (redis->reply_count < wanted) {
        struct reply reply;
        enum taken taken = take_reply(input, &reply);
        if (taken != TAKEN_ANSWER) {
            return taken;
        }
        redis->reply_count++;
        judge(redis, request, &reply, &redis->problem);
    }
    *out_problem = redis->problem;
    redis->problem = (struct problem){0};
    redis->reply_count = 0;
    return TAKEN_ANSWER;
}

const struct protocol protocol_redis = {"redis", redis_open, mem_free, redis_ask, redis_take};
