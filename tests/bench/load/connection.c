#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

#define RECEIVE_SIZE (64u << 10)

bool connection_init(struct connection *connection, const struct protocol *protocol,
                     const struct protocol_options *options, const struct sockaddr_in *address,
                     size_t depth)
{
    *connection = (struct connection){.protocol = protocol, .depth = depth};
    connection->requests = mem_calloc(depth, sizeof(*connection->requests));
    connection->state = protocol->open(options, &connection->out);
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0 ||
        connect(connection->socket, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return false;
    }
    int one = 1;
    return setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
           fcntl(connection->socket, F_SETFL, O_NONBLOCK) == 0;
}

void connection_deinit(struct connection *connection)
{
    connection_end(connection);
    if (connection->state != NULL) {
        connection->protocol->close(connection->state);
        connection->state = NULL;
    }
    writer_deinit(&connection->out);
    writer_deinit(&connection->in);
    mem_free(connection->requests);
    connection->requests = NULL;
}

bool connection_has_room(const struct connection *connection)
{
    return connection->socket >= 0 && connection->count < connection->depth;
}

void connection_ask(struct connection *connection, const struct request *request)
{
    ASSERT(connection->count < connection->depth);
    size_t place = (connection->first + connection->count) % connection->depth;
    connection->requests[place] = *request;
    connection->count++;
    connection->protocol->ask(connection->state, request, &connection->out);
}

bool connection_flush(struct connection *connection)
{
    while (connection->sent < connection->out.size) {
        ssize_t size = send(connection->socket, connection->out.data + connection->sent,
                            connection->out.size - connection->sent, MSG_NOSIGNAL);
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        connection->sent += (size_t)size;
    }
    writer_reset(&connection->out);
    connection->sent = 0;
    return true;
}

bool connection_receive(struct connection *connection)
{
    uint8_t *room = writer_extend(&connection->in, RECEIVE_SIZE);
    ssize_t size = recv(connection->socket, room, RECEIVE_SIZE, 0);
    connection->in.size -= RECEIVE_SIZE - (size > 0 ? (size_t)size : 0);
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Forgets what was taken of the input. */
static void shorten(struct writer *in, struct slice rest)
{
    if (rest.size > 0 && rest.data != in->data) {
        memmove(in->data, rest.data, rest.size);
    }
    in->size = rest.size;
}

bool connection_take(struct connection *connection, struct request *out_request,
                     struct problem *out_problem, bool *out_is_broken)
{
    if (connection->count == 0) {
        *out_is_broken = connection->in.size > 0; /* an answer to nothing */
        return false;
    }
    struct slice rest = writer_slice(&connection->in);
    struct request request = connection->requests[connection->first];
    enum taken taken = connection->protocol->take(connection->state, &request, &rest, out_problem);
    shorten(&connection->in, rest);
    *out_is_broken = taken == TAKEN_NONSENSE;
    if (taken != TAKEN_ANSWER) {
        return false;
    }
    connection->first = (connection->first + 1) % connection->depth;
    connection->count--;
    *out_request = request;
    return true;
}

void connection_end(struct connection *connection)
{
    if (connection->socket >= 0) {
        (void)close(connection->socket);
        connection->socket = -1;
    }
}
