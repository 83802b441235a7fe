#include "accumulate/accumulate.h"
#include "methods/linear.h"

const ct_method ct_method_lightning = {
    .name = "lightning",
    .text = "linear attention with a decay for each head (ALiBi's slopes unless decay says otherwise)",
    .linear = true,
    .check = ct_accumulate_check,
    .build =
        {[CLATTN_FWD] = ct_linear_build, [CLATTN_BWD] = ct_linear_build_backward, [CLATTN_DECODE] = ct_linear_steps},
    .reference = ct_linear_reference,
};
