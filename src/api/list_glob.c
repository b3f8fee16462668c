#include "api/list_glob.h"

/* Whether the pattern's element at `at` takes the byte; how long the element is. */
static bool takes(struct slice pattern, size_t at, uint8_t byte, size_t *out_size)
{
    uint8_t mark = pattern.data[at];
    bool is_escape = mark == '\\' && at + 1 < pattern.size;
    *out_size = is_escape ? 2 : 1;
    return is_escape ? pattern.data[at + 1] == byte : mark == '?' || mark == byte;
}

bool api_list_glob_matches(struct slice pattern, struct slice key)
{
    size_t at = 0;
    size_t place = 0;
    size_t star = SIZE_MAX; /* behind the last '*', and where in the key what follows it is tried */
    size_t tried = 0;
    while (place < key.size) {
        size_t size;
        if (at < pattern.size && pattern.data[at] == '*') {
            star = ++at;
            tried = place;
        } else if (at < pattern.size && takes(pattern, at, key.data[place], &size)) {
            at += size;
            place++;
        } else if (star != SIZE_MAX) { /* the last '*' takes one byte more */
            at = star;
            place = ++tried;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*') {
        at++;
    }
    return at == pattern.size;
}

struct slice api_list_glob_prefix(struct slice pattern)
{
    size_t size = 0;
    while (size < pattern.size && pattern.data[size] != '*' && pattern.data[size] != '?' &&
           pattern.data[size] != '\\') {
        size++;
    }
    return (struct slice){pattern.data, size};
}
