/* What an answer's header fields tell of a key: its entity tag, its versions, its time to live. */
#ifndef MAIN_META_H
#define MAIN_META_H

#include <json-c/json_object.h>
#include <stdio.h>

#include "main/client.h"

/* Adds a member for each of them that the last answer has. */
void main_meta_add(const struct client *client, struct json_object *document);
/* Prints them, a line "name: value" each. */
void main_meta_print(const struct client *client, FILE *out);
/* Adds `name` as text, or `name_base64` if the bytes are no UTF-8. */
void main_meta_add_bytes(struct json_object *document, const char *name, struct slice bytes);

#endif
