#include "proto/admin.h"

#include <string.h>

#include "base/assert.h"
#include "proto/command.h"
#include "proto/text.h"

#define FLAG_LEARNER 1u
#define FLAG_FORCED 2u
#define FLAG_AGAIN 4u
#define FLAG_VOTER 8u
#define FLAGS_KNOWN (FLAG_LEARNER | FLAG_FORCED | FLAG_AGAIN | FLAG_VOTER)

#define FIGURE_REACHABLE 1u

void admin_request_encode(const struct admin_request *request, struct writer *out)
{
    const struct admin_spec *spec = &request->spec;
    ASSERT(spec->op >= ADMIN_ADD && spec->op <= ADMIN_OP_LAST);
    writer_u64(out, request->number);
    writer_u32(out, request->left_ms);
    writer_u8(out, (uint8_t)spec->op);
    writer_u8(out,
              (uint8_t)((spec->is_learner ? FLAG_LEARNER : 0u) |
                        (spec->is_forced ? FLAG_FORCED : 0u) | (spec->is_again ? FLAG_AGAIN : 0u) |
                        (spec->wants_vote ? FLAG_VOTER : 0u)));
    writer_u64(out, spec->id);
    writer_u64(out, spec->old);
    writer_bytes(out, slice_from_text(spec->address));
}

err admin_request_decode(struct slice bytes, struct admin_request *out_request)
{
    struct reader in = reader_of(bytes);
    struct admin_request request = {.number = reader_u64(&in), .left_ms = reader_u32(&in)};
    uint8_t op = reader_u8(&in);
    uint8_t flags = reader_u8(&in);
    request.spec.id = reader_u64(&in);
    request.spec.old = reader_u64(&in);
    struct slice address = reader_bytes(&in, in.size);
    if (!reader_ok(&in) || op < ADMIN_ADD || op > ADMIN_OP_LAST || (flags & ~FLAGS_KNOWN) != 0 ||
        address.size > ADDRESS_SIZE_MAX || !text_is_plain(address)) {
        return ERR_MALFORMED;
    }
    request.spec.op = (enum admin_op)op;
    request.spec.is_learner = (flags & FLAG_LEARNER) != 0;
    request.spec.is_forced = (flags & FLAG_FORCED) != 0;
    request.spec.is_again = (flags & FLAG_AGAIN) != 0;
    request.spec.wants_vote = (flags & FLAG_VOTER) != 0;
    if (address.size > 0) {
        memcpy(request.spec.address, address.data, address.size);
    }
    *out_request = request;
    return OK;
}

/* ---- results ---- */

static void encode_figures(const struct admin_figures *figures, struct writer *out)
{
    ASSERT(figures->count <= MEMBERS_MAX);
    writer_u64(out, figures->last_index);
    writer_u8(out, (uint8_t)figures->count);
    for (uint32_t i = 0; i < figures->count; i++) {
        const struct admin_figure *row = &figures->rows[i];
        writer_u64(out, row->id);
        writer_u64(out, row->match);
        writer_u32(out, row->round_trip_us);
        writer_u8(out, (uint8_t)row->progress);
        writer_u8(out, row->is_reachable ? FIGURE_REACHABLE : 0);
    }
}

/* False: it is none, or its id is not above `before`. */
static bool decode_figure(struct reader *in, node_id before, uint64_t last_index,
                          struct admin_figure *out_row)
{
    out_row->id = reader_u64(in);
    out_row->match = reader_u64(in);
    out_row->round_trip_us = reader_u32(in);
    uint8_t progress = reader_u8(in);
    uint8_t flags = reader_u8(in);
    if (!reader_ok(in) || out_row->id <= before || out_row->match > last_index ||
        progress > ADMIN_PROGRESS_LAST || (flags & ~FIGURE_REACHABLE) != 0) {
        return false;
    }
    out_row->progress = (enum admin_progress)progress;
    out_row->is_reachable = (flags & FIGURE_REACHABLE) != 0;
    return true;
}

static bool decode_figures(struct reader *in, struct admin_figures *out_figures)
{
    node_id before = 0;
    out_figures->last_index = reader_u64(in);
    out_figures->count = reader_u8(in);
    if (out_figures->count > MEMBERS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < out_figures->count; i++) {
        if (!decode_figure(in, before, out_figures->last_index, &out_figures->rows[i])) {
            return false;
        }
        before = out_figures->rows[i].id;
    }
    return true;
}

void admin_result_encode(const struct admin_result *result, struct writer *out)
{
    struct slice text = result->text;
    text.size = text.size > ADMIN_TEXT_SIZE_MAX ? ADMIN_TEXT_SIZE_MAX : text.size;
    writer_u64(out, result->number);
    command_err_encode(result->e, out);
    writer_u64(out, result->id);
    writer_sized(out, text);
    encode_figures(&result->figures, out);
}

err admin_result_decode(struct slice bytes, struct admin_result *out_result)
{
    struct reader in = reader_of(bytes);
    struct admin_result result = {.number = reader_u64(&in)};
    result.e = command_err_decode(&in);
    result.id = reader_u64(&in);
    result.text = reader_sized(&in, ADMIN_TEXT_SIZE_MAX);
    if (!decode_figures(&in, &result.figures) || reader_finish(&in) != OK ||
        !text_is_plain(result.text)) {
        return ERR_MALFORMED;
    }
    *out_result = result;
    return OK;
}
