#include "api/guard.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/text.h"

#define ECHO_SIZE_MAX 96 /* of what a client sent, in a detail */

/* The part before ":PORT". */
static struct slice host_of(struct slice authority)
{
    if (authority.size > 0 && authority.data[0] == '[') {
        const uint8_t *end = memchr(authority.data, ']', authority.size);
        return end == NULL ? authority
                           : (struct slice){authority.data, (size_t)(end + 1 - authority.data)};
    }
    return api_text_split(&authority, ':');
}

bool api_guard_is_loopback_name(struct slice authority)
{
    struct slice host = host_of(authority);
    if (api_text_equals_nocase(host, "localhost") || api_text_equals_nocase(host, "[::1]")) {
        return true;
    }
    char text[INET_ADDRSTRLEN];
    if (host.size == 0 || host.size >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is_known_loopback_name(struct guard_memory *memory, struct slice authority)
{
    if (slice_equal(authority, (struct slice){memory->name, memory->size})) {
        return true;
    }
    bool is_loopback = api_guard_is_loopback_name(authority);
    if (is_loopback && authority.size <= GUARD_NAME_SIZE_MAX) {
        memcpy(memory->name, authority.data, authority.size);
        memory->size = authority.size;
    }
    return is_loopback;
}

/* Whether `origin` is "http://AUTHORITY" or "https://AUTHORITY". */
static bool is_own_origin(struct slice origin, struct slice authority)
{
    for (const char *const *scheme = (const char *const[]){"http://", "https://", NULL};
         *scheme != NULL; scheme++) {
        size_t size = strlen(*scheme);
        if (api_text_begins_nocase(origin, *scheme) && origin.size - size == authority.size) {
            struct slice rest = {origin.data + size, authority.size};
            return rest.size > 0 && slice_equal_nocase(rest, authority);
        }
    }
    return false;
}

static struct slice cut(struct slice text)
{
    return (struct slice){text.data, text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX};
}

err api_guard_check(const struct guard *guard, struct problem *problem)
{
    if (guard->is_loopback && guard->authority.size > 0 &&
        !is_known_loopback_name(guard->memory, guard->authority)) {
        return api_problem_set(problem, ERR_FORBIDDEN,
                               "this server listens on loopback and answers to localhost, "
                               "127.0.0.0/8 and [::1] only, not to the Host \"%.*s\" (a guard "
                               "against DNS rebinding); to serve other names, --listen on another "
                               "address",
                               SLICE_ARGS(cut(guard->authority)));
    }
    if (!guard->is_unsafe) {
        return OK;
    }
    if (api_text_equals_nocase(guard->fetch_site, "cross-site")) {
        return api_problem_set(problem, ERR_FORBIDDEN,
                               "a browser sent this write for a page of another site "
                               "(Sec-Fetch-Site: cross-site); only pages of this server may write");
    }
    if (guard->origin.size == 0 && api_text_equals_nocase(guard->fetch_site, "same-site")) {
        return api_problem_set(
            problem, ERR_FORBIDDEN,
            "a browser sent this write for a page of another port or host of this "
            "site (Sec-Fetch-Site: same-site), and does not say which (Origin); "
            "only pages of this server may write");
    }
    if (guard->origin.size > 0 && !is_own_origin(guard->origin, guard->authority)) {
        return api_problem_set(problem, ERR_FORBIDDEN,
                               "a browser sent this write for a page of \"%.*s\", and this server "
                               "is \"%.*s\"; only pages of this server may write",
                               SLICE_ARGS(cut(guard->origin)), SLICE_ARGS(cut(guard->authority)));
    }
    return OK;
}
