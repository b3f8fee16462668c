/*
 * A request (docs/api.md) while it is written: path and query, percent-encoded, and header fields.
 */
#ifndef MAIN_DRAFT_H
#define MAIN_DRAFT_H

#include "base/codec.h"
#include "env/env.h"
#include "main/client.h"

/* Whether writes carry an Idempotency-Key of their own, so that fail-over carries them out once:
 * the one place to turn that off. */
#define DRAFT_HAS_IDEMPOTENCY_KEYS 1

#define DRAFT_FIELDS_MAX 12u

/* All zero but for what main_draft_init sets. */
struct draft {
    struct writer target; /* path and query */
    bool has_query;
    struct writer fields; /* each ends in NUL */
    size_t starts[DRAFT_FIELDS_MAX];
    size_t count;
    const char *bad; /* the field that a header cannot carry; NULL: none */
    const char *headers[DRAFT_FIELDS_MAX + 1];
    bool is_repeatable;
};

/* Begins with `path`, as it stands: "/kv/". */
void main_draft_init(struct draft *draft, const char *path);
void main_draft_deinit(struct draft *draft); /* frees what is held */

/* Appends to the path, escaped. Before the first parameter. */
void main_draft_segment(struct draft *draft, const char *text);
/* Appends to the path as it stands. Likewise. */
void main_draft_path(struct draft *draft, const char *text);

/* Adds "name=value" to the query, `value` escaped; NULL: the name alone. */
void main_draft_param(struct draft *draft, const char *name, const char *value);
void main_draft_param_u64(struct draft *draft, const char *name, uint64_t value); /* as above */
void main_draft_param_ms(struct draft *draft, const char *name, uint64_t ms);     /* "1500ms" */

/* Adds a header field. `name` is static; a value that none can carry is told at the end. */
void main_draft_field(struct draft *draft, const char *name, const char *value);
/* Likewise, an entity tag: 42 becomes "42", in quotes; * and what is quoted stay. */
void main_draft_field_etag(struct draft *draft, const char *name, const char *value);
/* Adds an Idempotency-Key made by chance (see above). */
void main_draft_field_once(struct draft *draft, struct env *env);

/*
 * Puts path, fields and is_repeatable into `request`, which borrows them from `draft` until it is
 * changed. ERR_BAD_REQUEST, with a note: a field's value cannot be sent.
 */
MUST_USE err main_draft_finish(struct draft *draft, struct client_request *request,
                               struct err_note *note);

#endif
