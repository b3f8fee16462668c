#include "main/import_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/errno.h"

#define BLOCK_SIZE (256u << 10)

struct import_source {
    const char *name;
    FILE *file;
    FILE *copy; /* of standard input; NULL: `file` can be read again */
};

/* ---- lines ---- */

struct lines {
    FILE *file;
    FILE *copy; /* NULL: none is made */
    struct writer bytes;
    size_t begin; /* of the next line */
    bool is_over;
};

/* Makes room and reads on. */
static err fill(struct lines *lines)
{
    size_t left = lines->bytes.size - lines->begin;
    if (left > 0) {
        memmove(lines->bytes.data, lines->bytes.data + lines->begin, left);
    }
    lines->bytes.size = left;
    lines->begin = 0;
    uint8_t *target = writer_extend(&lines->bytes, BLOCK_SIZE);
    size_t size = fread(target, 1, BLOCK_SIZE, lines->file);
    lines->bytes.size = left + size;
    if (size == 0 && ferror(lines->file) != 0) {
        return env_err_of_errno(errno);
    }
    lines->is_over = size == 0;
    if (lines->copy != NULL && size > 0 && fwrite(target, 1, size, lines->copy) != size) {
        return env_err_of_errno(errno);
    }
    return OK;
}

/* The next line, without its newline; `out_is_last`: there is none any more. ERR_MALFORMED: it is
 * too long, or does not end. */
static err next_line(struct lines *lines, struct slice *out_line, bool *out_is_last)
{
    size_t seen = 0;
    for (;;) {
        const uint8_t *begin = lines->bytes.data + lines->begin;
        size_t size = lines->bytes.size - lines->begin;
        const uint8_t *end = size > seen ? memchr(begin + seen, '\n', size - seen) : NULL;
        *out_is_last = lines->is_over && size == 0;
        if (end != NULL) {
            *out_line = (struct slice){begin, (size_t)(end - begin)};
            lines->begin += out_line->size + 1;
            return OK;
        }
        if (lines->is_over) {
            return size == 0 ? OK : ERR_MALFORMED;
        }
        if (size > EXPORT_LINE_SIZE_MAX) {
            return ERR_MALFORMED;
        }
        seen = size;
        err e = fill(lines);
        if (e != OK) {
            return e;
        }
    }
}

/* ---- all of it ---- */

static err read_all(struct import_source *source, FILE *copy,
                    bool (*each)(void *ctx, const struct export_parser *parser), void *ctx,
                    struct err_note *note)
{
    struct lines lines = {.file = source->file, .copy = copy};
    struct export_parser parser = {.lines = 0};
    bool is_last = false;
    bool goes_on = true;
    err e = OK;
    while (e == OK && goes_on) {
        struct slice line = SLICE_EMPTY;
        enum export_line kind = EXPORT_HEAD;
        e = next_line(&lines, &line, &is_last);
        if (e == ERR_MALFORMED) {
            e = err_note_set(note, e, "line %" PRIu64 ": it was cut short, or is too long",
                             parser.lines + 1);
        } else if (e != OK) {
            e = err_note_set(note, e, "%s", err_title(e));
        } else if (is_last) {
            break;
        } else {
            e = api_export_take(&parser, line, &kind, note);
            if (e != OK) {
                e = err_note_wrap(note, e, "line %" PRIu64, parser.lines);
            }
        }
        goes_on = e != OK || each == NULL || kind != EXPORT_RECORD || each(ctx, &parser);
    }
    if (e == OK && goes_on) {
        e = api_export_finish(&parser, note);
    }
    api_export_parser_deinit(&parser);
    writer_deinit(&lines.bytes);
    return e == OK ? OK : err_note_wrap(note, e, "%s", source->name);
}

err main_import_source_open(struct import_source **out_source, const char *path,
                            struct err_note *note)
{
    struct import_source *source = mem_calloc(1, sizeof(*source));
    source->name = path == NULL ? "standard input" : path;
    source->file = path == NULL ? stdin : fopen(path, "rbe");
    source->copy = path == NULL ? tmpfile() : NULL;
    if (source->file == NULL || (path == NULL && source->copy == NULL)) {
        int error = errno;
        err e = env_err_of_errno(error);
        main_import_source_close(source);
        return err_note_set(note, e, "%s: %s", path == NULL ? "a temporary file" : path,
                            strerrordesc_np(error));
    }
    err e = read_all(source, source->copy, NULL, NULL, note);
    if (e == OK && source->copy != NULL) {
        source->file = source->copy;
        source->copy = NULL;
    }
    if (e == OK && fseeko(source->file, 0, SEEK_SET) != 0) {
        e = err_note_set(note, env_err_of_errno(errno),
                         "%s cannot be read twice: pipe it into \"pontoon import -\"",
                         source->name);
    }
    if (e != OK) {
        main_import_source_close(source);
        return e;
    }
    *out_source = source;
    return OK;
}

err main_import_source_each(struct import_source *source,
                            bool (*each)(void *ctx, const struct export_parser *parser), void *ctx,
                            struct err_note *note)
{
    ASSERT(each != NULL);
    return read_all(source, NULL, each, ctx, note);
}

void main_import_source_close(struct import_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->file != NULL && source->file != stdin) {
        (void)fclose(source->file);
    }
    if (source->copy != NULL) {
        (void)fclose(source->copy);
    }
    mem_free(source);
}
