#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

struct err_info {
    const char *name;
    const char *slug;
    const char *title;
    int http_status;
    enum outcome outcome;
};

#define ERR_INFO_ROW(name, status, slug, title, outcome)                                           \
    [name] = {#name, slug, title, status, OUTCOME_##outcome},
static const struct err_info infos[ERR_COUNT] = {
    [OK] = {"OK", "", "", 200, OUTCOME_NOT_APPLIED}, /* only its name is ever asked for */
    ERR_LIST(ERR_INFO_ROW)};
#undef ERR_INFO_ROW

static const struct err_info *info_of_failure(err e)
{
    ASSERT(e > OK);
    ASSERT(e < ERR_COUNT);
    return &infos[e];
}

const char *err_name(err e)
{
    ASSERT(e < ERR_COUNT);
    return infos[e].name;
}

int err_http_status(err e)
{
    return info_of_failure(e)->http_status;
}

const char *err_slug(err e)
{
    return info_of_failure(e)->slug;
}

const char *err_title(err e)
{
    return info_of_failure(e)->title;
}

enum outcome err_outcome(err e)
{
    return info_of_failure(e)->outcome;
}

err err_note_set(struct err_note *note, err e, const char *format, ...)
{
    if (note != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(note->text, sizeof(note->text), format, args);
        va_end(args);
    }
    return e;
}

err err_note_wrap(struct err_note *note, err e, const char *format, ...)
{
    if (note != NULL) {
        char inner[ERR_NOTE_SIZE];
        memcpy(inner, note->text, sizeof(inner));
        inner[sizeof(inner) - 1] = '\0';
        va_list args;
        va_start(args, format);
        (void)vsnprintf(note->text, sizeof(note->text), format, args);
        va_end(args);
        size_t size = strlen(note->text);
        (void)snprintf(note->text + size, sizeof(note->text) - size, ": %s", inner);
    }
    return e;
}
