#include "api/kv_intent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/etag.h"
#include "api/fence.h"
#include "api/text.h"
#include "api/ttl.h"
#include "api/units.h"
#include "base/assert.h"
#include "proto/command.h"

_Static_assert(INTENT_CHECKS_MAX *(TXN_CHECK_HEADER_SIZE + KEY_SIZE_MAX) /* ?prev, */ +
                       HTTP_TARGET_SIZE_DEFAULT /* the key twice, and what has one size: */ +
                       2 * KEY_SIZE_MAX + CONTENT_TYPE_SIZE_MAX + TXN_IDEMPOTENCY_KEY_SIZE_MAX +
                       256 <=
                   COMMAND_OVERHEAD_MAX,
               "a write of the largest value, with all conditions there can be, is an entry");

/* ---- before the body ---- */

/* A list of entity tags, or "*". */
static err check_tags(struct slice list, const char *name, struct problem *problem)
{
    size_t count = 0;
    while (list.size > 0) {
        struct slice tag = api_text_trim(api_text_split(&list, ','));
        bool is_any = slice_equal(tag, SLICE_LITERAL("*"));
        bool is_weak = tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/';
        struct slice quoted = is_weak ? (struct slice){tag.data + 2, tag.size - 2} : tag;
        bool is_quoted =
            quoted.size >= 2 && quoted.data[0] == '"' && quoted.data[quoted.size - 1] == '"';
        if (!is_any && !is_quoted) {
            return api_problem_set(
                problem, ERR_BAD_REQUEST,
                "%s is *, or entity tags with their quotes, such as \"42\"; curl: "
                "-H '%s: \"42\"'",
                name, name);
        }
        count++;
    }
    if (count == 0 || count > INTENT_TAGS_MAX) {
        problem->limit = INTENT_TAGS_MAX;
        return api_problem_set(problem, ERR_BAD_REQUEST, "%s has %zu entity tags, not 1 to %u",
                               name, count, INTENT_TAGS_MAX);
    }
    return OK;
}

err api_kv_parse_idempotency_key(struct slice key, struct slice *out_key, struct problem *problem)
{
    if (key.size == 0 || key.size > TXN_IDEMPOTENCY_KEY_SIZE_MAX) {
        problem->limit = TXN_IDEMPOTENCY_KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "an Idempotency-Key has 1 to %u bytes, such as a UUID; this one has "
                               "%zu",
                               TXN_IDEMPOTENCY_KEY_SIZE_MAX, key.size);
    }
    *out_key = key;
    return OK;
}

struct slice api_kv_attempt_key(struct slice key, const char *route, uint64_t attempt,
                                char target[API_ATTEMPT_KEY_SIZE])
{
    if (attempt == 0 || key.size == 0) {
        return key;
    }
    struct hash128 hash = hash128(key);
    int size = snprintf(target, API_ATTEMPT_KEY_SIZE, "%s:%016" PRIx64 "%016" PRIx64 ":%" PRIu64,
                        route, hash.high, hash.low, attempt);
    ASSERT(size > 0 && (size_t)size < API_ATTEMPT_KEY_SIZE);
    return (struct slice){(const uint8_t *)target, (size_t)size};
}

/* A TTL is said once. */
static err parse_ttl(struct exchange *x, struct kv_intent *intent, struct problem *problem)
{
    static const char *const names[] = {"KV-TTL", "X-TTL"};
    struct kv_params *params = &x->params;
    intent->ttl_ms = params->ttl_ms;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct slice text = http_header_find(x->request, slice_from_text(names[i]));
        if (text.data == NULL) {
            continue;
        }
        if (params->has_ttl) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "a TTL is given twice: %s is one",
                                   names[i]);
        }
        params->has_ttl = true;
        err e = api_ttl_parse_seconds(text, names[i], &intent->ttl_ms, problem);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* What excludes what. */
static err check_combination(const struct exchange *x, struct problem *problem)
{
    const struct kv_params *params = &x->params;
    bool is_post = x->method == HTTP_METHOD_POST;
    bool has_time = params->has_ttl || params->lease != 0 || params->keeps_ttl;
    if (params->has_ttl + (params->lease != 0) + params->keeps_ttl > 1) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "ttl, lease and keepttl exclude each other: a key is on one of them");
    }
    if (params->op != KV_OP_SET && !is_post) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "op and touch are of POST");
    }
    if (params->has_by && params->op != KV_OP_INCR) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "by is of op=incr");
    }
    if (params->op == KV_OP_TOUCH && !(params->has_ttl || params->lease != 0)) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "touch gives the key another time: say which, with ttl (0: none) or "
                               "lease");
    }
    if (x->method == HTTP_METHOD_DELETE && has_time) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "what is deleted has no ttl, no lease");
    }
    return OK;
}

