/* The one translation of the system's and libuv's error numbers into the list of base/err.h. */
#ifndef ENV_ERRNO_H
#define ENV_ERRNO_H

#include "base/err.h"

/* The err for `errno_value`, which is not 0. What has no err of its own is ERR_IO. */
MUST_USE err env_err_of_errno(int errno_value);

/* The err for libuv's `status`, which is negative: -errno, or the resolver's (ERR_ADDRESS). */
MUST_USE err env_err_of_uv(int status);

/* What such a `status` means, in words for notes and logs; static storage. */
const char *env_status_text(int status);

#endif
