/* Naive softmax attention on the host, by the definition in clattn.h: plain loops, no blocks, no online sums.
 * One text (reference_softmax.inc) compiled with double and with float; io->single chooses. */
#ifndef CT_REFERENCE_SOFTMAX_H
#define CT_REFERENCE_SOFTMAX_H

#include "layout/layout.h"
#include "plan/method.h"

/* What one softmax is taken over. Everything else (sizes, softcap, ALiBi, bias, sink, padding, sequences) is the
 * problem's. */
typedef struct ct_softmax_branch {
    const clattn_layout *layout; /* NULL: every key. Contents on the device are read from io's slots */
    /* NULL: every key; else only the keys at these n_keys positions (of the sequence, if packed) */
    const int32_t *keys;
    int64_t n_keys;
    int causal;
    int64_t window_left, window_right;
    double scale;
    bool sink; /* slot SINK is a logit of this softmax */
} ct_softmax_branch;

/* The problem's own branch; scale = NaN and causal = -1 become 1/sqrt(dqk) and 0; no window
 * for patterns whose token rule holds it. */
ct_softmax_branch ct_softmax_branch_of(const clattn_problem *problem, const clattn_layout *layout);
/* Writes io->out[CLATTN_O] and io->out[CLATTN_LSE] (either may be NULL) of one branch: all rows, or io->rows only. */
clattn_status ct_reference_softmax(const clattn_problem *problem, const ct_softmax_branch *branch, ct_reference_io *io,
                                   const clattn_allocator *allocator);
/* The gradients of that branch, by the definition: added to io->out[DQ, DK, DV, ...], each where it is wanted;
 * reads DO, DLSE, and in single precision O and LSE, from which a kernel takes delta and weights. */
clattn_status ct_reference_softmax_backward(const clattn_problem *problem, const ct_softmax_branch *branch,
                                            ct_reference_io *io, const clattn_allocator *allocator);
/* Is the block in the list of that head (of that batch)? Reads slots for a layout whose contents are on the device. */
bool ct_reference_has_block(const clattn_layout *layout, const ct_reference_io *io, int64_t batch, int head,
                            int64_t row, int64_t col);
/* Does the layout let query i of a sequence see key j of it? Block list and token rule; `shift` = keys - queries of the
 * sequence (unpacked: nk - nq). */
bool ct_reference_listed(const clattn_layout *layout, const ct_reference_io *io, int64_t batch, int head, int64_t query,
                         int64_t key, int64_t shift);
/* Writes slot LISTS of a layout that chooses, where it is wanted. */
void ct_reference_choices(const clattn_problem *problem, const clattn_layout *layout, const ct_reference_io *io);
/* The gate g of problem->gate (1: slot GATE, 2: sigmoid of the linear map of q), into gate [b, hq, nq]; rows as in io.
 */
void ct_reference_gate(const clattn_problem *problem, const ct_reference_io *io, double *gate);
/* Of row `row` of a gated sum of two branches, a and b: adds to DGATE, or to DGATE_WEIGHT, DGATE_BIAS and DQ. */
void ct_reference_gate_backward(const clattn_problem *problem, const ct_reference_io *io, int64_t row, double gate,
                                const double *a, const double *b);

#endif
