/* The model of transactions against the store's applying, and against answers that are wrong. */
#include "sim/txn_model.h"
#include "sim_testing.h"

/* For what is static. */
#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static struct txn_model *new_model(void)
{
    const struct txn_model_options options = {.clock_ppm_max = 1000};
    return txn_model_new(&options);
}

/* What a transaction says, how it was answered, and when. */
struct step {
    const struct txn_op *op;
    const struct txn_check *check; /* NULL: none */
    size_t more;                   /* checks behind that one */
    const struct txn_op *other;    /* if the check fails; likewise */
    const char *idempotency_key;   /* likewise */
    uint64_t number;               /* of the operation; 0: the node's own */
    struct txn_result answer;
    struct command_result result;
    uint64_t elapsed_ms;
    uint64_t now_ns;
};

/* What an operation's result tells of its key if that is put. */
struct telling {
    const struct txn_op *op;
    struct txn_result *answer;
};

static void tell_version(void *ctx, const struct txn_model_key *key)
{
    struct telling *telling = ctx;
    if (slice_equal(key->key, telling->op->key)) {
        telling->answer->create_revision = key->create_revision;
        telling->answer->version =
            key->version + (key->mod_revision < telling->answer->mod_revision ? 1 : 0);
    }
}

static void tell(const struct txn_model *model, const struct txn_op *op, uint64_t revision,
                 struct txn_result *answer)
{
    bool is_put = op->type == TXN_PUT || op->type == TXN_ADD || op->type == TXN_APPEND;
    if (is_put && answer->mod_revision == 0) {
        struct telling telling = {op, answer};
        answer->version = 1;
        answer->create_revision = answer->mod_revision = revision;
        answer->ttl_ms = op->ttl_ms;
        txn_model_each(model, tell_version, &telling);
    }
}

static const char *takes(struct txn_model *model, const struct step *step)
{
    struct txn_builder builder = {0};
    struct writer results = {0};
    struct txn_result answer = step->answer;
    txn_add_op(&builder, step->op, false);
    if (step->other != NULL) {
        txn_add_op(&builder, step->other, true);
    }
    const struct txn_op *done =
        step->result.has_failed && step->other != NULL ? step->other : step->op;
    answer.type = done->type;
    tell(model, done, step->result.revision, &answer);
    for (size_t i = 0; step->check != NULL && i <= step->more; i++) {
        txn_add_check(&builder, &step->check[i]);
    }
    struct txn txn = txn_builder_result(&builder);
    txn.idempotency_key =
        step->idempotency_key != NULL ? slice_from_text(step->idempotency_key) : SLICE_EMPTY;
    txn.fingerprint = step->number != 0 ? txn_model_mark(step->number) : (struct hash128){0};
    struct command command = {
        .type = COMMAND_TXN,
        .key = SLICE_LITERAL("k"),
        .clock = {.elapsed_ms = step->elapsed_ms,
                  .idempotency_age_ms = 1000000,
                  .idempotency_count = 2},
        .txn = &txn,
    };
    struct buf *encoded = command_encode(&command);
    assert_int_equal(command_decode(buf_slice(encoded), &command), OK);
    struct command_result result = step->result;
    if (result.e == OK) {
        txn_result_encode(&answer, &results);
        result.results = writer_slice(&results);
    }
    const struct txn_model_entry entry = {
        .command = &command, .result = &result, .now_ns = step->now_ns};
    const char *complaint = txn_model_apply(model, &entry);
    buf_unref(encoded);
    writer_deinit(&results);
    txn_builder_deinit(&builder);
    return complaint;
}

static void assert_complains(const char *complaint, const char *text)
{
    assert_non_null(complaint);
    if (strstr(complaint, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, complaint);
    }
}

static const struct txn_op add_two = {.type = TXN_ADD, .key = NAME("n"), .number = 2};

static struct step adds(struct txn_model *model, uint64_t sum, uint64_t revision)
{
    return (struct step){
        .op = &add_two,
        .idempotency_key = "i",
        .number = txn_model_number(model, 0),
        .answer = {.number = sum, .existed = sum > 2},
        .result = {.revision = revision},
    };
}

