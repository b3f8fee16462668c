#include "env/errno.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "base/assert.h"

err env_err_of_errno(int errno_value)
{
    ASSERT(errno_value > 0);
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NO_FILE;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EAGAIN: /* flock: somebody else has it */
    case EBUSY:
    case ETXTBSY:
        return ERR_BUSY;
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ERR_ADDRESS;
    case ECONNREFUSED:
        return ERR_REFUSED;
    case ECONNRESET:
    case ECONNABORTED:
    case ECANCELED:
    case EPIPE:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

/* libuv numbers the resolver's errors far below every errno. */
static bool is_resolver_status(int status)
{
    return status <= UV_EAI_ADDRFAMILY && status >= UV_EAI_PROTOCOL;
}

err env_err_of_uv(int status)
{
    ASSERT(status < 0);
    if (status == UV_EOF) {
        return ERR_CLOSED;
    }
    return is_resolver_status(status) ? ERR_ADDRESS : env_err_of_errno(-status);
}

const char *env_status_text(int status)
{
    ASSERT(status < 0);
    const char *text = is_resolver_status(status) ? uv_strerror(status) : strerrordesc_np(-status);
    return text != NULL ? text : "unknown error";
}
