#include "api/kv_body.h"

#include <inttypes.h>

#include "api/digest.h"
#include "api/encoding.h"
#include "base/assert.h"

#define NAMES                                                                                      \
    (HTTP_NAME_BIT("Content-Encoding") | HTTP_NAME_BIT("Repr-Digest") |                            \
     HTTP_NAME_BIT("Content-Digest") | HTTP_NAME_BIT("Content-Range"))

static err check_digest(const struct http_request *request, const char *name,
                        struct problem *problem)
{
    struct slice text = http_header(request, name);
    return text.data == NULL ? OK : api_digest_check(name, text, problem);
}

err api_kv_body_prepare(struct exchange *x, struct problem *problem)
{
    if (LIKELY(!http_may_have(x->request, NAMES))) {
        return OK;
    }
    if (http_header(x->request, "content-range").data != NULL) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a part of a value cannot be written (Content-Range); send the whole "
            "value");
    }
    struct slice encoding = http_header(x->request, "content-encoding");
    if (api_encoding_of(encoding) == ENCODING_UNKNOWN) {
        api_exchange_field_text(x, "Accept-Encoding", "gzip, deflate");
        return api_problem_set(problem, ERR_UNSUPPORTED_ENCODING,
                               "a value may come as it is, or in one coding, gzip or deflate "
                               "(Content-Encoding); send this one as it is");
    }
    err e = check_digest(x->request, "Repr-Digest", problem);
    return e == OK ? check_digest(x->request, "Content-Digest", problem) : e;
}

static err decode(const struct exchange *x, enum encoding encoding, struct slice coded,
                  struct writer *out, struct problem *problem)
{
    uint64_t limit = x->api->options.value_bytes_max;
    err e = api_encoding_decode(encoding, coded, limit, out);
    if (e == ERR_TOO_LARGE) {
        problem->limit = limit;
        problem->setting = "max-value-bytes";
        return api_problem_set(problem, ERR_TOO_LARGE,
                               "a value is at most %" PRIu64 " bytes, this one has more once it is "
                               "decoded",
                               limit);
    }
    if (e != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the body is not what its Content-Encoding says: it is damaged, cut "
                               "short, or in another format");
    }
    return OK;
}

/*
 * The digest of the representation is that of what is stored, which is what people compute; RFC
 * 9530 means the coded form, as it was sent. Either proves that the value is whole.
 */
static err verify(const struct http_request *request, struct slice coded, struct slice value,
                  struct problem *problem)
{
    struct slice content = http_header(request, "content-digest");
    struct slice representation = http_header(request, "repr-digest");
    if (content.data != NULL && !api_digest_matches(content, coded)) {
        return api_problem_set(
            problem, ERR_DIGEST_MISMATCH,
            "the body is not what its Content-Digest says: it was changed on its "
            "way, or the digest is of something else; nothing was written");
    }
    bool is_coded = coded.data != value.data;
    if (representation.data != NULL && !api_digest_matches(representation, value) &&
        !(is_coded && api_digest_matches(representation, coded))) {
        return api_problem_set(problem, ERR_DIGEST_MISMATCH,
                               "the value is not what its Repr-Digest says: it was changed on its "
                               "way, or the digest is of something else; nothing was written");
    }
    return OK;
}

static err take(const struct exchange *x, struct kv_body *body, struct problem *problem)
{
    enum encoding encoding = api_encoding_of(http_header(x->request, "content-encoding"));
    struct slice coded = body->value;
    ASSERT(encoding != ENCODING_UNKNOWN);
    if (encoding != ENCODING_IDENTITY) {
        err e = decode(x, encoding, coded, &body->decoded, problem);
        if (e != OK) {
            return e;
        }
        body->value = writer_slice(&body->decoded);
    }
    return verify(x->request, coded, body->value, problem);
}

bool api_kv_body_take(struct exchange *x, struct kv_body *out_body)
{
    out_body->value = buf_slice(http_body(x->request));
    out_body->decoded = (struct writer){0};
    if (LIKELY(!http_may_have(x->request, NAMES))) {
        return true;
    }
    struct problem problem = {.e = OK};
    if (take(x, out_body, &problem) == OK) {
        return true;
    }
    api_kv_body_deinit(out_body);
    api_exchange_respond_problem(x, &problem);
    return false;
}
