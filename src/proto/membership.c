#include "proto/membership.h"

#include <string.h>

#include "base/assert.h"
#include "proto/text.h"

/* The second one has flags for each member, the third the highest id as well. They are written only
 * where there is any flag, and where the highest id is no member's any more: so every membership
 * still has one encoding, and those without have kept theirs. */
#define MEMBERSHIP_FORMAT 1u
#define MEMBERSHIP_FORMAT_FLAGS 2u
#define MEMBERSHIP_FORMAT_ID_MAX 3u
#define FLAG_WANTS_VOTE 1u

_Static_assert(ADDRESS_SIZE_MAX <= UINT8_MAX, "the size of an address is one byte");

/* Where `id` is among the members, or where it would have to be inserted. */
static uint32_t position_of(const struct membership *membership, node_id id)
{
    ASSERT(membership->member_count <= MEMBERS_MAX);
    uint32_t position = 0;
    while (position < membership->member_count && membership->members[position].id < id) {
        position++;
    }
    return position;
}

static bool is_at(const struct membership *membership, uint32_t position, node_id id)
{
    return position < membership->member_count && membership->members[position].id == id;
}

const struct member *membership_find(const struct membership *membership, node_id id)
{
    uint32_t position = position_of(membership, id);
    return is_at(membership, position, id) ? &membership->members[position] : NULL;
}

bool membership_put(struct membership *membership, const struct member *member)
{
    ASSERT(member->id != 0);
    struct member copy = *member; /* it may be one of ours, which the move below would shift */
    uint32_t position = position_of(membership, copy.id);
    if (!is_at(membership, position, copy.id)) {
        if (membership->member_count == MEMBERS_MAX) {
            return false;
        }
        memmove(&membership->members[position + 1], &membership->members[position],
                (membership->member_count - position) * sizeof(membership->members[0]));
        membership->member_count++;
    }
    membership->members[position] = copy;
    if (copy.id > membership->id_max) {
        membership->id_max = copy.id;
    }
    return true;
}

void membership_remove(struct membership *membership, node_id id)
{
    uint32_t position = position_of(membership, id);
    if (!is_at(membership, position, id)) {
        return;
    }
    membership->member_count--;
    memmove(&membership->members[position], &membership->members[position + 1],
            (membership->member_count - position) * sizeof(membership->members[0]));
    membership->members[membership->member_count] = (struct member){0};
}

void member_encode(const struct member *member, struct writer *out)
{
    struct slice address = slice_from_text(member->peer_address);
    ASSERT(member->id != 0);
    ASSERT(address.size <= ADDRESS_SIZE_MAX);
    writer_u64(out, member->id);
    writer_u8(out, (uint8_t)address.size);
    writer_bytes(out, address);
}

err member_decode(struct reader *in, struct member *out_member)
{
    struct member member = {.id = reader_u64(in)};
    struct slice address = reader_bytes(in, reader_u8(in));
    if (!reader_ok(in) || member.id == 0 || !text_is_plain(address)) {
        return ERR_MALFORMED;
    }
    if (address.size > 0) {
        memcpy(member.peer_address, address.data, address.size);
    }
    *out_member = member;
    return OK;
}

static bool has_flags(const struct membership *membership)
{
    for (uint32_t i = 0; i < membership->member_count; i++) {
        if (membership->members[i].wants_vote) {
            return true;
        }
    }
    return false;
}

static node_id highest_id(const struct membership *membership)
{
    uint32_t count = membership->member_count;
    return count == 0 ? 0 : membership->members[count - 1].id;
}

static uint8_t format_of(const struct membership *membership)
{
    if (membership->id_max > highest_id(membership)) {
        return MEMBERSHIP_FORMAT_ID_MAX;
    }
    return has_flags(membership) ? MEMBERSHIP_FORMAT_FLAGS : MEMBERSHIP_FORMAT;
}

void membership_encode(const struct membership *membership, struct writer *out)
{
    ASSERT(membership->member_count <= MEMBERS_MAX);
    uint8_t format = format_of(membership);
    bool with_flags = format != MEMBERSHIP_FORMAT;
    writer_u8(out, format);
    conf_state_encode(&membership->conf, out);
    writer_u8(out, (uint8_t)membership->member_count);
    for (uint32_t i = 0; i < membership->member_count; i++) {
        const struct member *member = &membership->members[i];
        ASSERT(i == 0 || membership->members[i - 1].id < member->id);
        member_encode(member, out);
        if (with_flags) {
            writer_u8(out, member->wants_vote ? FLAG_WANTS_VOTE : 0);
        }
    }
    if (format == MEMBERSHIP_FORMAT_ID_MAX) {
        writer_u64(out, membership->id_max);
    }
}

static err decode_flags(struct reader *in, struct member *member)
{
    uint8_t flags = reader_u8(in);
    if (!reader_ok(in) || (flags & ~FLAG_WANTS_VOTE) != 0) {
        return ERR_MALFORMED;
    }
    member->wants_vote = (flags & FLAG_WANTS_VOTE) != 0;
    return OK;
}

static err decode_members(struct reader *in, bool with_flags, struct membership *membership)
{
    node_id previous = 0;
    for (uint32_t i = 0; i < membership->member_count; i++) {
        struct member *member = &membership->members[i];
        err e = member_decode(in, member);
        if (e == OK && with_flags) {
            e = decode_flags(in, member);
        }
        if (e != OK) {
            return e;
        }
        if (member->id <= previous) {
            return ERR_MALFORMED;
        }
        previous = member->id;
    }
    return OK;
}

err membership_decode(struct reader *in, struct membership *out_membership)
{
    uint8_t format = reader_u8(in);
    if (!reader_ok(in)) {
        return ERR_MALFORMED;
    }
    if (format < MEMBERSHIP_FORMAT || format > MEMBERSHIP_FORMAT_ID_MAX) {
        return ERR_VERSION;
    }
    struct membership membership = {0};
    err e = conf_state_decode(in, &membership.conf);
    if (e != OK) {
        return e;
    }
    membership.member_count = reader_u8(in);
    if (!reader_ok(in) || membership.member_count > MEMBERS_MAX) {
        return ERR_MALFORMED;
    }
    e = decode_members(in, format != MEMBERSHIP_FORMAT, &membership);
    if (e != OK) {
        return e;
    }
    membership.id_max =
        format == MEMBERSHIP_FORMAT_ID_MAX ? reader_u64(in) : highest_id(&membership);
    if (!reader_ok(in) || format_of(&membership) != format) {
        return ERR_MALFORMED;
    }
    *out_membership = membership;
    return OK;
}
