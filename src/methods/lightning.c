#include "accumulate/accumulate.h"
#include "methods/linear.h"

static clattn_status check(const clattn_problem *problem)
{
    if (problem->feature != CLATTN_IDENTITY || problem->normalise) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "feature=%d, normalise=%d: lightning has neither; method linear has both",
                       (int)problem->feature, problem->normalise);
    }
    return ct_accumulate_check(problem);
}

const ct_method ct_method_lightning = {
    .name = "lightning",
    .text = "linear attention with a decay for each head (ALiBi's slopes unless decay says otherwise)",
    .linear = true,
    .check = check,
    .build = ct_linear_build,
    .reference = ct_linear_reference,
};
