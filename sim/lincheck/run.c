/* The ways of checking, put together. */
#include "lincheck/lincheck.h"
#include "lincheck/search_int.h"
#include "lincheck/words.h"

enum lincheck_verdict lincheck_run(struct lincheck_history *history,
                                   const struct lincheck_options *options,
                                   struct lincheck_result *result)
{
    enum lincheck_verdict verdict = lincheck_settle(history, result);
    if (verdict != LINCHECK_LEGAL) {
        return verdict;
    }
    verdict = lincheck_certificate(history, result);
    bool searches_all = history->count <= options->search_ops_max;
    if (verdict == LINCHECK_ILLEGAL || (verdict == LINCHECK_LEGAL && !searches_all)) {
        return verdict;
    }
    bool is_certified = verdict == LINCHECK_LEGAL;
    verdict = lincheck_search_keys(history, options, !searches_all, result);
    if (is_certified && verdict == LINCHECK_ILLEGAL) {
        writer_format(&result->text, "  and yet the revisions certify it: a checker is wrong\n");
    }
    /* A search that gave up says nothing against a proof. */
    if (is_certified && verdict == LINCHECK_UNDECIDED) {
        lincheck_result_reset(result);
    }
    return result->verdict;
}