void api_kv_fingerprint_query(struct writer *text, struct slice query)
{
    while (query.size > 0) {
        struct slice pair = api_text_split(&query, '&');
        struct slice value = pair;
        if (!slice_equal(api_text_split(&value, '='), SLICE_LITERAL("timeout"))) {
            writer_sized(text, pair);
        }
    }
    writer_u8(text, '\0');
}

/* What tells one request from another under the same idempotency key, but for its body. */
static void begin_fingerprint(struct exchange *x, struct kv_intent *intent)
{
    static const char *const names[] = {"content-type", "content-encoding", "kv-ttl", "x-ttl"};
    struct writer text = {0};
    writer_u8(&text, (uint8_t)x->method);
    writer_sized(&text, http_path(x->request));
    api_kv_fingerprint_query(&text, http_query(x->request));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        writer_sized(&text, http_header(x->request, names[i]));
    }
    writer_sized(&text, intent->if_match);
    writer_sized(&text, intent->if_none_match);
    writer_sized(&text, intent->fence_name);
    writer_u64(&text, intent->fence_token);
    intent->fingerprint = hash128(writer_slice(&text));
    writer_deinit(&text);
}

static err parse_conditions(struct exchange *x, struct kv_intent *intent, struct slice fence,
                            struct problem *problem)
{
    err e = OK;
    if (intent->if_match.data != NULL) {
        e = check_tags(intent->if_match, "If-Match", problem);
    }
    if (e == OK && intent->if_none_match.data != NULL) {
        e = check_tags(intent->if_none_match, "If-None-Match", problem);
    }
    if (e == OK && fence.data != NULL) {
        struct fence lock;
        e = api_fence_parse(x, fence, &lock, problem);
        if (e == OK) {
            intent->fence_name = lock.name;
            intent->fence_token = lock.token;
        }
    }
    return e;
}

/* Whatever its header fields are. */
static bool says_more(const struct exchange *x)
{
    return x->params.is_special || x->params.has_by || x->method == HTTP_METHOD_PATCH ||
           x->prefer.result != PREFER_RETURN_DEFAULT;
}

static err parse(struct exchange *x, struct problem *problem)
{
    struct http_request *request = x->request;
    struct kv_intent intent = {
        .if_match = http_header_find(request, SLICE_LITERAL("If-Match")),
        .if_none_match = http_header_find(request, SLICE_LITERAL("If-None-Match")),
        .is_patch = x->method == HTTP_METHOD_PATCH,
        .wanted = x->prefer.result,
    };
    if (http_header_find(request, SLICE_LITERAL("If-Unmodified-Since")).data != NULL) {
        return api_problem_set(problem, ERR_NOT_IMPLEMENTED,
                               "If-Unmodified-Since is of reads: two writes can be within one "
                               "second; If-Match with the key's ETag says what is meant");
    }
    struct slice fence = http_header_find(request, SLICE_LITERAL("KV-Fence"));
    struct slice key = http_header_find(request, SLICE_LITERAL("Idempotency-Key"));
    err e = parse_ttl(x, &intent, problem);
    bool is_plain = !says_more(x) && !x->params.has_ttl && intent.if_match.data == NULL &&
                    intent.if_none_match.data == NULL && fence.data == NULL && key.data == NULL;
    if (e != OK || is_plain) {
        return e;
    }
    e = parse_conditions(x, &intent, fence, problem);
    if (e == OK && key.data != NULL) {
        e = api_kv_parse_idempotency_key(key, &intent.idempotency_key, problem);
    }
    if (e == OK) {
        e = check_combination(x, problem);
    }
    if (e != OK) {
        return e;
    }
    if (key.data != NULL) {
        begin_fingerprint(x, &intent);
    }
    x->intent = http_alloc(request, sizeof(intent));
    *x->intent = intent;
    return OK;
}

/* The names that parse looks for. */
#define NAMES                                                                                      \
    (HTTP_NAME_BIT("If-Match") | HTTP_NAME_BIT("If-None-Match") |                                  \
     HTTP_NAME_BIT("If-Unmodified-Since") | HTTP_NAME_BIT("KV-Fence") |                            \
     HTTP_NAME_BIT("Idempotency-Key") | HTTP_NAME_BIT("KV-TTL") | HTTP_NAME_BIT("X-TTL"))
