#include "store/system.h"

#include <string.h>

#include "base/assert.h"

#define NUMBER_SIZE 8u

_Static_assert(SYSTEM_NAME_OFFSET + KEY_SIZE_MAX <= STORE_SYSTEM_KEY_SIZE_MAX, "'E' of a key fits");
_Static_assert(SYSTEM_NAME_OFFSET + NUMBER_SIZE + 1 + TXN_LOCK_NAME_SIZE_MAX <=
                   STORE_SYSTEM_KEY_SIZE_MAX,
               "'E' of a waiter and 'K' of a holder fit");
_Static_assert(1 + NUMBER_SIZE + TXN_IDEMPOTENCY_KEY_SIZE_MAX <= STORE_SYSTEM_KEY_SIZE_MAX,
               "'A' fits");

/* ---- keys ---- */

static void begin(struct system_key *key, char what)
{
    key->bytes[0] = (uint8_t)what;
    key->size = 1;
}

static void add_bytes(struct system_key *key, struct slice bytes)
{
    ASSERT(bytes.size <= sizeof(key->bytes) - key->size);
    if (bytes.size > 0) {
        memcpy(key->bytes + key->size, bytes.data, bytes.size);
    }
    key->size += bytes.size;
}

static void add_byte(struct system_key *key, char byte)
{
    add_bytes(key, (struct slice){(const uint8_t *)&byte, 1});
}

static void add_number(struct system_key *key, uint64_t number)
{
    uint8_t bytes[NUMBER_SIZE];
    for (size_t i = 0; i < NUMBER_SIZE; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    add_bytes(key, (struct slice){bytes, sizeof(bytes)});
}

uint64_t system_key_number(struct slice key, size_t offset)
{
    ASSERT(key.size >= offset + NUMBER_SIZE);
    uint64_t number = 0;
    for (size_t i = 0; i < NUMBER_SIZE; i++) {
        number = number << 8 | key.data[offset + i];
    }
    return number;
}

struct slice system_key_slice(const struct system_key *key)
{
    return (struct slice){key->bytes, key->size};
}

void system_key_step(struct system_key *key)
{
    add_byte(key, '\0');
}

struct slice system_key_expiry(struct system_key *key, uint64_t time_ms, char what,
                               struct slice name)
{
    begin(key, SYSTEM_EXPIRY);
    add_number(key, time_ms);
    add_byte(key, what);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_expiry_of_place(struct system_key *key, uint64_t time_ms, uint64_t place,
                                        struct slice name)
{
    (void)system_key_expiry(key, time_ms, SYSTEM_OF_PLACE, SLICE_EMPTY);
    add_number(key, place);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_expiry_of_lease(struct system_key *key, uint64_t time_ms, uint64_t lease)
{
    (void)system_key_expiry(key, time_ms, SYSTEM_OF_LEASE, SLICE_EMPTY);
    add_number(key, lease);
    return system_key_slice(key);
}

struct slice system_key_age(struct system_key *key, uint64_t time_ms, struct slice name)
{
    begin(key, SYSTEM_AGE);
    add_number(key, time_ms);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_idempotency(struct system_key *key, struct slice name)
{
    begin(key, SYSTEM_IDEMPOTENCY);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_lease(struct system_key *key, uint64_t lease)
{
    begin(key, SYSTEM_LEASE);
    add_number(key, lease);
    return system_key_slice(key);
}

struct slice system_key_lease_prefix(struct system_key *key, uint64_t lease)
{
    begin(key, SYSTEM_LEASED);
    add_number(key, lease);
    return system_key_slice(key);
}

struct slice system_key_leased(struct system_key *key, uint64_t lease, struct slice name)
{
    (void)system_key_lease_prefix(key, lease);
    add_byte(key, SYSTEM_OF_KEY);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_lease_holder(struct system_key *key, uint64_t lease, uint64_t token,
                                     struct slice name)
{
    (void)system_key_lease_prefix(key, lease);
    add_byte(key, SYSTEM_OF_HOLDER);
    add_number(key, token);
    add_bytes(key, name);
    return system_key_slice(key);
}

struct slice system_key_lock(struct system_key *key, struct slice name)
{
    begin(key, SYSTEM_LOCK);
    add_bytes(key, name);
    return system_key_slice(key);
}

/* The size keeps one name's parties apart from those of a longer name that begins with it. */
static struct slice party_key(struct system_key *key, char what, struct slice name, uint64_t number)
{
    begin(key, what);
    add_byte(key, (char)(name.size >> 8));
    add_byte(key, (char)name.size);
    add_bytes(key, name);
    add_number(key, number);
    return system_key_slice(key);
}

struct slice system_key_holder(struct system_key *key, struct slice name, uint64_t token)
{
    return party_key(key, SYSTEM_HOLDER, name, token);
}

struct slice system_key_waiter(struct system_key *key, struct slice name, uint64_t place)
{
    return party_key(key, SYSTEM_WAITER, name, place);
}

/* ---- values ---- */

void system_lease_encode(const struct system_lease *lease, struct writer *out)
{
    writer_u64(out, lease->ttl_ms);
    writer_u64(out, lease->due_ms);
}

bool system_lease_decode(struct slice bytes, struct system_lease *out_lease)
{
    struct reader in = reader_of(bytes);
    out_lease->ttl_ms = reader_u64(&in);
    out_lease->due_ms = reader_u64(&in);
    return reader_finish(&in) == OK;
}

void system_lock_encode(const struct system_lock *lock, struct writer *out)
{
    writer_u32(out, lock->limit);
    writer_u32(out, lock->holders);
    writer_u32(out, lock->waiters);
}

bool system_lock_decode(struct slice bytes, struct system_lock *out_lock)
{
    struct reader in = reader_of(bytes);
    out_lock->limit = reader_u32(&in);
    out_lock->holders = reader_u32(&in);
    out_lock->waiters = reader_u32(&in);
    return reader_finish(&in) == OK;
}

void system_party_encode(const struct system_party *party, struct writer *out)
{
    writer_u64(out, party->lease);
    writer_u64(out, party->ttl_ms);
    writer_u64(out, party->place);
    writer_u64(out, party->due_ms);
    writer_u8(out, (uint8_t)party->content_type.size);
    writer_bytes(out, party->content_type);
    writer_bytes(out, party->owner);
}

bool system_party_decode(struct slice bytes, struct system_party *out_party)
{
    struct reader in = reader_of(bytes);
    out_party->lease = reader_u64(&in);
    out_party->ttl_ms = reader_u64(&in);
    out_party->place = reader_u64(&in);
    out_party->due_ms = reader_u64(&in);
    out_party->content_type = reader_bytes(&in, reader_u8(&in));
    out_party->owner = reader_bytes(&in, in.size);
    return reader_finish(&in) == OK;
}

void system_answer_encode(const struct system_answer *answer, struct writer *out)
{
    writer_u64(out, answer->fingerprint.low);
    writer_u64(out, answer->fingerprint.high);
    writer_u64(out, answer->due_ms);
    writer_bytes(out, answer->result);
}

bool system_answer_decode(struct slice bytes, struct system_answer *out_answer)
{
    struct reader in = reader_of(bytes);
    out_answer->fingerprint.low = reader_u64(&in);
    out_answer->fingerprint.high = reader_u64(&in);
    out_answer->due_ms = reader_u64(&in);
    out_answer->result = reader_bytes(&in, in.size);
    return reader_finish(&in) == OK;
}
