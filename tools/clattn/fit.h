/* Does a tensor from a file fit what a plan wants in a slot? */
#ifndef FIT_H
#define FIT_H

#include "tensor.h"

/* What clattn_plan_slot says of a slot. */
typedef struct wanted_tensor {
    clattn_slot slot;
    clattn_dtype dtype;
    int rank;
    int64_t dims[5];
} wanted_tensor;

/* Dimensions of 1 may be missing, or be too many; a batch is never taken for heads. CLATTN_INVALID_ARGUMENT says what
 * is there, what is wanted, and where it would fit. */
clattn_status tensor_fit(const tensor *t, const wanted_tensor *wanted, const clattn_problem *problem);
/* "; per_head=1 takes ..." if lists of `heads` heads were given where one serves all; else "". */
const char *per_head_hint(const clattn_problem *problem, bool every_head);

#endif
