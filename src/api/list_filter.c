#include "api/list_filter.h"

#include <inttypes.h>

static bool is_within(const struct list_revisions *revisions, uint64_t revision)
{
    return revision >= revisions->min && (revisions->max == 0 || revision <= revisions->max);
}

static bool is_set(const struct list_revisions *revisions)
{
    return revisions->min != 0 || revisions->max != 0;
}

bool api_list_filter_is_set(const struct list_filter *filter)
{
    return is_set(&filter->mod) || is_set(&filter->create);
}

bool api_list_filter_takes(const struct list_filter *filter, const struct store_record *record)
{
    return is_within(&filter->mod, record->mod_revision) &&
           is_within(&filter->create, record->create_revision);
}

static void write_one(const char *name, uint64_t revision, struct writer *out)
{
    if (revision != 0) {
        writer_format(out, "%s=%" PRIu64 "&", name, revision);
    }
}

void api_list_filter_write(const struct list_filter *filter, struct writer *out)
{
    write_one("min-mod-revision", filter->mod.min, out);
    write_one("max-mod-revision", filter->mod.max, out);
    write_one("min-create-revision", filter->create.min, out);
    write_one("max-create-revision", filter->create.max, out);
}
