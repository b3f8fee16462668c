#include "api/json_merge.h"

#include <json-c/json_object_iterator.h>

#include "api/json_scan.h"
#include "base/assert.h"

/* An object that is merged into another, and how far. */
struct frame {
    struct json_object *target;
    struct json_object_iterator at;
    struct json_object_iterator end;
};

static err parse(struct slice text, struct json_object **out_value, const char **out_why)
{
    static const struct json_bounds bounds = {JSON_MERGE_DEPTH_MAX, JSON_MERGE_PARTS_MAX};
    struct slice rest = text;
    struct slice value;
    err e = api_json_next(&rest, bounds, &value, out_why);
    api_json_skip(&rest);
    if (e == OK && rest.size > 0) {
        *out_why = "there is something behind the value";
        e = ERR_BAD_REQUEST;
    }
    return e == OK ? api_json_parse(value, JSON_MERGE_DEPTH_MAX, out_value, out_why) : e;
}

static struct frame frame_of(struct json_object *target, struct json_object *patch)
{
    return (struct frame){target, json_object_iter_begin(patch), json_object_iter_end(patch)};
}

/* The object under `name`: one that is there, or else a new one in place of what is. */
static struct json_object *object_in(struct json_object *target, const char *name)
{
    struct json_object *there = NULL;
    if (json_object_object_get_ex(target, name, &there) &&
        json_object_is_type(there, json_type_object)) {
        return there;
    }
    there = json_object_new_object();
    int added = json_object_object_add(target, name, there);
    ASSERT(added == 0);
    return there;
}

static void merge_objects(struct json_object *target, struct json_object *patch)
{
    struct frame frames[JSON_MERGE_DEPTH_MAX];
    size_t depth = 1;
    frames[0] = frame_of(target, patch);
    while (depth > 0) {
        struct frame *frame = &frames[depth - 1];
        if (json_object_iter_equal(&frame->at, &frame->end)) {
            depth--;
            continue;
        }
        const char *name = json_object_iter_peek_name(&frame->at);
        struct json_object *value = json_object_iter_peek_value(&frame->at);
        json_object_iter_next(&frame->at);
        if (value == NULL) {
            json_object_object_del(frame->target, name);
        } else if (json_object_is_type(value, json_type_object)) {
            ASSERT(depth < JSON_MERGE_DEPTH_MAX);
            frames[depth] = frame_of(object_in(frame->target, name), value);
            depth++;
        } else {
            int added = json_object_object_add(frame->target, name, json_object_get(value));
            ASSERT(added == 0);
        }
    }
}

/* Takes both. */
static struct json_object *merge(struct json_object *target, struct json_object *patch)
{
    if (!json_object_is_type(patch, json_type_object)) {
        (void)json_object_put(target);
        return patch;
    }
    if (!json_object_is_type(target, json_type_object)) {
        (void)json_object_put(target);
        target = json_object_new_object();
    }
    merge_objects(target, patch);
    (void)json_object_put(patch);
    return target;
}

err api_json_merge(struct slice target, struct slice patch, struct writer *out,
                   enum json_merge_side *out_side, const char **out_why)
{
    struct json_object *patch_value = NULL;
    struct json_object *value = NULL;
    *out_side = JSON_MERGE_PATCH;
    err e = parse(patch, &patch_value, out_why);
    if (e == OK && target.data != NULL) {
        *out_side = JSON_MERGE_TARGET;
        e = parse(target, &value, out_why);
    }
    if (e != OK) {
        (void)json_object_put(patch_value);
        return e;
    }
    value = merge(value, patch_value);
    size_t size;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    ASSERT(text != NULL);
    writer_bytes(out, (struct slice){(const uint8_t *)text, size});
    (void)json_object_put(value);
    return OK;
}
