#include "main/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/text.h"
#include "base/limits.h"

#define READ_SIZE (1u << 16)

/* ---- in ---- */

static err read_all(int fd, const char *name, struct writer *out, struct err_note *note)
{
    for (;;) {
        uint8_t *block = writer_extend(out, READ_SIZE);
        ssize_t got = read(fd, block, READ_SIZE);
        out->size -= READ_SIZE - (got > 0 ? (size_t)got : 0);
        if (got < 0 && errno != EINTR) {
            return err_note_set(note, ERR_IO, "read %s: %s", name, strerrordesc_np(errno));
        }
        if (got == 0) {
            return OK;
        }
        if (out->size > VALUE_SIZE_CEILING) {
            return err_note_set(note, ERR_TOO_LARGE, "%s: no node takes more than %u bytes", name,
                                VALUE_SIZE_CEILING);
        }
    }
}

err main_value_read_file(const char *path, struct writer *out, struct err_note *note)
{
    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, "standard input", out, note);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_note_set(note, ERR_NO_FILE, "open %s: %s", path, strerrordesc_np(errno));
    }
    err e = read_all(fd, path, out, note);
    (void)close(fd);
    return e;
}

err main_value_read(const char *word, struct writer *out, const char **out_file,
                    struct err_note *note)
{
    bool is_file = word[0] == '@' || strcmp(word, "-") == 0;
    const char *path = word[0] == '@' ? word + 1 : word;
    if (out_file != NULL) {
        *out_file = is_file ? path : NULL;
    }
    if (is_file) {
        return main_value_read_file(path, out, note);
    }
    writer_bytes(out, slice_from_text(word));
    return OK;
}

/* ---- out ---- */

void main_value_write(struct slice value, FILE *out)
{
    if (value.size > 0) { /* its data may be NULL, which fwrite does not take */
        (void)fwrite(value.data, 1, value.size, out);
    }
}

void main_value_print(struct slice value, FILE *out)
{
    main_value_write(value, out);
    if (isatty(fileno(out)) != 0) {
        (void)fputc('\n', out);
    }
}

/* How many bytes at `text` are one character that is no control; 0: none are. */
static size_t printable_size(struct slice text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    bool is_control = first < ' ' || first == 0x7f || first == '\\' ||
                      (size == 2 && text.size >= 2 && first == 0xc2 && text.data[1] < 0xa0);
    if (is_control || size > text.size || !api_text_is_utf8((struct slice){text.data, size})) {
        return 0;
    }
    return size;
}

static void write_escaped(uint8_t byte, struct writer *out)
{
    static const char named[] = "\nn\tt\rr\\\\";
    for (const char *name = named; *name != '\0'; name += 2) {
        if (byte == (uint8_t)name[0]) {
            writer_format(out, "\\%c", name[1]);
            return;
        }
    }
    writer_format(out, "\\x%02x", byte);
}

void main_value_escape(struct slice value, struct writer *out)
{
    while (value.size > 0) {
        size_t size = printable_size(value);
        if (size > 0) {
            writer_bytes(out, (struct slice){value.data, size});
        } else {
            size = 1;
            write_escaped(value.data[0], out);
        }
        value.data += size;
        value.size -= size;
    }
}
