/* Listening for streams. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/address.h"
#include "env/errno.h"
#include "env/uv_int.h"

#define BACKLOG 128 /* peers are few; the kernel's queue only has to outlast one turn */

struct env_listener {
    uv_tcp_t tcp;
    struct env *env;
    void (*accepted)(void *ctx, struct env_stream *stream);
    void *ctx;
    char address[ENV_ADDRESS_TEXT_SIZE];
};

static void on_connection(uv_stream_t *handle, int status)
{
    struct env_listener *listener = CONTAINER_OF(handle, struct env_listener, tcp);
    if (status == 0) { /* otherwise descriptors are short, and libuv has refused the connection */
        env_uv_stream_accept(listener->env, handle, listener->accepted, listener->ctx);
    }
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct env_listener, tcp));
}

static int listener_bind(struct env_listener *listener, const struct env_address *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    uv_getaddrinfo_t request;
    int status =
        uv_getaddrinfo(&listener->env->loop, &request, NULL, address->host, address->port, &hints);
    if (status != 0) {
        return status;
    }
    /* A name with several addresses: the first one. */
    status = uv_tcp_bind(&listener->tcp, request.addrinfo->ai_addr, 0);
    uv_freeaddrinfo(request.addrinfo);
    return status;
}

static int listener_name(struct env_listener *listener)
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    int status = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&address, &size);
    if (status == 0) {
        env_address_format((const struct sockaddr *)&address, listener->address);
    }
    return status;
}

err env_listen(struct env *env, const char *address,
               void (*accepted)(void *ctx, struct env_stream *stream), void *ctx,
               struct env_listener **out_listener, struct err_note *note)
{
    struct env_address parsed;
    err e = env_address_parse(address, &parsed, note);
    if (e != OK) {
        return e;
    }
    struct env_listener *listener = mem_calloc(1, sizeof(*listener));
    listener->env = env;
    listener->accepted = accepted;
    listener->ctx = ctx;
    (void)uv_tcp_init(&env->loop, &listener->tcp);
    int status = listener_bind(listener, &parsed);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    }
    if (status == 0) {
        status = listener_name(listener);
    }
    if (status != 0) {
        env_listener_close(listener);
        return err_note_set(note, env_err_of_uv(status), "listen on %s: %s", address,
                            env_status_text(status));
    }
    *out_listener = listener;
    return OK;
}

const char *env_listener_address(const struct env_listener *listener)
{
    return listener->address;
}

void env_listener_close(struct env_listener *listener)
{
    if (listener != NULL) {
        uv_close((uv_handle_t *)&listener->tcp, on_closed);
    }
}
