#include "main/listing.h"

#include <stdio.h>
#include <string.h>

#include "api/text.h"

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

const char *main_listing_next(struct json_object *page)
{
    struct json_object *next = string_member(page, "next");
    const char *path = next == NULL ? NULL : json_object_get_string(next);
    bool is_ours = path != NULL && strncmp(path, "/kv", 3) == 0 && path[strspn(path, "/kv")] == '?';
    return is_ours ? path : NULL;
}

/* One of the two lists of a page, and how far it is. */
struct list_cursor {
    struct json_object *array; /* NULL: there is none */
    size_t index;
    bool is_prefix;
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
    if (cursor->is_prefix && json_object_is_type(item, json_type_string) != 0) {
        writer_bytes(&cursor->name, text_of(item));
        return OK;
    }
    return main_listing_bytes(item, cursor->is_prefix ? "prefix" : "key", &cursor->name);
}

static int compare(const struct list_cursor *a, const struct list_cursor *b)
{
    size_t size = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order = size == 0 ? 0 : memcmp(a->name.data, b->name.data, size);
    return order != 0 ? order : (a->name.size > b->name.size) - (a->name.size < b->name.size);
}

static struct list_cursor *first_of(struct list_cursor *keys, struct list_cursor *prefixes,
                                    bool is_reverse)
{
    if (!keys->has_item || !prefixes->has_item) {
        return keys->has_item ? keys : prefixes;
    }
    return (compare(keys, prefixes) <= 0) != is_reverse ? keys : prefixes;
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
    struct list_cursor keys = {.array = array_member(page, "keys")};
    struct list_cursor prefixes = {.array = array_member(page, "prefixes"), .is_prefix = true};
    err e = keys.array == NULL ? ERR_MALFORMED : read_item(&keys);
    if (e == OK) {
        e = read_item(&prefixes);
    }
    while (e == OK && (keys.has_item || prefixes.has_item)) {
        struct list_cursor *cursor = first_of(&keys, &prefixes, is_reverse);
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
    writer_deinit(&keys.name);
    writer_deinit(&prefixes.name);
    return e == OK ? OK : err_note_set(note, e, "the node's answer is no list of keys");
}