static void an_operation_is_carried_out_once(void **state)
{
    (void)state;
    struct txn_model *model = new_model();
    struct step step = adds(model, 2, 1);
    assert_null(takes(model, &step));
    struct step again = step;
    again.result.is_replayed = true;
    assert_null(takes(model, &again));
    again.answer.number = 4;
    assert_complains(takes(model, &again), "answered otherwise when it is asked again");
    step.answer = (struct txn_result){.number = 4, .existed = true};
    step.result.revision = 2;
    assert_complains(takes(model, &step), "is carried out twice");
    txn_model_free(model);
}

static void what_is_forgotten_may_be_carried_out_again(void **state)
{
    (void)state;
    struct txn_model *model = new_model();
    struct step first = adds(model, 2, 1);
    struct step second = adds(model, 4, 2);
    struct step third = adds(model, 6, 3);
    second.idempotency_key = "j";
    third.idempotency_key = "k";
    assert_null(takes(model, &first));
    assert_null(takes(model, &second));
    assert_null(takes(model, &third)); /* two are remembered */
    first.answer = (struct txn_result){.number = 8, .existed = true};
    first.result.revision = 4;
    assert_null(takes(model, &first));
    txn_model_free(model);
}

static void a_wrong_sum_and_a_wrong_revision_are_found(void **state)
{
    (void)state;
    struct txn_model *model = new_model();
    struct step step = adds(model, 3, 1);
    step.answer.existed = false;
    assert_complains(takes(model, &step), "a sum is 3 and has to be 2");
    txn_model_free(model);
    model = new_model();
    step = adds(model, 2, 2);
    step.answer.mod_revision = step.answer.create_revision = step.answer.version = 1;
    assert_complains(takes(model, &step), "a revision is 2 and has to be 1");
    txn_model_free(model);
}

/* Ends 1,000 ms after it was put, by a clock that may be one per mille faster than the world's. */
static const char *ends_after(uint64_t us)
{
    static const struct txn_op put = {.type = TXN_PUT, .key = NAME("k"), .ttl_ms = 1000};
    static const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    static char complaint[256];
    struct txn_model *model = new_model();
    const struct step puts = {
        .op = &put, .number = txn_model_number(model, 7), .result = {.revision = 1}, .now_ns = 9};
    assert_null(takes(model, &puts));
    assert_int_equal(txn_model_timed(model), 1);
    const struct step ends = {
        .op = &expire,
        .answer = {.number = 1},
        .result = {.revision = 2},
        .elapsed_ms = 1000,
        .now_ns = 7 + us * 1000,
    };
    const char *found = takes(model, &ends);
    (void)snprintf(complaint, sizeof(complaint), "%s", found != NULL ? found : "");
    assert_int_equal(txn_model_timed(model), 0);
    txn_model_free(model);
    return found != NULL ? complaint : NULL;
}

static void what_ends_early_is_found(void **state)
{
    (void)state;
    assert_null(ends_after(1000000));
    assert_null(ends_after(999000)); /* by the fastest clock */
    assert_complains(ends_after(990000), "early: a key with a TTL of 1000 ms");
}

static void what_has_no_time_does_not_end(void **state)
{
    (void)state;
    static const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    struct txn_model *model = new_model();
    const struct step step = {.op = &expire, .answer = {.number = 1}, .result = {.revision = 1}};
    assert_complains(takes(model, &step), "what has expired is 1 and has to be 0");
    txn_model_free(model);
}

static void a_token_that_holds_nothing_is_found(void **state)
{
    (void)state;
    static const struct txn_op lock = {.type = TXN_LOCK, .key = NAME("lx"), .number = 1};
    static const struct txn_op put = {.type = TXN_PUT, .key = NAME("k")};
    static const struct txn_check fence = {
        .target = TXN_FENCE, .relation = TXN_EQUAL, .key = NAME("lx"), .number = 1};
    struct txn_model *model = new_model();
    struct step writes = {.op = &put, .check = &fence, .result = {.revision = 1}};
    assert_complains(takes(model, &writes), "the check that fails is 0");
    txn_model_free(model);
    model = new_model();
    struct step locks = {
        .op = &lock, .answer = {.number = 1, .is_held = true}, .result = {.revision = 1}};
    assert_null(takes(model, &locks));
    writes.result.revision = 2;
    assert_null(takes(model, &writes));
    locks.answer.number = 3; /* a second holder of a lock that allows one */
    locks.result.revision = 3;
    assert_complains(takes(model, &locks), "whether a lock is held is 1 and has to be 0");
    txn_model_free(model);
}

