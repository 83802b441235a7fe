/* dense: softmax(scale Q K^T + ...) V over every key (FlashAttention-2: Dao 2023). The full list is the only pattern.
 */
#include "methods/softmax.h"

const ct_method ct_method_dense = {
    .name = "dense",
    .text = "softmax attention over every key",
    .softmax = true,
    .build =
        {[CLATTN_FWD] = ct_softmax_build, [CLATTN_BWD] = ct_softmax_build_backward, [CLATTN_DECODE] = ct_softmax_build},
    .reference = ct_softmax_reference,
};
