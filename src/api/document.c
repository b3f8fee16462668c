#include "api/document.h"

#include "api/text.h"
#include "base/assert.h"

void api_document_add(struct json_object *document, const char *name, struct json_object *child)
{
    int failed = json_object_object_add_ex(document, name, child, JSON_C_OBJECT_ADD_KEY_IS_NEW);
    ASSERT(failed == 0);
}

void api_document_add_text(struct json_object *document, const char *name, const char *value)
{
    api_document_add(document, name, json_object_new_string(value));
}

void api_document_add_u64(struct json_object *document, const char *name, uint64_t value)
{
    api_document_add(document, name, json_object_new_uint64(value));
}

void api_document_add_i64(struct json_object *document, const char *name, int64_t value)
{
    api_document_add(document, name, json_object_new_int64(value));
}

void api_document_add_bool(struct json_object *document, const char *name, bool value)
{
    api_document_add(document, name, json_object_new_boolean(value));
}

void api_document_add_null(struct json_object *document, const char *name)
{
    api_document_add(document, name, NULL);
}

void api_document_add_id(struct json_object *document, const char *name, uint64_t value)
{
    char text[TEXT_HEX64_SIZE + 1] = "";
    api_text_hex64(text, value);
    api_document_add_text(document, name, text);
}
