/* Private to src/accumulate. */
#ifndef CT_ACCUMULATE_PARTS_H
#define CT_ACCUMULATE_PARTS_H

#include "accumulate/accumulate.h"
#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/accumulate/args.cl"

/* A problem on its way to the kernels: phi applied, the column of ones added. */
typedef struct ct_accumulate_run {
    ct_accumulate a;
    accumulate_args args;
    int64_t items; /* heads of all batches or sequences: each has a state */
    int64_t width; /* columns of a state */
    int64_t longest_q, longest_k;
    ct_shape shape; /* of the stages that are not lines */
} ct_accumulate_run;

/* Segments of a state's tokens where `places` groups run at once: the number that ends soonest. twice: with several,
 * keys and values are read twice and two launches more are made. */
int64_t ct_accumulate_segments(int64_t places, int64_t items, int64_t chunks, bool twice);
clattn_status ct_accumulate_features(ct_builder *b, ct_accumulate_run *run);
clattn_status ct_accumulate_divide(ct_builder *b, const ct_accumulate_run *run, ct_ref from);
clattn_status ct_accumulate_rows(ct_builder *b, const ct_accumulate_run *run, ct_ref states, ct_ref sums);
clattn_status ct_accumulate_steps(ct_builder *b, ct_accumulate_run *run);

#endif
