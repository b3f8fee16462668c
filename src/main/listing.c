#include "main/listing.h"

#include <stdio.h>
#include <string.h>

#include "api/text.h"
#include "base/compiler.h"

static struct slice text_of(struct json_object *value)
{
    return (struct slice){(const uint8_t *)json_object_get_string(value),
                          (size_t)json_object_get_string_len(value)};
}

static struct json_object *string_member(struct json_object *row, const char *name)
{
    struct json_object *value = NULL;
    bool is_there = json_object_is_type(row, json_type_object) != 0 &&
                    json_object_object_get_ex(row, name, &value) != 0 &&
                    json_object_is_type(value, json_type_string) != 0;
    return is_there ? value : NULL;
}

err main_listing_bytes(struct json_object *row, const char *name, struct writer *out)
{
    char encoded_name[64];
    (void)snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);
    struct json_object *plain = string_member(row, name);
    struct json_object *encoded = string_member(row, encoded_name);
    if (plain != NULL) {
        writer_bytes(out, text_of(plain));
        return OK;
    }
    return encoded != NULL ? api_text_base64_decode(out, text_of(encoded)) : ERR_MALFORMED;
}

const char *main_listing_next(struct json_object *page, const char *root)
{
    struct json_object *next = string_member(page, "next");
    const char *path = next == NULL ? NULL : json_object_get_string(next);
    size_t size = strlen(root);
    bool is_ours =
        path != NULL && strncmp(path, root, size) == 0 && (path[size] == '?' || path[size] == '/');
    return is_ours ? path : NULL;
}

/* One of the lists of a page, and how far it is. */
struct list_cursor {
    struct json_object *array; /* NULL: there is none */
    size_t index;
    bool is_prefix;
    bool is_base64;
    struct writer name; /* of the item at `index` */
    bool has_item;
};

static err read_item(struct list_cursor *cursor)
{
    size_t count = cursor->array == NULL ? 0 : json_object_array_length(cursor->array);
    cursor->has_item = cursor->index < count;
    writer_reset(&cursor->name);
    if (!cursor->has_item) {
        return OK;
    }
    struct json_object *item = json_object_array_get_idx(cursor->array, cursor->index);
    if (!cursor->is_prefix) {
        return main_listing_bytes(item, "key", &cursor->name);
    }
    if (json_object_is_type(item, json_type_string) == 0) {
        return ERR_MALFORMED;
    }
    if (cursor->is_base64) {
        return api_text_base64_decode(&cursor->name, text_of(item));
    }
    writer_bytes(&cursor->name, text_of(item));
    return OK;
}

static int compare(const struct list_cursor *a, const struct list_cursor *b)
{
    size_t size = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order = size == 0 ? 0 : memcmp(a->name.data, b->name.data, size);
    return order != 0 ? order : (a->name.size > b->name.size) - (a->name.size < b->name.size);
}

/* The one whose item comes next; NULL: all are at their end. */
static struct list_cursor *first_of(struct list_cursor *cursors, size_t count, bool is_reverse)
{
    struct list_cursor *first = NULL;
    for (size_t i = 0; i < count; i++) {
        bool is_before = first == NULL || (is_reverse ? compare(&cursors[i], first) > 0
                                                      : compare(&cursors[i], first) < 0);
        if (cursors[i].has_item && is_before) {
            first = &cursors[i];
        }
    }
    return first;
}

static struct json_object *array_member(struct json_object *page, const char *name)
{
    struct json_object *value = NULL;
    bool is_there = json_object_is_type(page, json_type_object) != 0 &&
                    json_object_object_get_ex(page, name, &value) != 0 &&
                    json_object_is_type(value, json_type_array) != 0;
    return is_there ? value : NULL;
}

err main_listing_each(struct json_object *page, bool is_reverse,
                      void (*each)(void *ctx, const struct listing_item *item), void *ctx,
                      struct err_note *note)
{
    struct list_cursor cursors[] = {
        {.array = array_member(page, "keys")},
        {.array = array_member(page, "prefixes"), .is_prefix = true},
        {.array = array_member(page, "prefixes_base64"), .is_prefix = true, .is_base64 = true},
    };
    err e = cursors[0].array == NULL ? ERR_MALFORMED : OK;
    for (size_t i = 0; i < ARRAY_COUNT(cursors) && e == OK; i++) {
        e = read_item(&cursors[i]);
    }
    struct list_cursor *cursor = NULL;
    while (e == OK && (cursor = first_of(cursors, ARRAY_COUNT(cursors), is_reverse)) != NULL) {
        const struct listing_item item = {
            .name = writer_slice(&cursor->name),
            .is_prefix = cursor->is_prefix,
            .row =
                cursor->is_prefix ? NULL : json_object_array_get_idx(cursor->array, cursor->index),
        };
        each(ctx, &item);
        cursor->index++;
        e = read_item(cursor);
    }
    for (size_t i = 0; i < ARRAY_COUNT(cursors); i++) {
        writer_deinit(&cursors[i].name);
    }
    return e == OK ? OK : err_note_set(note, e, "the node's answer is no list of keys");
}
