#include "accumulate/accumulate.h"
#include "methods/linear.h"

const ct_method ct_method_lightning = {
    .name = "lightning",
    .text = "linear attention with a decay for each head (ALiBi's slopes unless decay says otherwise)",
    .linear = true,
    .check = ct_accumulate_check,
    .build = ct_linear_build,
    .reference = ct_linear_reference,
};
