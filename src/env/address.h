/*
 * Network addresses as text: "HOST:PORT", where HOST is a name (of ASCII letters, digits, '-', '.'
 * and '_'), an IPv4 address or an IPv6 address in brackets.
 */
#ifndef ENV_ADDRESS_H
#define ENV_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/limits.h"

/* The two parts of an address. */
struct env_address {
    char host[ADDRESS_SIZE_MAX + 1]; /* without brackets */
    char port[6];                    /* "0" to "65535" */
    uint16_t port_number;            /* the same */
};

/* Parses `text`. ERR_ADDRESS: it is not of that form; the note then says in which way. */
MUST_USE err env_address_parse(const char *text, struct env_address *out_address,
                               struct err_note *note);

/* As env_address_parse, of an address that others are to connect to: that of every interface
 * (0.0.0.0, [::]) and port 0 are none. */
MUST_USE err env_address_parse_remote(const char *text, struct env_address *out_address,
                                      struct err_note *note);

/* A numeric address and its NUL in text: "[IPv6%interface]:65535". */
#define ENV_ADDRESS_TEXT_SIZE 80

/* Fills `text` with "HOST:PORT" of a numeric `address`, of AF_INET or AF_INET6. */
void env_address_format(const struct sockaddr *address, char text[ENV_ADDRESS_TEXT_SIZE]);

#endif
