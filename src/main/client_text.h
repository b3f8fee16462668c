/* What a client says of a request: its curl line, and an error document as one line. */
#ifndef MAIN_CLIENT_TEXT_H
#define MAIN_CLIENT_TEXT_H

#include <json-c/json_object.h>

#include "base/codec.h"
#include "main/client.h"

/* Appends a shell's line that does what `request` does at `url`, without its Idempotency-Key. */
void main_client_text_curl(struct writer *out, const struct client_request *request,
                           const char *url);

/*
 * Appends "title: detail" of a problem document (RFC 9457), or what can be said without one. Never
 * more than a line. `out_is_unknown`: the document says that the outcome is.
 */
void main_client_text_problem(struct writer *out, const struct client_answer *answer,
                              bool *out_is_unknown);
/* Appends "503 No leader": the status, and the title of a problem document if it is one. */
void main_client_text_title(struct writer *out, const struct client_answer *answer);

/* The last answer as JSON, which the caller puts; NULL, with a note: it is none. */
struct json_object *main_client_json(const struct client *client, struct err_note *note);

#endif
