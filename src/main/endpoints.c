#include "main/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "api/text.h"
#include "base/assert.h"
#include "env/address.h"

#define SCHEME "http://"

static err take(struct endpoints *endpoints, struct slice text, struct err_note *note)
{
    if (api_text_begins_nocase(text, "https://")) {
        return err_note_set(note, ERR_BAD_REQUEST, "\"%.*s\": nodes speak http, not https",
                            SLICE_ARGS(text));
    }
    if (api_text_begins_nocase(text, SCHEME)) {
        text = (struct slice){text.data + strlen(SCHEME), text.size - strlen(SCHEME)};
    }
    if (text.size > 0 && text.data[text.size - 1] == '/') {
        text.size--;
    }
    if (endpoints->count == MEMBERS_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST, "at most %u are asked", MEMBERS_MAX);
    }
    char *target = endpoints->addresses[endpoints->count];
    int size = snprintf(target, ENDPOINT_SIZE, "%.*s", SLICE_ARGS(text));
    struct env_address address;
    if (size < 0 || (size_t)size >= ENDPOINT_SIZE || strpbrk(target, "/@?#% \\") != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST, "\"%.*s\" is not HOST:PORT", SLICE_ARGS(text));
    }
    if (env_address_parse(target, &address, note) != OK) {
        return ERR_BAD_REQUEST;
    }
    endpoints->count++;
    return OK;
}

err main_endpoints_parse(const char *text, struct endpoints *out_endpoints, struct err_note *note)
{
    struct slice rest = slice_from_text(text);
    out_endpoints->count = 0;
    while (rest.size > 0) {
        struct slice part = api_text_trim(api_text_split(&rest, ','));
        err e = part.size == 0 ? OK : take(out_endpoints, part, note);
        if (e != OK) {
            (void)err_note_wrap(note, e, "endpoints");
            return e;
        }
    }
    if (out_endpoints->count == 0) {
        return err_note_set(note, ERR_BAD_REQUEST, "endpoints: \"%s\" names none", text);
    }
    return OK;
}
