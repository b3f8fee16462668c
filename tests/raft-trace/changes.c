#include "changes.h"

#include <ctype.h>
#include <string.h>

static bool parse_type(char letter, enum conf_change_type *out_type)
{
    switch (letter) {
    case 'v':
        *out_type = CONF_CHANGE_ADD_VOTER;
        return true;
    case 'l':
        *out_type = CONF_CHANGE_ADD_LEARNER;
        return true;
    case 'r':
        *out_type = CONF_CHANGE_REMOVE;
        return true;
    case 'u':
        *out_type = CONF_CHANGE_UPDATE;
        return true;
    default:
        return false;
    }
}

bool changes_parse(const char *words, struct conf_change *out_change)
{
    out_change->count = 0;
    for (;;) {
        words += strspn(words, " \t\r\n");
        if (*words == '\0') {
            return true;
        }
        struct conf_change_single single = {0};
        if (out_change->count == MEMBERS_MAX || !parse_type(*words, &single.type) ||
            !isdigit((unsigned char)words[1])) {
            return false;
        }
        for (words++; isdigit((unsigned char)*words); words++) {
            single.id = single.id * 10 + (node_id)(*words - '0');
        }
        out_change->changes[out_change->count] = single;
        out_change->count++;
    }
}
