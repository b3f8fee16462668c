/* What the commands say of a backup. */
#ifndef MAIN_BACKUP_TEXT_H
#define MAIN_BACKUP_TEXT_H

#include <json-c/json_object.h>
#include <stdio.h>

#include "store/backup.h"

#define BACKUP_TEXT_HASH_SIZE 33u

/* A state hash as /stats has it, NUL-terminated. */
void main_backup_text_hash(struct hash128 hash, char target[BACKUP_TEXT_HASH_SIZE]);
/* Adds what it is of: revision, applied_index, keys, size_bytes, state_hash. */
void main_backup_text_add(struct json_object *document, const struct store_backup *backup);
/* Takes `document` and prints it, a line. */
void main_backup_text_print(struct json_object *document, FILE *out);

#endif
