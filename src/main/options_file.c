/* The file of settings, read with inih, whose reader callback tells us the line we are at. */
#include <ini.h>
#include <string.h>

#include "api/text.h"
#include "base/assert.h"
#include "base/mem.h"
#include "main/options_int.h"

struct walk {
    struct options *options;
    struct slice rest; /* of the text */
    unsigned line;     /* the one that inih was given last */
    err e;             /* the first error; later lines are passed over */
    struct err_note *note;
};

static err fail(struct walk *walk, const char *what, struct slice text)
{
    return err_note_set(walk->note, ERR_BAD_REQUEST, "%s:%u: %s \"%.*s\"", walk->options->file_name,
                        walk->line, what, SLICE_ARGS(text));
}

/* Hands inih the next line, as fgets would. A line that does not fit is an error, not two lines. */
static char *next_line(char *target, int size, void *ctx)
{
    struct walk *walk = ctx;
    if (walk->rest.size == 0 || walk->e != OK) {
        return NULL;
    }
    struct slice line = api_text_split(&walk->rest, '\n');
    walk->line++;
    if (line.size + 2 > (size_t)size) {
        walk->e = fail(walk, "the line is too long:", (struct slice){line.data, 40});
        return NULL;
    }
    if (line.size > 0 && memchr(line.data, '\0', line.size) != NULL) {
        walk->e = fail(walk, "a NUL byte stands in this line after", line);
        return NULL;
    }
    if (line.size > 0) {
        memcpy(target, line.data, line.size);
    }
    target[line.size] = '\n';
    target[line.size + 1] = '\0';
    return target;
}

static struct slice without_quotes(const char *value)
{
    struct slice text = slice_from_text(value);
    bool is_quoted = text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"';
    return is_quoted ? (struct slice){text.data + 1, text.size - 2} : text;
}

/* inih's handler: returns 0 on an error. */
static int take_line(void *ctx, const char *section, const char *name, const char *value)
{
    struct walk *walk = ctx;
    if (walk->e != OK) {
        return 0;
    }
    struct slice key = slice_from_text(name);
    const struct option_row *row = main_options_find(key);
    if (section[0] != '\0') {
        walk->e =
            fail(walk, "settings stand in no section, this one is in", slice_from_text(section));
    } else if (row == NULL) {
        const struct option_row *meant = main_options_meant(key);
        walk->e = fail(walk, "unknown setting", key);
        if (meant != NULL) {
            walk->e = err_note_set(walk->note, ERR_BAD_REQUEST,
                                   "%s:%u: unknown setting \"%s\": did you mean \"%s\"?",
                                   walk->options->file_name, walk->line, name, meant->name);
        }
    } else if (strcmp(row->name, "config") == 0) {
        walk->e = fail(walk, "a file cannot name another:", key);
    } else {
        struct option_source place = {.origin = ORIGIN_FILE, .line = walk->line};
        walk->e = main_options_set(walk->options, row, without_quotes(value), place, walk->note);
    }
    return walk->e == OK;
}

err main_options_take_file(struct options *options, const char *name, struct slice text,
                           struct err_note *note)
{
    ASSERT(options->file_name == NULL);
    options->file_name = mem_strdup(name);
    struct walk walk = {.options = options, .rest = text, .e = OK, .note = note};
    int bad_line = ini_parse_stream(next_line, &walk, take_line, &walk);
    if (walk.e == OK && bad_line != 0) {
        walk.e = err_note_set(note, ERR_BAD_REQUEST, "%s:%d: not a line like name = value", name,
                              bad_line);
    }
    return walk.e;
}
