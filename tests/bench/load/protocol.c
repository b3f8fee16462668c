#include "protocol.h"

#include <stdio.h>
#include <string.h>

static const struct protocol *const protocols[] = {
    &protocol_pontoon, &protocol_etcd, &protocol_plain, &protocol_redis, &protocol_zookeeper,
};

const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(protocols); i++) {
        if (strcmp(protocols[i]->name, name) == 0) {
            return protocols[i];
        }
    }
    return NULL;
}

void problem_set(struct problem *problem, struct slice text)
{
    size_t size = text.size < sizeof(problem->text) ? text.size : sizeof(problem->text) - 1;
    for (size_t i = 0; i < size; i++) {
        char byte = (char)text.data[i];
        bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z');
        problem->text[i] = (char)(is_plain ? byte : '_');
    }
    problem->text[size] = '\0';
}

void problem_set_number(struct problem *problem, int number)
{
    (void)snprintf(problem->text, sizeof(problem->text), "%d", number);
}
