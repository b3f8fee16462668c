#include "lincheck/generate.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"

#define PACE 10u           /* between the instants at which two operations happen */
#define LATENESS_FACTOR 20 /* how much later than others an unknown one happens */

struct stored {
    uint64_t value;
    uint64_t mod_revision;
};

struct generator {
    const struct lincheck_load *load;
    struct prng prng;
    struct stored *keys;
    uint64_t *free_at; /* of each client: it can invoke from then on */
    uint64_t now;
    uint64_t revision;
    uint64_t jitter;
    uint64_t next_value;
    uint64_t next_client; /* who asks once and is never answered */
};

/* A client that is free; if need be, time passes until one is. */
static unsigned free_client(struct generator *generator)
{
    unsigned count = generator->load->client_count;
    unsigned first = (unsigned)prng_below(&generator->prng, count);
    unsigned earliest = first;
    for (unsigned i = 0; i < count; i++) {
        unsigned client = (first + i) % count;
        if (generator->free_at[client] < generator->now) {
            return client;
        }
        if (generator->free_at[client] < generator->free_at[earliest]) {
            earliest = client;
        }
    }
    generator->now = generator->free_at[earliest] + 1;
    return earliest;
}

static void choose_deed(struct generator *generator, struct lincheck_op *op)
{
    uint64_t die = prng_below(&generator->prng, 10);
    op->kind = die < 5 ? LINCHECK_GET : die < 9 ? LINCHECK_PUT : LINCHECK_DELETE;
    op->key = prng_below(&generator->prng, generator->load->key_count);
    if (op->kind != LINCHECK_GET) {
        op->request_id = ++generator->next_value;
        op->value = op->kind == LINCHECK_PUT ? op->request_id : 0;
    }
}

/* What the store does and answers. */
static void happen(struct generator *generator, struct lincheck_op *op)
{
    struct stored *stored = &generator->keys[op->key];
    bool exists = stored->value != 0;
    if (op->kind == LINCHECK_GET) {
        op->value = stored->value;
        op->mod_revision = exists ? stored->mod_revision : 0;
    } else {
        op->existed = exists ? LINCHECK_EXISTED_YES : LINCHECK_EXISTED_NO;
        if (op->kind == LINCHECK_PUT || exists) {
            generator->revision++;
            *stored = (struct stored){.value = op->value, .mod_revision = generator->revision};
        }
    }
    op->revision = generator->revision;
}

/* Nobody hears of it. */
static void forget_answer(struct generator *generator, struct lincheck_op *op)
{
    uint64_t lateness = prng_below(&generator->prng, LATENESS_FACTOR * generator->jitter);
    op->client = generator->next_client++;
    op->outcome = LINCHECK_UNKNOWN;
    op->invoked = generator->now > lateness ? generator->now - lateness : 0;
    op->returned = LINCHECK_NEVER;
    op->revision = LINCHECK_REVISION_UNKNOWN;
    op->existed = LINCHECK_EXISTED_UNKNOWN;
    op->mod_revision = 0;
    op->value = op->kind == LINCHECK_GET ? 0 : op->value;
}

static void set_times(struct generator *generator, struct lincheck_op *op)
{
    unsigned client = free_client(generator);
    uint64_t *free_at = &generator->free_at[client];
    uint64_t before = prng_below(&generator->prng, generator->jitter);
    op->client = client + 1;
    op->invoked = generator->now > before + *free_at ? generator->now - before : *free_at;
    op->returned = generator->now + prng_below(&generator->prng, generator->jitter);
    *free_at = op->returned + 1;
}

static void add_op(struct generator *generator, struct lincheck_history *history)
{
    struct lincheck_op op = {.revision = LINCHECK_REVISION_UNKNOWN};
    generator->now += PACE;
    set_times(generator, &op);
    choose_deed(generator, &op);
    bool is_unknown = prng_below(&generator->prng, 1000) < generator->load->unknown_per_mille;
    bool happens = !is_unknown || prng_below(&generator->prng, 2) == 0;
    if (happens) {
        happen(generator, &op);
    }
    if (happens && op.kind != LINCHECK_GET) {
        lincheck_history_add_applied(history, op.request_id, op.revision);
    }
    if (is_unknown) {
        forget_answer(generator, &op);
    }
    (void)lincheck_history_add(history, &op);
}

void lincheck_generate(const struct lincheck_load *load, struct lincheck_history *history)
{
    ASSERT(load->client_count > 0 && load->key_count > 0);
    ASSERT(history->count == 0 && history->applied_count == 0);
    struct generator generator = {
        .load = load,
        .keys = mem_calloc(load->key_count, sizeof(generator.keys[0])),
        .free_at = mem_calloc(load->client_count, sizeof(generator.free_at[0])),
        .jitter = (uint64_t)load->client_count * PACE,
        .next_client = load->client_count + 1,
    };
    prng_init(&generator.prng, load->seed);
    for (size_t i = 0; i < load->op_count; i++) {
        add_op(&generator, history);
    }
    history->is_log_complete = true;
    mem_free(generator.keys);
    mem_free(generator.free_at);
}