/* And of the other fields below. */
#define NAMES_ONCE                                                                                 \
    (NAMES | HTTP_NAME_BIT("If-Modified-Since") | HTTP_NAME_BIT("Repr-Digest") |                   \
     HTTP_NAME_BIT("Content-Digest"))

#define TAKEN_ALWAYS 4u /* it is no condition of a write */

/* What changes the meaning of a request. */
static const struct {
    const char *name;
    unsigned taken; /* by who takes one of these */
} fields[] = {
    {"If-Match", 0},
    {"If-None-Match", 0},
    {"If-Unmodified-Since", 0},
    {"KV-Fence", INTENT_TAKES_FENCE},
    {"KV-TTL", 0},
    {"X-TTL", 0},
    {"Idempotency-Key", INTENT_TAKES_KEY},
    {"If-Modified-Since", TAKEN_ALWAYS},
    {"Repr-Digest", TAKEN_ALWAYS},
    {"Content-Digest", TAKEN_ALWAYS},
};

err api_kv_intent_refuse(const struct http_request *request, unsigned takes, err e, const char *why,
                         struct problem *problem)
{
    for (size_t i = 0; http_may_have(request, NAMES) && i < ARRAY_COUNT(fields); i++) {
        if ((fields[i].taken & (takes | TAKEN_ALWAYS)) == 0 &&
            http_header_find(request, slice_from_text(fields[i].name)).data != NULL) {
            return api_problem_set(problem, e, "the field %s is of a single key: %s",
                                   fields[i].name, why);
        }
    }
    return OK;
}

err api_kv_intent_check_once(const struct http_request *request, struct problem *problem)
{
    if (LIKELY(!http_may_have(request, NAMES_ONCE))) {
        return OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (http_header_is_repeated(request, slice_from_text(fields[i].name))) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "the field %s is there more than once: send one",
                                   fields[i].name);
        }
    }
    return OK;
}

err api_kv_intent_parse(struct exchange *x, struct problem *problem)
{
    bool is_plain = !says_more(x) && !http_may_have(x->request, NAMES); /* nearly always */
    return LIKELY(is_plain) ? OK : parse(x, problem);
}

/* ---- the command ---- */

static void add_check(struct txn_builder *builder, struct kv_intent *intent, const char *source,
                      const struct txn_check *check)
{
    ASSERT(intent->check_count < INTENT_CHECKS_MAX);
    intent->sources[intent->check_count] = source;
    intent->check_count++;
    txn_add_check(builder, check);
}

/* The revision of a tag of ours; false: it is none that a key could have. */
static bool revision_of(struct slice tag, uint64_t *out_revision)
{
    struct slice inner = {tag.data + 1, tag.size - 2};
    struct slice digits = api_text_split(&inner, '-');
    bool is_coded = inner.size > 0;
    return tag.data[0] == '"' && (!is_coded || slice_equal(inner, SLICE_LITERAL("gzip"))) &&
           api_units_parse_u64(digits, out_revision) == OK && *out_revision != 0 &&
           *out_revision <= REVISION_MAX;
}

/* One of the tags has to be the key's, or (`is_none`) none may. */
static void add_tags(struct txn_builder *builder, struct kv_intent *intent, struct slice key,
                     struct slice list, bool is_none)
{
    const char *source = is_none ? "If-None-Match" : "If-Match";
    bool is_first = true;
    while (list.size > 0) {
        struct slice tag = api_text_trim(api_text_split(&list, ','));
        struct txn_check check = {.target = TXN_MOD_REVISION,
                                  .relation = is_none ? TXN_NOT_EQUAL : TXN_EQUAL,
                                  .key = key,
                                  .is_or = !is_none && !is_first};
        if (slice_equal(tag, SLICE_LITERAL("*"))) {
            check.relation = is_none ? TXN_EQUAL : TXN_NOT_EQUAL; /* 0: it is not there */
        } else if (is_none && tag.data[0] == 'W') {
            tag = (struct slice){tag.data + 2, tag.size - 2}; /* weakly the same is the same here */
            check.number = revision_of(tag, &check.number) ? check.number : UINT64_MAX;
        } else if (!revision_of(tag, &check.number)) {
            check.number = UINT64_MAX; /* no key is ever there */
        }
        add_check(builder, intent, source, &check);
        is_first = false;
    }
}

