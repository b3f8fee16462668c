#include "main/flags.h"

#include <string.h>

#include "api/suggest.h"
#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"

struct found {
    const struct flag *flag;
    void *settings;
    size_t number; /* counted through all groups */
};

struct parser {
    const struct flag_group *groups;
    int count;
    char *const *arguments;
    int index; /* of the next argument */
    bool is_given[FLAG_COUNT_MAX];
};

/* ---- finding ---- */

static bool matches(const struct flag *flag, struct slice name, bool is_letter)
{
    if (is_letter) {
        return name.size == 1 && flag->letter != '\0' && name.data[0] == (uint8_t)flag->letter;
    }
    return slice_equal(name, slice_from_text(flag->name));
}

static bool find(const struct flag_group *groups, struct slice name, bool is_letter,
                 struct found *out_found)
{
    size_t number = 0;
    for (const struct flag_group *group = groups; group->flags != NULL; group++) {
        for (const struct flag *flag = group->flags; flag->name != NULL; flag++, number++) {
            ASSERT(number < FLAG_COUNT_MAX);
            if (matches(flag, name, is_letter)) {
                *out_found = (struct found){flag, group->settings, number};
                return true;
            }
        }
    }
    return false;
}

static const char *meant_by(const struct flag_group *groups, struct slice name)
{
    struct suggest suggest = {.name = name};
    for (const struct flag_group *group = groups; group->flags != NULL; group++) {
        for (const struct flag *flag = group->flags; flag->name != NULL; flag++) {
            api_suggest_offer(&suggest, flag->name);
        }
    }
    return api_suggest_meant(&suggest);
}

static err refuse_unknown(const struct parser *parser, const char *argument, struct slice name,
                          struct err_note *note)
{
    const char *meant = name.size > 1 ? meant_by(parser->groups, name) : NULL;
    if (meant != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST, "unknown flag %s: did you mean --%s?", argument,
                            meant);
    }
    return err_note_set(note, ERR_BAD_REQUEST, "unknown flag %s", argument);
}

/* ---- values ---- */

static err refuse_value(const struct flag *flag, struct slice value, const char *form,
                        struct err_note *note)
{
    return err_note_set(note, ERR_BAD_REQUEST, "--%s: \"%.*s\" is not %s", flag->name,
                        SLICE_ARGS(value), form);
}

static err set_choice(const struct flag *flag, struct slice value, uint64_t *target,
                      struct err_note *note)
{
    for (uint64_t i = 0; flag->choices[i] != NULL; i++) {
        if (slice_equal(value, slice_from_text(flag->choices[i]))) {
            *target = i;
            return OK;
        }
    }
    return refuse_value(flag, value, flag->placeholder, note);
}

/* `value` ends where its argument does: NUL-terminated. */
static err set_value(const struct found *found, struct slice value, struct err_note *note)
{
    const struct flag *flag = found->flag;
    void *target = (uint8_t *)found->settings + flag->offset;
    switch (flag->type) {
    case FLAG_TEXT:
        *(const char **)target = (const char *)value.data;
        return OK;
    case FLAG_SWITCH:
        *(bool *)target = true;
        return OK;
    case FLAG_U64:
        return api_units_parse_u64(value, target) == OK
                   ? OK
                   : refuse_value(flag, value, "a number", note);
    case FLAG_DURATION:
        return api_units_parse_duration(value, target) == OK
                   ? OK
                   : refuse_value(flag, value, "a duration like 500ms, 5s or 2m", note);
    case FLAG_SIZE:
        return api_units_parse_size(value, target) == OK
                   ? OK
                   : refuse_value(flag, value, "a size like 4096, 64KiB or 8MiB", note);
    case FLAG_CHOICE:
        return set_choice(flag, value, target, note);
    default:
        UNREACHABLE();
    }
}

/* Takes the flag at parser->index, and its value if that is the next argument. */
static err take_flag(struct parser *parser, struct err_note *note)
{
    const char *argument = parser->arguments[parser->index++];
    bool is_letter = argument[1] != '-';
    struct slice value = slice_from_text(argument + (is_letter ? 1 : 2));
    bool has_value = !is_letter && memchr(value.data, '=', value.size) != NULL;
    struct slice name = is_letter ? value : api_text_split(&value, '=');
    struct found found;
    if (!find(parser->groups, name, is_letter, &found)) {
        return refuse_unknown(parser, argument, name, note);
    }
    const struct flag *flag = found.flag;
    if (parser->is_given[found.number]) {
        return err_note_set(note, ERR_BAD_REQUEST, "--%s is given twice", flag->name);
    }
    parser->is_given[found.number] = true;
    if (flag->type == FLAG_SWITCH && has_value) {
        return err_note_set(note, ERR_BAD_REQUEST, "--%s takes no value", flag->name);
    }
    if (flag->type != FLAG_SWITCH && !has_value) {
        if (parser->index == parser->count) {
            return err_note_set(note, ERR_BAD_REQUEST, "--%s needs a value: --%s %s", flag->name,
                                flag->name, flag->placeholder);
        }
        value = slice_from_text(parser->arguments[parser->index++]);
    }
    return set_value(&found, value, note);
}

/* -1 is a number, unless a flag has that letter. */
static bool is_flag(const struct parser *parser, const char *argument)
{
    struct found found;
    if (argument[0] != '-' || argument[1] == '\0') {
        return false;
    }
    bool is_number = argument[1] >= '0' && argument[1] <= '9';
    return !is_number || find(parser->groups, slice_from_text(argument + 1), true, &found);
}

err main_flags_parse(const struct flag_group *groups, int count, char *const *arguments,
                     size_t words_max, struct flag_words *out_words, struct err_note *note)
{
    ASSERT(words_max <= FLAG_WORDS_MAX);
    struct parser parser = {.groups = groups, .count = count, .arguments = arguments};
    struct flag_words words = {.count = 0};
    bool are_words_left = false;
    while (parser.index < count) {
        const char *argument = arguments[parser.index];
        if (!are_words_left && strcmp(argument, "--") == 0) {
            are_words_left = true;
            parser.index++;
        } else if (!are_words_left && is_flag(&parser, argument)) {
            err e = take_flag(&parser, note);
            if (e != OK) {
                return e;
            }
        } else if (words.count == words_max) {
            return err_note_set(note, ERR_BAD_REQUEST, "unexpected argument \"%s\"", argument);
        } else {
            words.items[words.count++] = argument;
            parser.index++;
        }
    }
    *out_words = words;
    return OK;
}

/* ---- help ---- */

void main_flags_print_one(const struct flag *flag, FILE *out)
{
    char text[64];
    const char *placeholder = flag->placeholder == NULL ? "" : flag->placeholder;
    (void)snprintf(text, sizeof(text), "--%s %s", flag->name, placeholder);
    if (flag->letter != '\0') {
        (void)fprintf(out, "  -%c, %-26s %s\n", flag->letter, text, flag->help);
    } else {
        (void)fprintf(out, "      %-26s %s\n", text, flag->help);
    }
}
