/* Which keys of a list are left by the revisions of their last change and of their creation. */
#ifndef API_LIST_FILTER_H
#define API_LIST_FILTER_H

#include "base/codec.h"
#include "store/store.h"

/* Both inclusive. */
struct list_revisions {
    uint64_t min; /* 0: from the first one on */
    uint64_t max; /* 0: up to the last one */
};

struct list_filter {
    struct list_revisions mod;
    struct list_revisions create;
};

/* Whether it leaves out anything. */
bool api_list_filter_is_set(const struct list_filter *filter);
/* Whether a key with that record, of which the value does not count, is left. */
bool api_list_filter_takes(const struct list_filter *filter, const struct store_record *record);
/* Appends what is set, as parameters of a URL, with '&' behind each. */
void api_list_filter_write(const struct list_filter *filter, struct writer *out);

#endif
