#include "api/prefer.h"

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"

/* A value may be a token or a quoted string; none of ours needs an escape. */
static struct slice unquote(struct slice value)
{
    bool is_quoted = value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"';
    return is_quoted ? (struct slice){value.data + 1, value.size - 2} : value;
}

static void take_return(struct slice value, struct prefer *prefer)
{
    if (prefer->result != PREFER_RETURN_DEFAULT) {
        return;
    }
    if (api_text_equals_nocase(value, "minimal")) {
        prefer->result = PREFER_RETURN_MINIMAL;
    } else if (api_text_equals_nocase(value, "representation")) {
        prefer->result = PREFER_RETURN_REPRESENTATION;
    }
}

/* Whole seconds. */
static void take_wait(struct slice value, struct prefer *prefer)
{
    uint64_t seconds;
    if (prefer->has_wait || api_units_parse_u64(value, &seconds) != OK) {
        return;
    }
    prefer->has_wait = true;
    prefer->wait_ms =
        seconds < PREFER_WAIT_MS_MAX / 1000 ? (uint32_t)seconds * 1000 : PREFER_WAIT_MS_MAX;
}

void api_prefer_parse(struct slice text, struct prefer *prefer)
{
    while (text.size > 0) {
        struct slice preference = api_text_split(&text, ',');
        struct slice value = api_text_split(&preference, ';'); /* its parameters are nobody's */
        struct slice name = api_text_trim(api_text_split(&value, '='));
        value = unquote(api_text_trim(value));
        if (api_text_equals_nocase(name, "timing")) {
            prefer->timing = true;
        } else if (api_text_equals_nocase(name, "return")) {
            take_return(value, prefer);
        } else if (api_text_equals_nocase(name, "wait")) {
            take_wait(value, prefer);
        }
    }
}

const char *api_prefer_return_text(enum prefer_return result)
{
    ASSERT(result != PREFER_RETURN_DEFAULT);
    return result == PREFER_RETURN_MINIMAL ? "return=minimal" : "return=representation";
}
