/*
 * /admin/drain: this node out of service, for a while or before its end (node/drain.h), and back.
 * It concerns the node that is asked, and no other; both may be asked again.
 */
#include "api/document.h"
#include "api/exchange.h"
#include "base/assert.h"

static void respond(struct exchange *x)
{
    struct node_status status;
    node_status(x->api->node, &status);
    struct json_object *document = json_object_new_object();
    api_document_add_u64(document, "node_id", status.id);
    api_document_add_bool(document, "is_draining", status.is_draining);
    api_document_add_u64(document, "leader_id", status.leader);
    api_exchange_respond_json(x, 200, document, true);
}

static void done(struct node_drain *drain, err e)
{
    struct exchange *x = CONTAINER_OF(drain, struct exchange, op.drain);
    if (e == OK) {
        respond(x);
    } else if (e == ERR_CONFLICT) {
        api_exchange_refuse(x, e, "DELETE /admin/drain undid it meanwhile");
    } else {
        api_exchange_refuse(x, e, "this node has ended meanwhile");
    }
}

void api_drain_answer(struct exchange *x)
{
    if (x->method == HTTP_METHOD_POST) {
        x->op.drain = (struct node_drain){.done = done};
        node_drain(x->api->node, &x->op.drain);
        return;
    }
    ASSERT(x->method == HTTP_METHOD_DELETE);
    err e = node_undrain(x->api->node);
    if (e == OK) {
        respond(x);
    } else {
        api_exchange_refuse(x, e, "this node is about to end: start it again");
    }
}
