/* Gradients of the linear half. */
#ifndef CT_ACCUMULATE_BACKWARD_H
#define CT_ACCUMULATE_BACKWARD_H

#include "accumulate/accumulate.h"

/* What arrives and what is wanted. */
typedef struct ct_accumulate_gradient {
    ct_ref g;      /* of o, at o's strides and of its type */
    ct_ref weight; /* normalised: float [b, hq, nq], by which g is multiplied; or nothing */
    ct_ref dstate_out;
    ct_ref dq, dk, dv;
    clattn_strides dqs, dks, dvs;
    clattn_dtype out;            /* of dq, dk, dv */
    const clattn_layout *layout; /* that a's left_out was made of */
    ct_ref dstate_in, ddecay;    /* ddecay: of a problem that is exact */
} ct_accumulate_gradient;

/* Adds the launches. `a` is the forward problem. */
clattn_status ct_accumulate_backward_add(ct_builder *b, const ct_accumulate *a, const ct_accumulate_gradient *gradient);
/* Recurrent operations as in ct_accumulate_work. */
ct_work ct_accumulate_backward_work(const ct_accumulate *a);

#endif
