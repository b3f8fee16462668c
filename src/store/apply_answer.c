/*
 * Idempotency keys: what a command was answered, remembered under its key, so that the same request
 * gets the same answer and is not carried out again. How long, and how many, the leader says with
 * each command: so it is the same for every replica.
 */
#include "base/assert.h"
#include "store/apply_int.h"

#define FORGOTTEN_PER_COMMAND 2u /* where there are too many: their number falls, slowly */

/* What could have another outcome a moment later, though nothing was changed, is not an answer. */
static bool is_final(err e)
{
    return e != ERR_QUOTA && e != ERR_TOO_LARGE && e != ERR_LOCKED;
}

bool apply_answer_find(struct txn_run *run, struct command_result *out_result)
{
    struct system_key key;
    struct store_record record;
    struct system_answer answer;
    (void)system_key_idempotency(&key, run->txn.idempotency_key);
    if (!stage_find(&run->stage, STORE_SPACE_SYSTEM, system_key_slice(&key), true, &record)) {
        return false;
    }
    if (!system_answer_decode(record.value, &answer)) {
        apply_end_inconsistent(run, "an idempotency key's answer");
    }
    if (!hash128_equal(answer.fingerprint, run->txn.fingerprint)) {
        *out_result = (struct command_result){.e = ERR_IDEMPOTENCY_MISMATCH,
                                              .revision = run->region->revision};
        return true;
    }
    writer_bytes(run->results, answer.result); /* the record may go before the result is read */
    struct reader in = reader_of(writer_slice(run->results));
    if (command_result_decode(&in, out_result) != OK || reader_finish(&in) != OK) {
        apply_end_inconsistent(run, "an idempotency key's answer");
    }
    out_result->is_replayed = true;
    return true;
}

void apply_answer_forget(struct txn_run *run, struct slice age_key)
{
    struct system_key key;
    struct slice name = {age_key.data + 9, age_key.size - 9};
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, system_key_idempotency(&key, name));
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, age_key);
    ASSERT(run->idempotency_keys > 0);
    run->idempotency_keys--;
}

static void forget_oldest(struct txn_run *run)
{
    struct system_key age;
    if (!apply_first_age(run, &age)) {
        apply_end_inconsistent(run, "the oldest idempotency key");
    }
    apply_answer_forget(run, system_key_slice(&age));
}

void apply_answer_remember(struct txn_run *run, const struct command_result *result)
{
    const struct command_clock *clock = &run->command->clock;
    struct system_key key;
    if (!is_final(result->e) || clock->idempotency_count == 0) {
        return;
    }
    for (unsigned i = 0;
         i < FORGOTTEN_PER_COMMAND && run->idempotency_keys >= clock->idempotency_count; i++) {
        forget_oldest(run);
    }
    struct writer encoded = {0};
    command_result_encode(result, &encoded);
    const struct system_answer answer = {
        .fingerprint = run->txn.fingerprint,
        .due_ms = run->region->elapsed_ms + clock->idempotency_age_ms,
        .result = writer_slice(&encoded),
    };
    system_answer_encode(&answer, &run->scratch);
    writer_deinit(&encoded);
    apply_put_system(run, system_key_idempotency(&key, run->txn.idempotency_key));
    apply_put_system(run, system_key_age(&key, answer.due_ms, run->txn.idempotency_key));
    run->idempotency_keys++;
}
