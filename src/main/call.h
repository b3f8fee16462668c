/*
 * What the commands share that ask nodes about keys, locks and leases: from the command line to a
 * request, and its outcome.
 */
#ifndef MAIN_CALL_H
#define MAIN_CALL_H

#include <json-c/json_object.h>

#include "main/client.h"
#include "main/draft.h"

struct call {
    const char *name; /* of the command */
    const struct command_form *form;
    struct env *env;
    void *settings; /* of the command's own flags; NULL if it has none */
    struct client_settings client_settings;
    struct flag_words words;
    char *const *program; /* what stands behind "--", if the command takes that; NULL: nothing */
    struct client *client;
    struct draft draft;
    struct writer body;
    const char *body_file; /* as client_request has it */
    struct err_note *note;
};

/* How many words a command takes, and what it does with them. */
struct call_rules {
    size_t words_min;
    size_t words_max;
    enum exit_status (*run)(struct call *call);
};

/*
 * Parses the arguments by `form` (whose own flags go into `settings`, which has the defaults),
 * opens a client and calls run(). Says what went wrong, also when standard output would not take
 * what was printed. Returns what the process ends with.
 */
enum exit_status main_call(struct call *call, const struct call_rules *rules, int count,
                           char *const *arguments);

/* Sends the draft, with `body` if `has_body`: within --timeout, over all nodes. As
 * main_client_ask. */
enum exit_status main_call_send(struct call *call, const char *method, bool has_body);
/* Likewise, and the node may take `wait_ms` more. */
enum exit_status main_call_send_wait(struct call *call, const char *method, bool has_body,
                                     uint64_t wait_ms);
/* Ends the draft before, if there is one, and begins another. */
void main_call_draft(struct call *call, const char *path);
/* "/kv/" and the key. EXIT_USAGE, with a note: it is empty. */
enum exit_status main_call_draft_key(struct call *call, const char *key);

/* Sets the note to how the command is called. EXIT_USAGE. */
enum exit_status main_call_usage(const struct call *call);
bool main_call_wants_json(const struct call *call);
/* On standard output, and a line's end where it has none. */
void main_call_print_text(struct slice text);
void main_call_print_answer(const struct call *call); /* likewise, the last answer's body */
/* What came of a change to the key in the first word: the answer, or with -o json that as "result"
 * among what is known of the key. */
void main_call_print_change(const struct call *call);
/* Prints `document` as one line, and puts it. */
void main_call_print_json(struct json_object *document);

#endif
