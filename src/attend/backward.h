/* Attend backward: gradients of softmax attention over block lists, from O and LSE (FlashAttention-2, Dao 2023). */
#ifndef CT_ATTEND_BACKWARD_H
#define CT_ATTEND_BACKWARD_H

#include "attend/attend.h"

/* What a branch's gradients need beside the branch: a's o and lse are read. */
typedef struct ct_attend_gradient {
    ct_ref g, dlse; /* of o, as that lies, and of q's type; of lse: nothing, or float [b, hq, nq] */
    /* float [b, hq, nq], by which g is multiplied; or nothing. dlse is not */
    ct_ref weight;
    ct_ref dq, dk, dv; /* nothing: not wanted */
    clattn_strides dqs, dks, dvs;
    clattn_dtype out;      /* of dq, dk, dv */
    ct_ref dsink, dslopes; /* float [hq], or nothing */
    ct_ref dbias;          /* float [bias_b, bias_h, nq, nk], or nothing */
} ct_attend_gradient;

clattn_status ct_attend_backward_add(ct_builder *b, const ct_attend *a, const ct_attend_gradient *gradient);

#endif