static void who_leads_is_known_of_each_revision(void **state)
{
    (void)state;
    static const struct txn_op stand = {.type = TXN_LOCK, .key = NAME("e2"), .number = 1};
    static const struct txn_op wait = {
        .type = TXN_LOCK, .key = NAME("e2"), .number = 1, .wait_ms = 9};
    static const struct txn_op say = {
        .type = TXN_LOCK_RENEW, .key = NAME("e2"), .number = 3, .value = NAME("me")};
    static const struct txn_op resign = {.type = TXN_UNLOCK, .key = NAME("e2"), .number = 1};
    static const struct txn_op lock = {.type = TXN_LOCK, .key = NAME("l0"), .number = 1};
    struct txn_model *model = new_model();
    struct step step = {.op = &stand, .answer = {.number = 1, .is_held = true}};
    step.result.revision = 1;
    assert_null(takes(model, &step));
    step.op = &wait;
    step.answer = (struct txn_result){.number = 2};
    assert_null(takes(model, &step));
    step.op = &resign; /* who waits leads, in the same revision */
    step.answer = (struct txn_result){.existed = true};
    step.result.revision = 2;
    assert_null(takes(model, &step));
    step.op = &lock;
    step.answer = (struct txn_result){.number = 4, .is_held = true};
    step.result.revision = 3;
    assert_null(takes(model, &step));
    step.op = &say; /* the same leader, something else */
    step.answer = (struct txn_result){.number = 3, .existed = true, .is_held = true};
    step.result.revision = 4;
    assert_null(takes(model, &step));
    assert_int_equal(txn_model_lead_at(model, 0).token, 0);
    assert_int_equal(txn_model_lead_at(model, 1).token, 1);
    assert_int_equal(txn_model_lead_at(model, 2).token, 3);
    assert_int_equal(txn_model_lead_at(model, 3).said, txn_model_said(SLICE_EMPTY));
    assert_int_equal(txn_model_lead_at(model, UINT64_MAX).token, 3);
    assert_int_equal(txn_model_lead_at(model, UINT64_MAX).said,
                     txn_model_said(SLICE_LITERAL("me")));
    txn_model_free(model);
}

static void a_range_goes_from_its_first_key_to_before_its_end(void **state)
{
    (void)state;
    static const struct txn_op puts[] = {{.type = TXN_PUT, .key = NAME("a")},
                                         {.type = TXN_PUT, .key = NAME("b")},
                                         {.type = TXN_PUT, .key = NAME("c")}};
    static const struct txn_op bounded = {
        .type = TXN_DELETE_RANGE, .key = NAME("a"), .end = NAME("c")};
    static const struct txn_op open = {.type = TXN_DELETE_RANGE, .key = NAME("b")};
    struct txn_model *model = new_model();
    struct step step = {.result = {.revision = 0}};
    for (size_t i = 0; i < ARRAY_COUNT(puts); i++) {
        step.op = &puts[i];
        step.result.revision++;
        assert_null(takes(model, &step));
    }
    step = (struct step){
        .op = &bounded, .answer = {.number = 2, .existed = true}, .result = {.revision = 4}};
    assert_null(takes(model, &step));
    step.op = &open; /* one is left, at what was the end */
    step.result.revision = 5;
    assert_complains(takes(model, &step), "keys of a range that went is 2 and has to be 1");
    step.answer = (struct txn_result){0};
    assert_null(takes(model, &step)); /* nothing goes: no revision */
    txn_model_free(model);
}

