#include "main/options.h"

#include <string.h>

#include "api/text.h"
#include "base/assert.h"
#include "base/mem.h"
#include "main/options_int.h"

#define ENVIRONMENT_PREFIX "PONTOON_"

/* ---- sources ---- */

void main_options_init(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *standard = main_options_table[i].standard;
        ASSERT(main_options_table[i].name != NULL);
        options->sources[i].text = standard == NULL ? NULL : mem_strdup(standard);
    }
}

void main_options_deinit(struct options *options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        mem_free(options->sources[i].text);
    }
    mem_free(options->file_name);
    *options = (struct options){0};
}

static char *copy_text(struct slice text)
{
    char *copy = mem_alloc(text.size + 1);
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return copy;
}

err main_options_set(struct options *options, const struct option_row *row, struct slice text,
                     struct option_source place, struct err_note *note)
{
    struct option_source *source = &options->sources[row - main_options_table];
    if (source->origin > place.origin) {
        return OK; /* O1 */
    }
    if (source->origin == place.origin) {
        char name[ERR_NOTE_SIZE / 2];
        main_options_place(options, row, name, sizeof(name));
        return err_note_set(note, ERR_BAD_REQUEST, "%s is given twice", name);
    }
    mem_free(source->text);
    *source = place;
    source->text = copy_text(text);
    return OK;
}

void main_options_place(const struct options *options, const struct option_row *row, char *target,
                        size_t size)
{
    const struct option_source *source = &options->sources[row - main_options_table];
    char variable[OPTION_NAME_SIZE_MAX];
    switch (source->origin) {
    case ORIGIN_FILE:
        (void)snprintf(target, size, "%s:%u: %s", options->file_name, source->line, row->name);
        break;
    case ORIGIN_ENVIRONMENT:
        main_options_environment_name(row, variable);
        (void)snprintf(target, size, "%s", variable);
        break;
    case ORIGIN_DEFAULT:
    case ORIGIN_FLAG:
        (void)snprintf(target, size, "--%s", row->name);
        break;
    default:
        UNREACHABLE();
    }
}

const char *main_options_file(const struct options *options)
{
    const struct option_row *row = main_options_find(SLICE_LITERAL("config"));
    ASSERT(row != NULL);
    return options->sources[row - main_options_table].text;
}

bool main_options_is_given(const struct options *options, const char *name)
{
    const struct option_row *row = main_options_find(slice_from_text(name));
    ASSERT(row != NULL);
    return options->sources[row - main_options_table].origin != ORIGIN_DEFAULT;
}

/* ---- flags ---- */

static err refuse_flag(struct slice name, struct err_note *note)
{
    const struct option_row *meant = main_options_meant(name);
    if (meant != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST, "unknown flag --%.*s: did you mean --%s?",
                            SLICE_ARGS(name), meant->name);
    }
    return err_note_set(note, ERR_BAD_REQUEST, "unknown flag --%.*s", SLICE_ARGS(name));
}

/* Takes the flag at arguments[*index] and leaves *index after what it used. */
static err take_flag(struct options *options, int count, char *const *arguments, int *index,
                     struct err_note *note)
{
    const char *argument = arguments[*index];
    if (strncmp(argument, "--", 2) != 0) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "unexpected argument \"%s\": flags begin with --", argument);
    }
    struct slice value = slice_from_text(argument + 2);
    bool has_value = memchr(value.data, '=', value.size) != NULL;
    struct slice name = api_text_split(&value, '=');
    const struct option_row *row =
        memchr(name.data, '_', name.size) == NULL ? main_options_find(name) : NULL;
    if (row == NULL) {
        return refuse_flag(name, note);
    }
    ++*index;
    if (!has_value && row->type == OPTION_BOOL) {
        value = SLICE_LITERAL("true");
    } else if (!has_value && *index == count) {
        return err_note_set(note, ERR_BAD_REQUEST, "--%s needs a value: --%s %s", row->name,
                            row->name, row->placeholder);
    } else if (!has_value) {
        value = slice_from_text(arguments[(*index)++]);
    }
    return main_options_set(options, row, value, (struct option_source){.origin = ORIGIN_FLAG},
                            note);
}

err main_options_take_flags(struct options *options, int count, char *const *arguments,
                            struct err_note *note)
{
    int index = 0;
    while (index < count) {
        err e = take_flag(options, count, arguments, &index, note);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* ---- the environment ---- */

/* "MAX_VALUE_BYTES" to "max_value_bytes"; cut where no name of ours is as long. */
static struct slice lower_name(struct slice name, char target[OPTION_NAME_SIZE_MAX])
{
    size_t size = name.size < OPTION_NAME_SIZE_MAX ? name.size : OPTION_NAME_SIZE_MAX;
    memcpy(target, name.data, size);
    for (size_t i = 0; i < size; i++) {
        if (target[i] == '_') {
            target[i] = '-';
        } else if (target[i] >= 'A' && target[i] <= 'Z') {
            target[i] = (char)(target[i] - 'A' + 'a');
        }
    }
    return (struct slice){(const uint8_t *)target, size};
}

static err take_variable(struct options *options, const char *variable, struct err_note *note)
{
    struct slice value = slice_from_text(variable + strlen(ENVIRONMENT_PREFIX));
    struct slice name = api_text_split(&value, '=');
    char lower[OPTION_NAME_SIZE_MAX];
    struct slice lowered = lower_name(name, lower);
    const struct option_row *row = main_options_find(lowered);
    if (row != NULL) {
        return main_options_set(options, row, value,
                                (struct option_source){.origin = ORIGIN_ENVIRONMENT}, note);
    }
    const struct option_row *nearest = main_options_nearest(lowered);
    if (nearest != NULL) {
        char meant[OPTION_NAME_SIZE_MAX];
        main_options_environment_name(nearest, meant);
        return err_note_set(note, ERR_BAD_REQUEST,
                            "unknown variable " ENVIRONMENT_PREFIX "%.*s: did you mean %s?",
                            SLICE_ARGS(name), meant);
    }
    return OK;
}

err main_options_take_environment(struct options *options, char *const *environment,
                                  struct err_note *note)
{
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0) {
            continue;
        }
        err e = take_variable(options, *environment, note);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}
