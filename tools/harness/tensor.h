/* A slot during a check: its numbers in double (dense), as raw bytes (with strides), and on the device. */
#ifndef CT_TENSOR_H
#define CT_TENSOR_H

#include "harness/guarded.h"
#include "core/core.h"

typedef struct ct_tensor {
    bool used, output;
    clattn_slot slot;
    clattn_dtype dtype;
    int rank;
    int64_t dims[5];
    int64_t steps[5]; /* elements between neighbours of each dimension */
    int64_t count;
    double *values; /* dense; of an input as it is stored */
    unsigned char *raw;
    size_t bytes;
    ct_guarded device;
} ct_tensor;

/* Asks the plan about the slot and allocates. q, k, v, o lie as the problem says. A slot whose length is the caller's
 * choice gets `open` elements. `used` stays false if the plan does not want the slot, or open = 0. */
clattn_status ct_tensor_make(ct_tensor *out, const clattn_plan *plan, const clattn_problem *problem, clattn_slot slot,
                             int64_t open);
void ct_tensor_release(ct_tensor *tensor);
/* Rounds `values` to the storage type and writes them to `raw`; everything between is NaN. */
void ct_tensor_pack(ct_tensor *tensor);
/* The reverse. False if something between the elements is not as ct_tensor_pack left it. */
bool ct_tensor_unpack(ct_tensor *tensor);

#endif