/* Of a key that is put twice and goes. */
static void what_was_and_what_is_are_told_where_they_are_asked_for(void **state)
{
    (void)state;
    struct txn_op op = {.type = TXN_PUT, .key = NAME("k"), .value = NAME("1"), .ttl_ms = 50};
    struct txn_model *model = new_model();
    struct step step = {.op = &op, .result = {.revision = 1}};
    op.flags = TXN_RETURN_OLD; /* nothing was there */
    assert_null(takes(model, &step));
    op.value = SLICE_LITERAL("2");
    op.ttl_ms = 0;
    op.flags = TXN_RETURN_OLD | TXN_RETURN_NEW;
    step.answer = (struct txn_result){.existed = true, .has_record = true};
    step.answer.value = SLICE_LITERAL("1");
    step.result.revision = 2;
    assert_null(takes(model, &step));
    op.flags = TXN_RETURN_NEW;
    step.result.revision = 3;
    assert_complains(takes(model, &step), "a value is told that is not the key's");
    op = (struct txn_op){.type = TXN_GET, .key = SLICE_LITERAL("k")};
    step.answer.value = SLICE_LITERAL("2");
    step.answer.create_revision = 1;
    step.answer.mod_revision = 3;
    step.answer.version = 4;
    assert_complains(takes(model, &step), "a version told is 4 and has to be 3");
    op.type = TXN_DELETE;
    step.answer.version = 3;
    step.result.revision = 4;
    assert_complains(takes(model, &step), "a revision told is 3 and has to be 0");
    txn_model_free(model);
}

static void a_refusal_needs_a_reason(void **state)
{
    (void)state;
    static const struct txn_check absent = {
        .target = TXN_MOD_REVISION, .relation = TXN_EQUAL, .key = NAME("n")};
    struct txn_model *model = new_model();
    struct step step = adds(model, 2, 0);
    step.check = &absent;
    step.result = (struct command_result){.e = ERR_PRECONDITION_FAILED, .has_failed = true};
    assert_complains(takes(model, &step), "a check fails, and all hold");
    txn_model_free(model);
    model = new_model();
    step = adds(model, 2, 0);
    step.result = (struct command_result){.e = ERR_LOCKED};
    assert_complains(takes(model, &step), "ERR_LOCKED is answered without a reason");
    txn_model_free(model);
}

static void what_is_done_is_the_branch_of_the_check(void **state)
{
    (void)state;
    static const struct txn_check absent = {
        .target = TXN_MOD_REVISION, .relation = TXN_EQUAL, .key = NAME("n")};
    static const struct txn_op put = {.type = TXN_PUT, .key = NAME("k")};
    struct txn_model *model = new_model();
    struct step step = {.op = &put, .other = &add_two, .check = &absent, .result = {.revision = 1}};
    assert_null(takes(model, &step)); /* n is not there, and stays away */
    step.answer.existed = true;
    step.result = (struct command_result){.revision = 2, .has_failed = true};
    assert_complains(takes(model, &step), "whether a check fails is 1 and has to be 0");
    txn_model_free(model);
    model = new_model();
    step = (struct step){.op = &add_two, .answer = {.number = 2}, .result = {.revision = 1}};
    assert_null(takes(model, &step));
    step = (struct step){
        .op = &put, .other = &add_two, .check = &absent, .answer = {.number = 4, .existed = true}};
    step.result = (struct command_result){.revision = 2, .has_failed = true};
    assert_null(takes(model, &step));
    step.answer = (struct txn_result){0}; /* k is put, as if the check held */
    step.result = (struct command_result){.revision = 3};
    assert_complains(takes(model, &step), "whether a check fails is 0 and has to be 1");
    step.result = (struct command_result){.e = ERR_PRECONDITION_FAILED, .has_failed = true};
    assert_complains(takes(model, &step), "ERR_PRECONDITION_FAILED is answered without a reason");
    txn_model_free(model);
}

/* "n is there, or k is not; and n is not there": what fails is the second one. */
static void of_those_that_an_or_joins_one_is_enough(void **state)
{
    (void)state;
    static const struct txn_check checks[] = {
        {.target = TXN_MOD_REVISION, .relation = TXN_GREATER, .key = NAME("n")},
        {.target = TXN_MOD_REVISION,
         .relation = TXN_LESS_OR_EQUAL,
         .key = NAME("k"),
         .is_or = true},
        {.target = TXN_MOD_REVISION, .relation = TXN_EQUAL, .key = NAME("n")},
    };
    static const struct txn_op put = {.type = TXN_PUT, .key = NAME("k")};
    struct txn_model *model = new_model();
    struct step step = {.op = &add_two, .check = checks, .more = 2};
    step.result = (struct command_result){.e = ERR_PRECONDITION_FAILED, .has_failed = true};
    assert_complains(takes(model, &step), "a check fails, and all hold");
    step.answer.number = 2;
    step.result = (struct command_result){.revision = 1};
    assert_null(takes(model, &step));
    step.op = &put;
    step.answer = (struct txn_result){0};
    step.result.revision = 2;
    assert_complains(takes(model, &step), "the check that fails is 2");
    step.result = (struct command_result){
        .e = ERR_PRECONDITION_FAILED, .has_failed = true, .failed = 2, .revision = 2};
    assert_complains(takes(model, &step), "whether a checked key is there is 0 and has to be 1");
    step.result.existed = true;
    step.result.mod_revision = 1;
    step.result.version = 1;
    assert_null(takes(model, &step));
    step.result.failed = 1;
    assert_complains(takes(model, &step), "the check that fails is 1 and has to be 2");
    step.more = 1; /* n is there: that is enough */
    assert_complains(takes(model, &step), "a check fails, and all hold");
    txn_model_free(model);
}

