/* Numbers for the slots of a plan, by slot: adding a method needs no change here. */
#ifndef CT_INPUTS_H
#define CT_INPUTS_H

#include "harness/check.h"
#include "harness/random.h"
#include "layout/layout.h"

/* What a slot is filled for. */
typedef struct ct_fill {
    const clattn_problem *problem;
    const clattn_layout *layout; /* NULL if the method takes none */
    ct_inputs inputs;
    int mask; /* 0, or which constant an additive bias holds: 1 ... CT_MASK_CONSTANTS */
    uint64_t seed;
} ct_fill;

/* Fills values[count] of a slot whose dense shape is dims[rank] (q, k, v: [b, h, n, d]). Not rounded. */
void ct_fill_slot(const ct_fill *fill, clattn_slot slot, int rank, const int64_t *dims, double *values);

/* Puts NaN into k and v of keys that `padding` [b, nk] hides, if there is one, and (`seen`) into one row of q and one
 * of k: those that see them are NaN, nobody else. q, k and v are tensors[i][b, h, n, d] of these dims. */
void ct_spread_nan(uint64_t seed, int64_t dims[3][4], double *const tensors[3], const double *padding, bool seen);

#endif
