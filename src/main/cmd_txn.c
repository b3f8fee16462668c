/* pontoon txn: several operations at once, under conditions. */
#include "main/call.h"
#include "main/command.h"
#include "main/value.h"

static const char text[] =
    "pontoon txn carries out what a file of JSON says: all of it in one revision, or nothing. It\n"
    "prints the node's answer, a JSON object.\n"
    "\n"
    "  pontoon txn move.json\n"
    "  pontoon txn - <<'END'\n"
    "  {\"if\":   [{\"key\": \"a\", \"etag\": \"41\"}, {\"key\": \"b\", \"exists\": false}],\n"
    "   \"then\": [{\"put\": \"b\", \"value\": \"1\", \"ttl\": \"30s\"}, {\"delete\": \"a\"}],\n"
    "   \"else\": [{\"get\": \"a\"}]}\n"
    "  END\n"
    "\n"
    "Status 4: a condition does not hold, and there is no \"else\"; 6: it may have been done, as "
    "no\n"
    "node could tell any more.\n";

const struct command_form main_form_txn = {
    .synopsis = "FILE|-",
    .text = text,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
    .takes_files = true,
};

static enum exit_status txn(struct call *call)
{
    const char *path = call->words.items[0];
    if (main_value_read_file(path, &call->body, call->note) != OK) {
        return EXIT_FAILED;
    }
    call->body_file = path;
    main_call_draft(call, "/txn");
    main_draft_field(&call->draft, "Content-Type", "application/json");
    main_draft_field_once(&call->draft, call->env);
    enum exit_status status = main_call_send(call, "POST", true);
    if (status == EXIT_OK) {
        main_call_print_answer(call);
    }
    return status;
}

enum exit_status main_cmd_txn(struct env *env, int count, char *const *arguments)
{
    struct call call = {.name = "txn", .form = &main_form_txn, .env = env};
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = txn};
    return main_call(&call, &rules, count, arguments);
}
