/* Gradients of the linear half. */
#ifndef CT_ACCUMULATE_BACKWARD_H
#define CT_ACCUMULATE_BACKWARD_H

#include "accumulate/accumulate.h"

/* What arrives and what is wanted. Gradients of q, k, v lie as their tensors do, in o's type. */
typedef struct ct_accumulate_gradient {
    ct_ref g; /* of o, at o's strides */
    ct_ref dstate_out;
    ct_ref dq, dk, dv;
    ct_ref dstate_in, ddecay; /* ddecay: of a problem that is exact */
} ct_accumulate_gradient;

/* Adds the launches. `a` is the forward problem. */
clattn_status ct_accumulate_backward_add(ct_builder *b, const ct_accumulate *a, const ct_accumulate_gradient *gradient);
/* Recurrent operations as in ct_accumulate_work. */
ct_work ct_accumulate_backward_work(const ct_accumulate *a);

#endif
