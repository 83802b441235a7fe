/* Residual and normalisation of a token's row, that of all its heads: y = norm(residual + o). */
#ifndef CT_NORM_H
#define CT_NORM_H

#include "plan/builder.h"

typedef struct ct_norm {
    clattn_norm kind;
    double eps;
    int64_t batch, heads, rows, width;   /* rows: tokens of a batch; width: of a head */
    ct_ref o, residual;                  /* of `dtype`; no residual: nothing */
    ct_ref weight, bias;                 /* float [heads][width], or nothing */
    clattn_strides o_strides, y_strides; /* y's: of the residual, and of what the gradients below are of */
    clattn_dtype dtype;
} ct_norm;
/* y, residual + o, float (mean, 1 / sigma) [batch][rows][2]: all but y may be nothing. One launch. */
clattn_status ct_norm_add(ct_builder *b, const ct_norm *norm, ct_ref y, ct_ref sum, ct_ref stats);

typedef struct ct_norm_gradient {
    ct_ref g, dsum;        /* what arrives at y and, or nothing, at the sum */
    ct_ref dresidual;      /* as the residual lies; or nothing */
    ct_ref dout;           /* as o lies */
    ct_ref dweight, dbias; /* float [heads][width], or nothing */
} ct_norm_gradient;
/* One launch, and two for the weight and the bias. */
clattn_status ct_norm_backward_add(ct_builder *b, const ct_norm *norm, const ct_norm_gradient *gradient);

#endif
