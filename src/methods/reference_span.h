/* Where a sequence lies in the tensors of a reference: unpacked, every batch entry is a sequence of its own. */
#ifndef CT_REFERENCE_SPAN_H
#define CT_REFERENCE_SPAN_H

#include "plan/method.h"

typedef struct ct_span {
    int64_t sequence; /* batch entry or packed sequence: what state and texts count by */
    int64_t batch;    /* of the tensors: 0 if packed */
    int64_t q0, nq;   /* first query row in the tensor, and how many */
    int64_t k0, nk;
} ct_span;

int64_t ct_span_count(const clattn_problem *problem);
ct_span ct_span_of(const clattn_problem *problem, const ct_reference_io *io, int64_t sequence);
/* The span that holds query row `row` of batch entry `batch`; *local gets its row in the span. nq = 0 if none does. */
ct_span ct_span_at(const clattn_problem *problem, const ct_reference_io *io, int64_t batch, int64_t row,
                   int64_t *local);
/* From element `at` on, of an array that may not be wanted. */
static inline double *ct_reference_part(double *all, int64_t at)
{
    return all ? all + at : NULL;
}
/* Zeros in every gradient that is wanted. */
void ct_reference_zero_gradients(const clattn_problem *problem, ct_reference_io *io);

#endif
