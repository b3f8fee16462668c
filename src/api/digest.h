/*
 * Digest fields (RFC 9530): Repr-Digest and Content-Digest of a write are verified, a read's
 * Want-Repr-Digest is answered. sha-256 and sha-512, by OpenSSL; of others what is known counts.
 */
#ifndef API_DIGEST_H
#define API_DIGEST_H

#include "api/problem.h"

#define DIGEST_FIELD_SIZE_MAX 100u /* "sha-512=:" and 88 characters and ":" */

/*
 * Whether `text`, the value of the field `name`, can be verified: at least one algorithm that is
 * known, each with a digest of its size. ERR_BAD_REQUEST, set in `problem`.
 */
MUST_USE err api_digest_check(const char *name, struct slice text, struct problem *problem);
/* Whether all digests of a checked field that are known are those of `bytes`. */
bool api_digest_matches(struct slice text, struct slice bytes);
/*
 * Writes the value of Repr-Digest of `bytes` with the algorithm that `want`, the value of
 * Want-Repr-Digest, prefers, without a NUL; returns its size, 0 if it wants none that is known.
 */
size_t api_digest_write(struct slice want, struct slice bytes, char target[DIGEST_FIELD_SIZE_MAX]);

#endif
