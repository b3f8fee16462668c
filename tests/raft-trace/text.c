#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void text_deinit(struct text *text)
{
    mem_free(text->data);
    *text = (struct text){0};
}

static void push(struct text *text, char c)
{
    if (text->size + 1 >= text->capacity) {
        text->capacity = text->capacity == 0 ? 256 : text->capacity * 2;
        text->data = mem_realloc(text->data, text->capacity, 1);
    }
    text->data[text->size] = c;
    text->size++;
    text->data[text->size] = '\0';
}

static bool at_line_start(const struct text *text)
{
    return text->size == 0 || text->data[text->size - 1] == '\n';
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    char *part = mem_alloc((size_t)size + 1);
    va_start(args, format);
    (void)vsnprintf(part, (size_t)size + 1, format, args);
    va_end(args);
    for (int i = 0; i < size; i++) {
        if (at_line_start(text) && part[i] != '\n') {
            for (unsigned space = 0; space < text->indent; space++) {
                push(text, ' ');
            }
        }
        push(text, part[i]);
    }
    mem_free(part);
}

void text_trim(struct text *text)
{
    while (text->size > 0 && text->data[text->size - 1] == '\n') {
        text->size--;
        text->data[text->size] = '\0';
    }
}

const char *text_get(const struct text *text)
{
    return text->data == NULL ? "" : text->data;
}
