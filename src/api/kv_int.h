/* What the files of /kv/KEY share: route_kv.c (before the body), kv_read.c, kv_write.c. */
#ifndef API_KV_INT_H
#define API_KV_INT_H

#include "api/exchange.h"

/* Reads, or writes, x->key: answers it, now or later. */
void api_kv_read(struct exchange *x);
/* Hands x->op.read to the node as the request asks; its `done` and is_scan are set. */
void api_kv_submit_read(struct exchange *x);
/* Whether the record is what If-None-Match, or If-Modified-Since, says that the client has. */
bool api_kv_is_unchanged(const struct exchange *x, const struct store_record *record);
/* Answers a read of x->key with its record, in the form that was asked for: kv_value.c. */
void api_kv_respond_record(struct exchange *x, const struct store_record *record);
void api_kv_write(struct exchange *x);

/* What to tell a person whose write got `e`. */
const char *api_kv_explain_write(const struct exchange *x, err e);
/* What the time of x->op.write went into, for whoever asks. Before any answer: a refusal took its
 * time, too. */
void api_kv_add_write_times(struct exchange *x);
/* What to tell a person whose read got `e`. */
const char *api_kv_explain_read(const struct exchange *x, err e);
/*
 * A client that takes no answers must not fill the memory with them. False: one with `size` bytes
 * of content has no room, and x is answered.
 */
bool api_kv_is_reply_admitted(struct exchange *x, uint64_t size);
/* The same, for what no exchange is left of. */
const char *api_kv_explain_refusal(const struct node *node, err e);
/* Sets what a write is refused with, as a whole: that is, not because of a condition. */
void api_kv_set_refusal(const struct node *node, const struct command_result *result,
                        struct problem *problem);
/* `done` of x->op.write: answers. */
void api_kv_write_done(struct node_write *write, const struct command_result *result);

/* What to tell a person whose request got ERR_DIVERGED. */
extern const char api_kv_explain_divergence[];

/* Visible ASCII, spaces and tabs: what a header field can carry back. */
bool api_kv_is_field_text(struct slice text);

/* ---- header fields of the answer ---- */

struct kv_record_fields {
    uint64_t create_revision;
    uint64_t mod_revision;
    uint64_t version;
    uint64_t modified_ms;
    uint64_t ttl_ms; /* that is left; 0: it has no end */
    uint64_t lease;  /* 0: it is on none */
    bool is_coded;   /* the body is: it has a tag of its own */
};

/* Those of a record that was read: its time by this node's clock of the state. */
struct kv_record_fields api_kv_fields_of(const struct exchange *x,
                                         const struct store_record *record);

/* What describes the record that is now there. */
void api_kv_add_record_fields(struct exchange *x, const struct kv_record_fields *record);

/* What every answer under /kv says: nobody may take a stored value for a page of this origin. */
void api_kv_add_common_fields(struct exchange *x);

#endif