/* From a on to before c all are at their first version; c is not, and behind it is nothing. */
static void a_check_of_a_range_is_of_each_key_in_it(void **state)
{
    (void)state;
    static const struct txn_op puts[] = {{.type = TXN_PUT, .key = NAME("a")},
                                         {.type = TXN_PUT, .key = NAME("b")},
                                         {.type = TXN_PUT, .key = NAME("c")},
                                         {.type = TXN_PUT, .key = NAME("c")}};
    static const struct txn_check first = {.target = TXN_VERSION,
                                           .relation = TXN_EQUAL,
                                           .key = NAME("a"),
                                           .end = NAME("c"),
                                           .number = 1};
    struct txn_model *model = new_model();
    struct step step = {.result = {.revision = 0}};
    for (size_t i = 0; i < ARRAY_COUNT(puts); i++) {
        step.op = &puts[i];
        step.answer.existed = i == 3;
        step.result.revision++;
        assert_null(takes(model, &step));
    }
    struct txn_check check = first;
    const struct step refused = {
        .op = &puts[0],
        .check = &check,
        .result = {.e = ERR_PRECONDITION_FAILED, .has_failed = true, .revision = 4}};
    assert_complains(takes(model, &refused), "a check fails, and all hold");
    check.end = SLICE_LITERAL("d");
    assert_null(takes(model, &refused));
    check.relation = TXN_LESS;
    check.number = 3;
    assert_complains(takes(model, &refused), "a check fails, and all hold");
    check.target = TXN_VALUE;
    check.value = SLICE_LITERAL("x");
    assert_complains(takes(model, &refused), "a check fails, and all hold");
    check.relation = TXN_GREATER;
    assert_null(takes(model, &refused));
    check.key = SLICE_LITERAL("d");
    check.end = SLICE_LITERAL("e");
    assert_complains(takes(model, &refused), "a check fails, and all hold");
    txn_model_free(model);
}

static void answers_are_those_of_applying(void **state)
{
    (void)state;
    struct txn_model *model = new_model();
    struct step step = adds(model, 2, 1);
    const struct command_result other = {.revision = 1};
    assert_complains(txn_model_answered(model, step.number, &other), "applied nowhere");
    assert_null(takes(model, &step));
    assert_complains(txn_model_answered(model, step.number, &other),
                     "answered otherwise than it was applied");
    assert_complains(txn_model_refused(model, step.number), "is refused and was carried out");
    step = adds(model, 4, 2);
    step.idempotency_key = NULL;
    assert_null(txn_model_refused(model, step.number));
    assert_complains(takes(model, &step), "was refused and is carried out");
    txn_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_is_carried_out_once),
        cmocka_unit_test(what_is_forgotten_may_be_carried_out_again),
        cmocka_unit_test(a_wrong_sum_and_a_wrong_revision_are_found),
        cmocka_unit_test(what_ends_early_is_found),
        cmocka_unit_test(what_has_no_time_does_not_end),
        cmocka_unit_test(a_token_that_holds_nothing_is_found),
        cmocka_unit_test(who_leads_is_known_of_each_revision),
        cmocka_unit_test(a_range_goes_from_its_first_key_to_before_its_end),
        cmocka_unit_test(what_was_and_what_is_are_told_where_they_are_asked_for),
        cmocka_unit_test(a_refusal_needs_a_reason),
        cmocka_unit_test(what_is_done_is_the_branch_of_the_check),
        cmocka_unit_test(of_those_that_an_or_joins_one_is_enough),
        cmocka_unit_test(a_check_of_a_range_is_of_each_key_in_it),
        cmocka_unit_test(answers_are_those_of_applying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
