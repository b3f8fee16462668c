/* links: lincheck */
/* History files: what parses is written in one form, which parses to the same; whatever stands in
 * it, every way of checking comes to an end; and no search refutes what the revisions prove. */
#include "base/assert.h"
#include "fuzz.h"
#include "lincheck/lincheck.h"

#define STEPS_MAX 10000u

static void check_form(const struct lincheck_history *history)
{
    struct writer once = {0};
    struct writer twice = {0};
    struct lincheck_history again = {0};
    lincheck_history_write(history, &once);
    ASSERT(lincheck_history_parse(writer_slice(&once), &again, NULL) == OK);
    lincheck_history_write(&again, &twice);
    ASSERT(slice_equal(writer_slice(&once), writer_slice(&twice)));
    lincheck_history_deinit(&again);
    writer_deinit(&once);
    writer_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lincheck_history history = {0};
    if (lincheck_history_parse((struct slice){data, size}, &history, NULL) != OK) {
        return 0;
    }
    check_form(&history);
    struct lincheck_result result = {0};
    struct lincheck_options options = {.steps_max = STEPS_MAX, .search_ops_max = SIZE_MAX};
    if (lincheck_settle(&history, &result) == LINCHECK_LEGAL) {
        enum lincheck_verdict by_revisions = lincheck_certificate(&history, &result);
        enum lincheck_verdict by_search = lincheck_search(&history, &options, &result);
        ASSERT(by_revisions != LINCHECK_LEGAL || by_search != LINCHECK_ILLEGAL);
    }
    lincheck_result_deinit(&result);
    lincheck_history_deinit(&history);
    return 0;
}
