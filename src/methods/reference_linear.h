/* Naive linear attention on the host: the recurrence, and the same as a sum over pairs. One text (reference_linear.inc)
 * compiled with double and with float; io->single chooses. */
#ifndef CT_REFERENCE_LINEAR_H
#define CT_REFERENCE_LINEAR_H

#include "layout/layout.h"
#include "plan/method.h"

#define CT_LINEAR_EPSILON 1e-10 /* added to the normaliser of every normalised method */

/* What is summed. Sizes, sequences, state and decay slots are the problem's. */
typedef struct ct_linear_branch {
    clattn_feature feature;
    int normalise; /* o = n / (den + epsilon), n = s phi(q) S, den = s phi(q).z */
    double epsilon;
    int causal; /* 0: every key of the sequence, without decay */
    double scale;
    clattn_decay decay;          /* laws as in clattn_problem; layer, layers, value from the problem */
    const clattn_layout *layout; /* ct_reference_linear_pairs: the keys of listed blocks are left out; NULL: none is */
} ct_linear_branch;

/* The problem's own branch; scale = NaN becomes 1, causal = -1 the method's default. layout = NULL. */
ct_linear_branch ct_linear_branch_of(const clattn_problem *problem);
/* The recurrence. S_t = lambda_t S_(t-1) + phi(k_t) v_t^T, o_t = scale S_t^T phi(q_t). Writes io->out[CLATTN_O] (rows,
 * or io->rows) and io->out[CLATTN_STATE_OUT] if it is there; starts from slot STATE_IN if it is there. Keys hidden by
 * KEY_PADDING add nothing.
 */
clattn_status ct_reference_linear(const clattn_problem *problem, const ct_linear_branch *branch, ct_reference_io *io,
                                  const clattn_allocator *allocator);
/* Its gradients: what arrives is DO and, if it is there, DSTATE_OUT; adds to those of DQ, DK, DV, DSTATE_IN,
 * DDECAY that are there. With io->rows: the heads whose rows are among them. */
clattn_status ct_reference_linear_backward(const clattn_problem *problem, const ct_linear_branch *branch,
                                           ct_reference_io *io, const clattn_allocator *allocator);
/* The same from the other side, without states: o_i = sum over visible j of weight_ij scale (phi(q_i).phi(k_j)) v_j,
 * weight the product of the decays between, divided by (sum of the same without v + epsilon) if normalise. Visible:
 * causal (bottom-right), not padded, and not in a listed block of branch->layout (whole blocks; the layout's token
 * rules do not count). Decay needs nq = nk. */
clattn_status ct_reference_linear_pairs(const clattn_problem *problem, const ct_linear_branch *branch,
                                        ct_reference_io *io, const clattn_allocator *allocator);
/* Its gradients, for branches that are not causal; rows as in io. */
clattn_status ct_reference_linear_pairs_backward(const clattn_problem *problem, const ct_linear_branch *branch,
                                                 ct_reference_io *io, const clattn_allocator *allocator);
/* g = ln(decay) <= 0 of every head, from the problem's law or, for HEAD, from slot DECAY. Not for TOKEN. */
clattn_status ct_linear_decays(const clattn_problem *problem, clattn_decay law, const ct_reference_io *io, double *g,
                               const clattn_allocator *allocator);

#endif
