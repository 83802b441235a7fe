/* The tolerance rule of check.h on host arrays. */
#ifndef CT_COMPARE_H
#define CT_COMPARE_H

#include "harness/check.h"

/* What is compared: `got` from a device, the double reference, its single-precision peer. */
typedef struct ct_comparison {
    const double *got, *reference;
    const double *peers[2]; /* base e, base 2: the worse one counts, as exact scores make one of them exact by luck */
    int64_t count;          /* of all arrays */
    int64_t width;          /* elements of a row */
    const int64_t *rows;    /* NULL: every row; else these n_rows */
    int64_t n_rows;
    clattn_dtype dtype;    /* storage of `got`; the peer is rounded to it */
    double times;          /* the largest error may be so many times the peer's */
    clattn_dtype operands; /* of products on the way: what is wider may be as inexact as these are; tf32's are as
                            * long as f16's */
    bool log_sum;          /* LSE: its own absolute limit, -infinity is legal */
    bool exact;            /* numbers of things: no error at all */
    bool nan;              /* where the reference is NaN, anything may come out; else NaN there is wrong, too */
} ct_comparison;

ct_check_figure ct_compare(const ct_comparison *comparison);

#endif
