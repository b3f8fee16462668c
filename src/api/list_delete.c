/* DELETE of all keys with a prefix, or of all there are: one command, one revision. */
#include <inttypes.h>

#include "api/list_int.h"
#include "api/timing.h"
#include "base/assert.h"

static void respond(struct exchange *x, uint64_t deleted, uint64_t revision)
{
    struct writer document = {0};
    writer_format(&document, "{\"deleted\":%" PRIu64 ",\"revision\":%" PRIu64 "}\n", deleted,
                  revision);
    api_exchange_field_u64(x, "KV-Deleted", deleted);
    api_exchange_field_text(x, "Content-Type", "application/json");
    api_kv_add_common_fields(x);
    api_exchange_respond(x, 200, NULL, writer_slice(&document));
    writer_deinit(&document);
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    api_kv_add_write_times(x);
    api_exchange_take_revision(x, result);
    if (result->e != OK) {
        api_exchange_refuse(x, result->e, api_kv_explain_write(x, result->e));
        return;
    }
    struct reader results = reader_of(result->results);
    struct txn_result op;
    err e = txn_result_decode(&results, &op);
    ASSERT(e == OK); /* it was checked when it came */
    respond(x, op.number, result->revision);
}

void api_list_delete(struct exchange *x)
{
    const struct api_options *options = &x->api->options;
    const struct list_params params = *x->op.list; /* op is the write's from here on */
    struct list_walk walk;
    struct txn_builder builder = {0};
    api_list_walk_init(&walk, &params);
    struct store_range range = api_list_walk_options(&walk, 0).range;
    const struct txn_op op = {.type = TXN_DELETE_RANGE, .key = range.begin, .end = range.end};
    txn_add_op(&builder, &op, false);
    struct txn txn = txn_builder_result(&builder);
    /* The first key that there can be, where none is said: for the route. */
    struct slice key = range.begin.size > 0 ? range.begin : SLICE_LITERAL("\0");
    const struct command command = {.type = COMMAND_TXN, .key = key, .txn = &txn};
    x->op.write = (struct node_write){
        .command = command_encode(&command),
        .deadline_ms = env_now_ms(options->env) + params.timeout_ms,
        .received_ns = http_started_ns(x->request),
        .done = write_done,
    };
    txn_builder_deinit(&builder);
    node_write(x->api->node, key, &x->op.write);
}
