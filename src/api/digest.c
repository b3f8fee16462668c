#include "api/digest.h"

#include <openssl/evp.h>

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"

#define PREFERENCE_MAX 10u /* of Want-Repr-Digest: RFC 9530, section 4 */

struct algorithm {
    const char *name;
    size_t size;
    const EVP_MD *(*digest)(void);
};

static const struct algorithm algorithms[] = {
    {"sha-256", 32, EVP_sha256},
    {"sha-512", 64, EVP_sha512},
};

static const struct algorithm *find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
        if (slice_equal(name, slice_from_text(algorithms[i].name))) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* One member of the dictionary (RFC 9651): its key, and its value without parameters. */
static struct slice take_member(struct slice *text, struct slice *out_value)
{
    struct slice member = api_text_split(text, ',');
    struct slice value = api_text_split(&member, ';');
    struct slice name = api_text_trim(api_text_split(&value, '='));
    *out_value = api_text_trim(value);
    return name;
}

/* ":BASE64:" as bytes. False: it is none. */
static bool decode(struct slice value, struct writer *out)
{
    bool is_bracketed =
        value.size >= 2 && value.data[0] == ':' && value.data[value.size - 1] == ':';
    return is_bracketed &&
           api_text_base64_decode(out, (struct slice){value.data + 1, value.size - 2}) == OK;
}

static void compute(const struct algorithm *algorithm, struct slice bytes,
                    uint8_t digest[EVP_MAX_MD_SIZE])
{
    unsigned size = 0;
    int status = EVP_Digest(bytes.data, bytes.size, digest, &size, algorithm->digest(), NULL);
    ASSERT(status == 1); /* neither algorithm can be switched off */
    ASSERT(size == algorithm->size);
}

err api_digest_check(const char *name, struct slice text, struct problem *problem)
{
    unsigned known = 0;
    while (text.size > 0) {
        struct slice value;
        const struct algorithm *algorithm = find(take_member(&text, &value));
        if (algorithm == NULL) {
            continue;
        }
        struct writer digest = {0};
        bool is_good = decode(value, &digest) && digest.size == algorithm->size;
        writer_deinit(&digest);
        if (!is_good) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "%s: what follows %s= is the digest's %zu bytes in base64 "
                                   "between colons, such as %s=:…:",
                                   name, algorithm->name, algorithm->size, algorithm->name);
        }
        known++;
    }
    if (known == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s has no digest that could be verified: sha-256=:…: and "
                               "sha-512=:…: are known",
                               name);
    }
    return OK;
}

bool api_digest_matches(struct slice text, struct slice bytes)
{
    bool matches = true;
    while (text.size > 0 && matches) {
        struct slice value;
        const struct algorithm *algorithm = find(take_member(&text, &value));
        struct writer expected = {0};
        if (algorithm != NULL && decode(value, &expected)) {
            uint8_t digest[EVP_MAX_MD_SIZE];
            compute(algorithm, bytes, digest);
            matches = slice_equal(writer_slice(&expected), (struct slice){digest, algorithm->size});
        }
        writer_deinit(&expected);
    }
    return matches;
}

/* The first of those that are wanted most; NULL: none that is known. */
static const struct algorithm *choose(struct slice want)
{
    const struct algorithm *chosen = NULL;
    uint64_t most = 0;
    while (want.size > 0) {
        struct slice value;
        uint64_t preference;
        const struct algorithm *algorithm = find(take_member(&want, &value));
        if (algorithm != NULL && api_units_parse_u64(value, &preference) == OK &&
            preference > most && preference <= PREFERENCE_MAX) {
            chosen = algorithm;
            most = preference;
        }
    }
    return chosen;
}

size_t api_digest_write(struct slice want, struct slice bytes, char target[DIGEST_FIELD_SIZE_MAX])
{
    const struct algorithm *algorithm = choose(want);
    if (algorithm == NULL) {
        return 0;
    }
    uint8_t digest[EVP_MAX_MD_SIZE];
    compute(algorithm, bytes, digest);
    struct writer text = {0};
    writer_format(&text, "%s=:", algorithm->name);
    api_text_base64(&text, (struct slice){digest, algorithm->size});
    writer_u8(&text, ':');
    size_t size = text.size;
    ASSERT(size <= DIGEST_FIELD_SIZE_MAX);
    memcpy(target, text.data, size);
    writer_deinit(&text);
    return size;
}
