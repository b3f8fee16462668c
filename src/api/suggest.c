#include "api/suggest.h"

#include <limits.h>
#include <string.h>

#include "base/assert.h"

#define DISTANCE_MAX 2u       /* what is farther is no typing mistake */
#define BEGINNING_SIZE_MIN 3u /* what is shorter begins too much */

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned api_suggest_distance(struct slice a, struct slice b)
{
    if (a.size > SUGGEST_NAME_SIZE_MAX || b.size > SUGGEST_NAME_SIZE_MAX) {
        return UINT_MAX;
    }
    /* Row i: the distances of a's first i bytes to each prefix of b. Three rows live at a time: a
     * swap looks two back. */
    unsigned rows[3][SUGGEST_NAME_SIZE_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.size; j++) {
            unsigned replaced = above[j - 1] + (a.data[i - 1] != b.data[j - 1] ? 1 : 0);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1]) {
                row[j] = smaller(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    unsigned distance = rows[a.size % 3][b.size];
    ASSERT(distance <= (a.size > b.size ? a.size : b.size));
    return distance;
}

void api_suggest_offer(struct suggest *suggest, const char *known)
{
    struct slice name = suggest->name;
    struct slice whole = slice_from_text(known);
    unsigned distance = api_suggest_distance(name, whole);
    bool is_nearer = suggest->near == NULL || distance < suggest->distance;
    /* At least half of a short name has to be right: "x" is not "id". */
    if (distance <= DISTANCE_MAX && distance <= whole.size / 2 && is_nearer) {
        suggest->near = known;
        suggest->distance = distance;
    }
    if (name.size >= BEGINNING_SIZE_MIN && name.size < whole.size &&
        memcmp(name.data, whole.data, name.size) == 0) {
        suggest->longer = known;
        suggest->longer_count++;
    }
}

const char *api_suggest_meant(const struct suggest *suggest)
{
    if (suggest->near != NULL) {
        return suggest->near;
    }
    return suggest->longer_count == 1 ? suggest->longer : NULL;
}
