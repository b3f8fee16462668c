/*
 * A node that says what it is told to: a thread that accepts one connection after the other, reads
 * a request, keeps it, answers with the next text of its script, and closes.
 */
#ifndef MAIN_FAKE_NODE_H
#define MAIN_FAKE_NODE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define FAKE_REQUESTS_MAX 4
#define FAKE_REQUEST_SIZE 4096

struct fake_node {
    /* What it says, an answer a request; NULL: nothing more, it does not accept any. */
    const char *answers[FAKE_REQUESTS_MAX + 1];
    int listener;
    char address[32];
    pthread_t thread;
    int requests;
    char request[FAKE_REQUESTS_MAX][FAKE_REQUEST_SIZE];
};

/* It reads the request and closes. */
#define FAKE_CLOSES ""
/* It reads the request and says nothing until the client goes. */
#define FAKE_IS_SILENT "silent"

#define FAKE_ANSWER(status, type, body)                                                            \
    "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: " type "\r\n\r\n" body

/* Values may have zeros. */
static inline bool fake_request_is_whole(const char *text, size_t size)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");
    size_t body_size = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
    return end != NULL && (size_t)(text + size - end) >= 4 + body_size;
}

static inline void fake_serve(struct fake_node *node, int connection, const char *answer)
{
    char *request = node->request[node->requests];
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && !fake_request_is_whole(request, size)) {
        got = recv(connection, request + size, FAKE_REQUEST_SIZE - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    node->requests++;
    if (strcmp(answer, FAKE_IS_SILENT) == 0) {
        char byte;
        (void)recv(connection, &byte, 1, 0);
        return;
    }
    (void)send(connection, answer, strlen(answer), MSG_NOSIGNAL);
}

static inline void *fake_run(void *ctx)
{
    struct fake_node *node = ctx;
    for (int i = 0; node->answers[i] != NULL; i++) {
        int connection = accept(node->listener, NULL, NULL);
        if (connection < 0) {
            return NULL;
        }
        fake_serve(node, connection, node->answers[i]);
        close(connection);
    }
    return NULL;
}

static inline void fake_start(struct fake_node *node)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    node->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(node->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(node->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(node->address, sizeof(node->address), "127.0.0.1:%u", ntohs(address.sin_port));
    if (node->answers[0] != NULL) {
        assert_int_equal(listen(node->listener, 8), 0); /* else: connections are refused */
    }
    assert_int_equal(pthread_create(&node->thread, NULL, fake_run, node), 0);
}

/* From here on the requests may be looked at. */
static inline void fake_stop(struct fake_node *node)
{
    (void)shutdown(node->listener, SHUT_RDWR); /* wakes accept */
    (void)pthread_join(node->thread, NULL);
    close(node->listener);
}

#endif
