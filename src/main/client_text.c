#include "main/client_text.h"

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <limits.h>
#include <string.h>

#include "api/text.h"
#include "base/assert.h"

#define INLINE_BODY_SIZE_MAX 1024u
#define LINE_SIZE_MAX 300u

/* ---- curl ---- */

/* In single quotes, for a shell. */
static void write_quoted(struct writer *out, struct slice text)
{
    writer_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') {
            writer_bytes(out, SLICE_LITERAL("'\\''"));
        } else {
            writer_u8(out, text.data[i]);
        }
    }
    writer_u8(out, '\'');
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static void write_body(struct writer *out, struct slice body, const char *file)
{
    /* A body that begins with '@' would name a file. */
    bool can_stand_here = body.size <= INLINE_BODY_SIZE_MAX && is_printable(body) &&
                          (body.size == 0 || body.data[0] != '@');
    writer_format(out, " --data-binary ");
    if (file != NULL) {
        struct writer name = {0};
        writer_format(&name, "@%s", file);
        write_quoted(out, writer_slice(&name));
        writer_deinit(&name);
    } else if (can_stand_here) {
        write_quoted(out, body);
    } else {
        writer_format(out, "@-"); /* from standard input */
    }
}

/* With its key the line would do nothing: the node has carried that request out. */
static bool is_of_this_run(const char *header)
{
    return strncmp(header, "Idempotency-Key:", strlen("Idempotency-Key:")) == 0;
}

void main_client_text_curl(struct writer *out, const struct client_request *request,
                           const char *url)
{
    writer_format(out, "curl");
    if (strcmp(request->method, "HEAD") == 0) {
        writer_format(out, " -I");
    } else if (strcmp(request->method, "GET") != 0) {
        writer_format(out, " -X %s", request->method);
    }
    if (strstr(request->path, "/.") != NULL) {
        writer_format(out, " --path-as-is");
    }
    for (const char *const *header = request->headers; header != NULL && *header != NULL;
         header++) {
        if (!is_of_this_run(*header)) {
            writer_format(out, " -H ");
            write_quoted(out, slice_from_text(*header));
        }
    }
    if (request->body.data != NULL) {
        write_body(out, request->body, request->body_file);
    }
    writer_u8(out, ' ');
    write_quoted(out, slice_from_text(url));
}

/* ---- problems ---- */

/* The first line, no longer than fits into a message, and nothing that moves a terminal. */
static void write_line(struct writer *out, struct slice text)
{
    struct slice line = api_text_trim(api_text_split(&text, '\n'));
    line.size = line.size < LINE_SIZE_MAX ? line.size : LINE_SIZE_MAX;
    for (size_t i = 0; i < line.size; i++) {
        writer_u8(out, line.data[i] < ' ' || line.data[i] == 0x7f ? '?' : line.data[i]);
    }
}

/* "" if it is not there, or not a text. */
static const char *member(struct json_object *document, const char *name)
{
    struct json_object *value = NULL;
    bool is_there = json_object_object_get_ex(document, name, &value) != 0 &&
                    json_object_is_type(value, json_type_string) != 0;
    return is_there ? json_object_get_string(value) : "";
}

/* NULL: it is none. The caller puts it. */
static struct json_object *parse_problem(const struct client_answer *answer)
{
    if (!api_text_begins_nocase(slice_from_text(answer->content_type),
                                "application/problem+json") ||
        answer->body.size > INT_MAX) {
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *document =
        json_tokener_parse_ex(tokener, (const char *)answer->body.data, (int)answer->body.size);
    json_tokener_free(tokener);
    if (document != NULL && json_object_is_type(document, json_type_object) == 0) {
        (void)json_object_put(document);
        return NULL;
    }
    return document;
}

void main_client_text_problem(struct writer *out, const struct client_answer *answer,
                              bool *out_is_unknown)
{
    *out_is_unknown = false;
    struct json_object *document = parse_problem(answer);
    if (document == NULL) {
        writer_format(out, "HTTP status %d", answer->status);
        if (answer->body.size > 0 && api_text_is_utf8(answer->body)) {
            writer_format(out, ": ");
            write_line(out, answer->body);
        }
        return;
    }
    const char *detail = member(document, "detail");
    write_line(out, slice_from_text(member(document, "title")));
    if (detail[0] != '\0') {
        writer_format(out, ": ");
        write_line(out, slice_from_text(detail));
    }
    *out_is_unknown = strcmp(member(document, "outcome"), "unknown") == 0;
    (void)json_object_put(document);
}

void main_client_text_title(struct writer *out, const struct client_answer *answer)
{
    struct json_object *document = parse_problem(answer);
    writer_format(out, "%d", answer->status);
    if (document != NULL) {
        writer_u8(out, ' ');
        write_line(out, slice_from_text(member(document, "title")));
        (void)json_object_put(document);
    }
}

struct json_object *main_client_json(const struct client *client, struct err_note *note)
{
    struct slice body = main_client_answer(client).body;
    struct json_tokener *tokener = json_tokener_new();
    ASSERT(tokener != NULL && body.size <= INT32_MAX);
    struct json_object *document =
        json_tokener_parse_ex(tokener, (const char *)body.data, (int)body.size);
    json_tokener_free(tokener);
    if (document == NULL) {
        (void)err_note_set(note, ERR_MALFORMED, "what answered is no pontoon of this kind");
    }
    return document;
}
