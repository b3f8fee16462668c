#include "api/kv_wait.h"

#include "api/kv_int.h"
#include "api/linger.h"
#include "base/assert.h"
#include "node/scan_past.h"
#include "node/watches.h"

struct kv_wait {
    struct exchange *x;
    uint64_t deadline_ms; /* env_now_ms; 0: it has not begun to wait */
    bool is_reading;      /* the node answers: nothing else may */
    bool is_last;         /* whatever is read next is the answer */
    struct watch watch;
    struct lingerer linger;
    struct env_timer timer; /* the deadline, or at once */
};

static struct env *env_of(const struct kv_wait *wait)
{
    return wait->x->api->options.env;
}

/* ---- what is waited for ---- */

err api_kv_wait_prepare(struct exchange *x, struct problem *problem)
{
    const struct kv_params *params = &x->params;
    bool has_tag = http_header(x->request, "if-none-match").data != NULL;
    bool is_preferred = x->prefer.has_wait && has_tag;
    if (LIKELY(!params->has_wait && !params->has_index && !is_preferred)) {
        return OK;
    }
    if (params->at != 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the past does not change: at goes without wait and index");
    }
    if (params->has_wait && !params->has_index && !has_tag) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "wait needs to know what you have already: its revision as ?index, "
                               "or its ETag in If-None-Match");
    }
    x->wait = http_alloc(x->request, sizeof(*x->wait));
    *x->wait = (struct kv_wait){.x = x};
    x->is_patient = true;
    return OK;
}

static uint64_t patience_ms(const struct exchange *x)
{
    if (x->params.has_wait) {
        return x->params.wait_ms;
    }
    return x->prefer.has_wait ? x->prefer.wait_ms : KV_WAIT_MS_DEFAULT;
}

/* Whether a key that is not there now was changed after the revision, as far as is known here. */
static bool was_changed_since(const struct exchange *x, uint64_t revision)
{
    const struct history *history = node_history(x->api->node);
    uint8_t end[STORE_BOUND_SIZE_MAX];
    if (revision >= history_newest(history)) {
        return false;
    }
    return !history_covers(history, revision) ||
           scan_past_has_any(history, revision, store_range_of_key(x->key, end));
}

static bool is_as_known(const struct exchange *x, err e, const struct store_record *record)
{
    if (!x->params.has_index) {
        return e == OK && api_kv_is_unchanged(x, record);
    }
    return e == OK ? record->mod_revision <= x->params.index
                   : !was_changed_since(x, x->params.index);
}

/* ---- waiting ---- */

static void settle(struct kv_wait *wait)
{
    struct exchange *x = wait->x;
    x->wait = NULL;
    if (wait->deadline_ms != 0) {
        env_timer_deinit(&wait->timer);
        watch_close(&wait->watch);
        api_linger_stop(x->api, &wait->linger);
    }
}

/* Not from within whoever noticed: another request may be answered by then. */
static void read_soon(struct kv_wait *wait)
{
    if (!wait->is_reading) {
        env_timer_start(&wait->timer, 0, 0);
    }
}

static void due(struct env_timer *timer)
{
    struct kv_wait *wait = CONTAINER_OF(timer, struct kv_wait, timer);
    ASSERT(!wait->is_reading);
    wait->is_last = wait->is_last || env_now_ms(env_of(wait)) >= wait->deadline_ms;
    wait->is_reading = true;
    wait->x->op.read = (struct node_read){.deadline_ms = 0};
    api_kv_read(wait->x);
}

static uint64_t ready(struct watch *watch)
{
    struct kv_wait *wait = CONTAINER_OF(watch, struct kv_wait, watch);
    uint64_t number;
    if (watch_ended(watch) != OK) {
        wait->is_last = true;
        read_soon(wait);
        return 0;
    }
    switch (watch_find(watch, watch->position, &number)) {
    case WATCH_NOTHING:
        watch_rest(watch);
        break;
    case WATCH_LATER:
        watch->position = number;
        watch_again(watch);
        break;
    case WATCH_FOUND:
    case WATCH_GONE:
        read_soon(wait);
        break;
    }
    return 0;
}

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct kv_wait *wait = CONTAINER_OF(linger, struct kv_wait, linger);
    struct exchange *x = wait->x;
    if (wait->is_reading) {
        return;
    }
    if (reason == LINGER_END || http_is_abandoned(x->request)) {
        settle(wait);
        api_exchange_refuse(x, ERR_DRAINING, node_explain_draining(x->api->node));
    } else if (reason == LINGER_DRAIN) {
        wait->is_last = true;
        read_soon(wait);
    }
}

static bool begin(struct kv_wait *wait, struct problem *problem)
{
    struct exchange *x = wait->x;
    if (api_watch_check_room(x->api, problem) != OK) {
        return false;
    }
    wait->linger.visit = visit;
    if (api_linger_start(x->api, &wait->linger) != OK) {
        err e = api_problem_set(problem, ERR_OVERLOADED,
                                "as many streams and waiting requests are open as may be: ask "
                                "another node");
        ASSERT(e == ERR_OVERLOADED);
        return false;
    }
    wait->deadline_ms = env_now_ms(env_of(wait)) + patience_ms(x);
    wait->watch = (struct watch){.pattern = x->key, .ready = ready};
    watch_open(node_watches(x->api->node), &wait->watch,
               history_end(node_history(x->api->node))); /* L2 */
    env_timer_init(env_of(wait), &wait->timer, due);
    return true;
}

bool api_kv_wait_holds(struct exchange *x, err e, const struct store_record *record)
{
    struct kv_wait *wait = x->wait;
    bool is_read = e == OK || e == ERR_NOT_FOUND;
    bool is_ended = wait->deadline_ms != 0 && watch_ended(&wait->watch) != OK;
    wait->is_reading = false;
    if (!is_read || is_ended || wait->is_last || !is_as_known(x, e, record)) {
        settle(wait);
        return false;
    }
    if (wait->deadline_ms == 0) {
        struct problem problem = {.e = OK};
        if (!begin(wait, &problem)) {
            settle(wait);
            api_exchange_respond_problem(x, &problem);
            return true;
        }
    } else {
        watch_rest(&wait->watch);
    }
    uint64_t now_ms = env_now_ms(env_of(wait));
    env_timer_start(&wait->timer, wait->deadline_ms > now_ms ? wait->deadline_ms - now_ms : 0, 0);
    return true;
}
