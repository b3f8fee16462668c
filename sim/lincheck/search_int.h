/* The search, for lincheck_run. */
#ifndef LINCHECK_SEARCH_INT_H
#define LINCHECK_SEARCH_INT_H

#include "lincheck/lincheck.h"

/* As lincheck_search; `only_uncertain`: the keys that have operations without a revision alone. */
enum lincheck_verdict lincheck_search_keys(const struct lincheck_history *history,
                                           const struct lincheck_options *options,
                                           bool only_uncertain, struct lincheck_result *result);

#endif
