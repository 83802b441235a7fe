/* Sums of gradients. Each call adds one launch. */
#ifndef CT_SUM_H
#define CT_SUM_H

#include "plan/builder.h"

/* to = x + y + factor weight, of those that are there: x, y float [batch][heads][rows][width], factor float
 * [batch][heads][rows], weight float [heads][width]. */
typedef struct ct_sum_rows {
    int64_t batch, heads, rows, width;
    ct_ref x, y, factor, weight;
    ct_ref to;
    clattn_strides strides;
    clattn_dtype dtype; /* of `to` */
} ct_sum_rows;
clattn_status ct_sum_rows_add(ct_builder *b, const ct_sum_rows *sum);

#endif
