#include "env/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/assert.h"

#define PORT_MAX 65535u

static bool parse_port(const char *text, uint16_t *out_port)
{
    size_t size = strlen(text);
    if (size == 0 || size > 5 || strspn(text, "0123456789") != size) {
        return false;
    }
    uint32_t port = 0;
    for (const char *digit = text; *digit != '\0'; digit++) {
        port = port * 10 + (uint32_t)(*digit - '0');
    }
    if (port > PORT_MAX) {
        return false;
    }
    *out_port = (uint16_t)port;
    return true;
}

/* An address in numbers is one, too. What is not ASCII no resolver is asked for. */
static bool is_name(const char *host)
{
    return host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789-._")] == '\0';
}

/* With the name of an interface, perhaps: it ends up in log lines and in others' texts. */
static bool is_v6(const char *host)
{
    struct in6_addr bytes;
    for (const char *letter = host; *letter != '\0'; letter++) {
        if (*letter <= ' ' || *letter > '~') {
            return false;
        }
    }
    return uv_inet_pton(AF_INET6, host, &bytes) == 0;
}

err env_address_parse(const char *text, struct env_address *out_address, struct err_note *note)
{
    uint16_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_port(colon + 1, &port)) {
        return err_note_set(note, ERR_ADDRESS, "\"%s\" does not end in a port: HOST:PORT", text);
    }
    const char *begin = text;
    const char *end = colon;
    bool is_bracketed = *begin == '[' && end > begin && end[-1] == ']';
    if (is_bracketed) {
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return err_note_set(note, ERR_ADDRESS, "\"%s\": an IPv6 address stands in brackets", text);
    }
    size_t size = (size_t)(end - begin);
    if (end <= begin || size > ADDRESS_SIZE_MAX) {
        return err_note_set(note, ERR_ADDRESS, "\"%s\" has no usable host: HOST:PORT", text);
    }
    memcpy(out_address->host, begin, size);
    out_address->host[size] = '\0';
    if (is_bracketed ? !is_v6(out_address->host) : !is_name(out_address->host)) {
        return err_note_set(note, ERR_ADDRESS,
                            is_bracketed ? "\"%s\": no IPv6 address stands in the brackets"
                                         : "\"%s\": a host has letters (A-Z), digits, '-', '.' and "
                                           "'_' in it, and nothing else",
                            text);
    }
    out_address->port_number = port;
    (void)snprintf(out_address->port, sizeof(out_address->port), "%u", (unsigned)port);
    return OK;
}

static bool is_every_interface(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;
    return (uv_inet_pton(AF_INET6, host, &v6) == 0 && IN6_IS_ADDR_UNSPECIFIED(&v6)) ||
           (uv_inet_pton(AF_INET, host, &v4) == 0 && v4.s_addr == htonl(INADDR_ANY));
}

err env_address_parse_remote(const char *text, struct env_address *out_address,
                             struct err_note *note)
{
    err e = env_address_parse(text, out_address, note);
    if (e != OK) {
        return e;
    }
    if (out_address->port_number == 0 || is_every_interface(out_address->host)) {
        return err_note_set(note, ERR_ADDRESS,
                            "nobody can connect to %s; name an address that others reach", text);
    }
    return OK;
}

void env_address_format(const struct sockaddr *address, char text[ENV_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    int status = uv_ip_name(address, host, sizeof(host));
    ASSERT(status == 0);
    bool is_v6 = address->sa_family == AF_INET6;
    in_port_t port;
    if (is_v6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        port = v6.sin6_port;
    } else {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        port = v4.sin_port;
    }
    (void)snprintf(text, ENV_ADDRESS_TEXT_SIZE, is_v6 ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)ntohs(port));
}
