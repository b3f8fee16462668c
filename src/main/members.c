#include "main/members.h"

#include <inttypes.h>
#include <string.h>

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"
#include "env/address.h"

const struct member *main_members_find(const struct member *members, uint32_t count, node_id id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == id) {
            return &members[i];
        }
    }
    return NULL;
}

/* Parses one "ID=HOST:PORT". */
static err parse_member(struct slice item, struct member *out_member, struct err_note *note)
{
    struct slice address = item;
    struct slice id = api_text_split(&address, '=');
    *out_member = (struct member){.id = 0};
    if (api_units_parse_u64(id, &out_member->id) != OK || out_member->id == 0 ||
        out_member->id > NODE_ID_MAX) {
        return err_note_set(
            note, ERR_BAD_REQUEST,
            "\"%.*s\" is not of the form ID=HOST:PORT with an id from 1 to %" PRIu64,
            SLICE_ARGS(item), NODE_ID_MAX);
    }
    if (address.size == 0 || address.size > ADDRESS_SIZE_MAX) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "member %" PRIu64 " has no usable address; write it as %" PRIu64
                            "=HOST:PORT",
                            out_member->id, out_member->id);
    }
    memcpy(out_member->peer_address, address.data, address.size);
    struct env_address parsed;
    struct err_note why;
    if (env_address_parse(out_member->peer_address, &parsed, &why) != OK) {
        return err_note_set(note, ERR_BAD_REQUEST, "member %" PRIu64 ": %s", out_member->id,
                            why.text);
    }
    if (parsed.port_number == 0) {
        return err_note_set(note, ERR_BAD_REQUEST, "member %" PRIu64 " cannot be reached at port 0",
                            out_member->id);
    }
    return OK;
}

static err check_unique(const struct member *members, uint32_t count, const struct member *added,
                        struct err_note *note)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == added->id) {
            return err_note_set(note, ERR_BAD_REQUEST, "id %" PRIu64 " is given twice", added->id);
        }
        if (strcmp(members[i].peer_address, added->peer_address) == 0) {
            return err_note_set(note, ERR_BAD_REQUEST,
                                "members %" PRIu64 " and %" PRIu64 " have the same address %s",
                                members[i].id, added->id, added->peer_address);
        }
    }
    return OK;
}

static void insert_sorted(struct member *members, uint32_t count, const struct member *added)
{
    uint32_t place = count;
    while (place > 0 && members[place - 1].id > added->id) {
        members[place] = members[place - 1];
        place--;
    }
    members[place] = *added;
}

err main_members_parse(const char *text, struct member *members, uint32_t *out_count,
                       struct err_note *note)
{
    uint32_t count = 0;
    struct slice rest = slice_from_text(text);
    while (rest.size > 0) {
        struct member member;
        err e = parse_member(api_text_trim(api_text_split(&rest, ',')), &member, note);
        if (e == OK) {
            e = check_unique(members, count, &member, note);
        }
        if (e == OK && count == MEMBERS_MAX) {
            e = err_note_set(note, ERR_BAD_REQUEST, "a cluster begins with at most %u members",
                             MEMBERS_MAX);
        }
        if (e != OK) {
            return e;
        }
        insert_sorted(members, count, &member);
        count++;
    }
    if (count == 0) {
        return err_note_set(note, ERR_BAD_REQUEST, "it names no member");
    }
    ASSERT(count <= MEMBERS_MAX);
    *out_count = count;
    return OK;
}
