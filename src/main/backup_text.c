#include "main/backup_text.h"

#include "api/document.h"
#include "api/text.h"

void main_backup_text_hash(struct hash128 hash, char target[BACKUP_TEXT_HASH_SIZE])
{
    api_text_hex64(target, hash.high);
    api_text_hex64(target + TEXT_HEX64_SIZE, hash.low);
    target[BACKUP_TEXT_HASH_SIZE - 1] = '\0';
}

void main_backup_text_add(struct json_object *document, const struct store_backup *backup)
{
    char hash[BACKUP_TEXT_HASH_SIZE];
    main_backup_text_hash(backup->state.state_hash, hash);
    api_document_add_u64(document, "revision", backup->state.revision);
    api_document_add_u64(document, "applied_index", backup->state.applied.index);
    api_document_add_u64(document, "keys", backup->state.keys);
    api_document_add_u64(document, "size_bytes", backup->size_bytes);
    api_document_add_text(document, "state_hash", hash);
}

void main_backup_text_print(struct json_object *document, FILE *out)
{
    int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    (void)fprintf(out, "%s\n", json_object_to_json_string_ext(document, flags));
    (void)json_object_put(document);
}