static void add_checks(struct exchange *x, struct txn_builder *builder)
{
    struct kv_intent *intent = x->intent;
    const struct kv_params *params = &x->params;
    if (intent->fence_name.data != NULL) {
        struct txn_check check = {.target = TXN_FENCE,
                                  .relation = TXN_EQUAL,
                                  .key = intent->fence_name,
                                  .number = intent->fence_token};
        add_check(builder, intent, "KV-Fence", &check);
        uint8_t name[1 + TXN_LOCK_NAME_SIZE_MAX]; /* tokens are unique: it may be an election's */
        memcpy(name, intent->fence_name.data, intent->fence_name.size);
        name[0] = TXN_LOCK_ELECTION;
        check.key.data = name;
        check.is_or = true;
        add_check(builder, intent, "KV-Fence", &check);
    }
    if (intent->if_match.data != NULL) {
        add_tags(builder, intent, x->key, intent->if_match, false);
    }
    if (intent->if_none_match.data != NULL) {
        add_tags(builder, intent, x->key, intent->if_none_match, true);
    }
    if (params->has_cas) {
        const struct txn_check check = {.target = TXN_MOD_REVISION,
                                        .relation = TXN_EQUAL,
                                        .key = x->key,
                                        .number = params->cas};
        add_check(builder, intent, "cas", &check);
    }
    if (params->has_prev) {
        const struct txn_check check = {
            .target = TXN_VALUE, .relation = TXN_EQUAL, .key = x->key, .value = params->prev};
        add_check(builder, intent, "prev", &check);
    }
}

/* K2 of kv_patch.c: one that never holds, in front of it one that always does if the value is too
 * large. */
static void add_patch_checks(struct exchange *x, struct txn_builder *builder)
{
    struct kv_intent *intent = x->intent;
    struct txn_check check = {.target = TXN_MOD_REVISION,
                              .relation = TXN_EQUAL,
                              .key = x->key,
                              .number = intent->patch.revision};
    intent->patch.revision_check = (uint32_t)intent->check_count;
    add_check(builder, intent, "what was read", &check);
    if (intent->patch.refusal == NULL) {
        return;
    }
    check.number = 0;
    if (intent->patch.refusal->e == ERR_TOO_LARGE) {
        check.relation = TXN_GREATER_OR_EQUAL;
        add_check(builder, intent, "the patch", &check);
    }
    check.relation = TXN_LESS;
    add_check(builder, intent, "the patch", &check);
}

static enum txn_type type_of(const struct exchange *x)
{
    static const enum txn_type types[] = {
        [KV_OP_SET] = TXN_PUT,
        [KV_OP_INCR] = TXN_ADD,
        [KV_OP_APPEND] = TXN_APPEND,
        [KV_OP_TOUCH] = TXN_TOUCH,
    };
    return x->method == HTTP_METHOD_DELETE ? TXN_DELETE : types[x->params.op];
}

struct buf *api_kv_intent_encode(struct exchange *x, struct slice value, struct slice content_type)
{
    struct kv_intent *intent = x->intent;
    const struct kv_params *params = &x->params;
    struct txn_builder builder = {0};
    builder.txn.idempotency_key = intent->idempotency_key;
    if (intent->idempotency_key.size > 0) {
        /* What a patch makes of a value depends on the value. */
        struct hash128 body = hash128(intent->is_patch ? intent->patch.body : value);
        builder.txn.fingerprint = hash128_add(intent->fingerprint, body);
    }
    intent->check_count = 0;
    add_checks(x, &builder);
    if (intent->is_patch) {
        add_patch_checks(x, &builder);
    }
    struct txn_op op = {.type = type_of(x), .key = x->key, .lease = params->lease};
    op.ttl_ms = intent->ttl_ms;
    if (op.type == TXN_PUT || op.type == TXN_APPEND) {
        op.value = value;
        op.content_type = content_type;
    }
    if (op.type == TXN_APPEND) {
        op.number = x->api->options.value_bytes_max;
    } else if (op.type == TXN_ADD) {
        op.number = (uint64_t)(params->has_by ? params->by : 1);
    }
    /* A number that is counted, a text that is appended to, what is patched: they keep their
     * time. */
    bool is_change = op.type == TXN_ADD || op.type == TXN_APPEND || intent->is_patch;
    bool keeps = params->keeps_ttl || (is_change && !params->has_ttl && params->lease == 0);
    op.flags |= keeps ? TXN_KEEP_TTL : 0;
    if (intent->wanted == PREFER_RETURN_REPRESENTATION) {
        op.flags |= op.type == TXN_DELETE ? TXN_RETURN_OLD : TXN_RETURN_NEW;
    }
    txn_add_op(&builder, &op, false);
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {.type = COMMAND_TXN, .key = x->key, .txn = &txn};
    struct buf *encoded = command_encode(&command);
    txn_builder_deinit(&builder);
    return encoded;
}
