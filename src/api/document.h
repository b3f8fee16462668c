/*
 * JSON documents with json-c, a member a line. Members stand in the order in which they are added.
 */
#ifndef API_DOCUMENT_H
#define API_DOCUMENT_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

/* Each adds the member `name`, which is not there yet; names and texts are copied. */
void api_document_add_text(struct json_object *document, const char *name, const char *value);
void api_document_add_u64(struct json_object *document, const char *name, uint64_t value);
void api_document_add_i64(struct json_object *document, const char *name, int64_t value);
void api_document_add_bool(struct json_object *document, const char *name, bool value);
void api_document_add_null(struct json_object *document, const char *name);
/* As 16 hex digits: JSON readers with doubles would break a 64-bit id. */
void api_document_add_id(struct json_object *document, const char *name, uint64_t value);
/* Takes `child`. */
void api_document_add(struct json_object *document, const char *name, struct json_object *child);

#endif
