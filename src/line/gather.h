/* The gathering of chosen rows. Each call adds one launch. */
#ifndef CT_GATHER_H
#define CT_GATHER_H

#include "plan/builder.h"

/* to[batch][heads][samples][width] = from at positions[samples] (int32): elements of `dtype`. */
typedef struct ct_gather_rows {
    int64_t batch, heads, rows, samples, width;
    ct_ref from;
    clattn_strides strides;
    clattn_dtype dtype;
    ct_ref positions;
    ct_ref to;
} ct_gather_rows;
clattn_status ct_gather_rows_add(ct_builder *b, const ct_gather_rows *gather);

/* Which of the chosen keys count: shown[batch][samples] (uint8) is 0 for positions outside 0 ... rows - 1, for one that
 * repeats its predecessor, and for keys that the padding hides. places[samples] are the positions, kept inside. */
typedef struct ct_gather_keys {
    int64_t batch, rows, samples;
    ct_ref positions;
    ct_ref padding; /* uint8 [batch][rows], or nothing */
    ct_ref places, shown;
} ct_gather_keys;
clattn_status ct_gather_keys_add(ct_builder *b, const ct_gather_keys *gather);

/* to[batch][heads][positions[s]] += from[batch][heads][s], float rows, of the samples that are shown (nothing: all). */
typedef struct ct_scatter_rows {
    int64_t batch, heads, rows, samples, width;
    ct_ref from, positions, shown, to;
} ct_scatter_rows;
clattn_status ct_scatter_rows_add(ct_builder *b, const ct_scatter_rows *scatter);

#endif
