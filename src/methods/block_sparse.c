/* block_sparse: softmax attention over the key blocks that a layout lists (Child et al. 2019; DeepSpeed Sparse
 * Attention; BigBird; Longformer). */
#include "methods/softmax.h"

const ct_method ct_method_block_sparse = {
    .name = "block_sparse",
    .text = "softmax attention over listed key blocks",
    .softmax = true,
    .patterned = true,
    .build =
        {[CLATTN_FWD] = ct_softmax_build, [CLATTN_BWD] = ct_softmax_build_backward, [CLATTN_DECODE] = ct_softmax_build},
    .reference = ct_softmax_reference,
};
