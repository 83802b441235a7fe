/* Private to src/accumulate. */
#ifndef CT_ACCUMULATE_PARTS_H
#define CT_ACCUMULATE_PARTS_H

#include "accumulate/accumulate.h"
#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/accumulate/args.cl"

#define CT_ROWS_A_GROUP 64 /* of line kernels: a group of one row would cost more to start than to run */

/* A problem on its way to the kernels: phi applied, the column of ones added. */
typedef struct ct_accumulate_run {
    ct_accumulate a;
    accumulate_args args;
    int64_t items;  /* heads of q of all batches or sequences */
    int64_t states; /* the same of the heads that have a state: those of q, or of k if they are more */
    int64_t width;  /* columns of a state */
    int64_t longest_q, longest_k;
    ct_shape shape; /* of the stages that are not lines */
} ct_accumulate_run;

/* Of a problem, before its features. */
ct_accumulate_run ct_accumulate_begin(const ct_accumulate *accumulate);
/* The launches between features and division: run->a.o is written whole. */
clattn_status ct_accumulate_run_add(ct_builder *b, ct_accumulate_run *run);
/* Of a run in which heads of k are more than those of q: member i of each, whose outputs go to `to`, float and
 * dense. */
ct_accumulate_run ct_accumulate_member(const ct_accumulate_run *run, int64_t i, ct_ref to);
/* sum += part, outputs of members; the last one's sum is o. */
clattn_status ct_accumulate_plus(ct_builder *b, const ct_accumulate_run *run, ct_ref sum, ct_ref part, bool last);
/* Of `count` states: to [rows][cols] = from^T, or zeros where there is no `from`. */
clattn_status ct_accumulate_turn(ct_builder *b, ct_ref from, ct_ref to, int64_t count, int64_t rows, int64_t cols);
/* run->a.dots, if they are wanted, of member i, whose run it is. */
clattn_status ct_accumulate_dots(ct_builder *b, const ct_accumulate_run *run, int64_t i);
/* Segments of a state's tokens where `places` groups run at once: the number that ends soonest. twice: with several,
 * keys and values are read twice and two launches more are made. */
int64_t ct_accumulate_segments(int64_t places, int64_t items, int64_t chunks, bool twice);
clattn_status ct_accumulate_features(ct_builder *b, ct_accumulate_run *run);
/* Replaces *x, rows of o's heads, tokens and width, by a zone of floats. */
clattn_status ct_accumulate_floats(ct_builder *b, const ct_accumulate *a, const char *zone, ct_ref *x,
                                   clattn_strides *s, clattn_dtype *dtype);
clattn_status ct_accumulate_divide(ct_builder *b, const ct_accumulate_run *run, ct_ref from);
clattn_status ct_accumulate_rows(ct_builder *b, const ct_accumulate_run *run, ct_ref states, ct_ref sums);
clattn_status ct_accumulate_steps(ct_builder *b, ct_accumulate_run *run);

#endif
