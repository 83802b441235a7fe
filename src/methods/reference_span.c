#include "methods/reference_span.h"

#include "plan/slots.h"

int64_t ct_span_count(const clattn_problem *problem)
{
    return problem->sequences > 0 ? problem->sequences : problem->b;
}

ct_span ct_span_of(const clattn_problem *problem, const ct_reference_io *io, int64_t sequence)
{
    if (problem->sequences == 0) {
        return (ct_span){sequence, sequence, 0, problem->nq, 0, problem->nk};
    }
    const double *q = io->in[CLATTN_CU_SEQLENS];
    const double *k = io->in[CLATTN_CU_SEQLENS_K] ? io->in[CLATTN_CU_SEQLENS_K] : q;
    return (ct_span){sequence,
                     0,
                     (int64_t)q[sequence],
                     (int64_t)(q[sequence + 1] - q[sequence]),
                     (int64_t)k[sequence],
                     (int64_t)(k[sequence + 1] - k[sequence])};
}

ct_span ct_span_at(const clattn_problem *problem, const ct_reference_io *io, int64_t batch, int64_t row, int64_t *local)
{
    const int64_t count = problem->sequences;
    if (count == 0) {
        *local = row;
        return ct_span_of(problem, io, batch);
    }
    for (int64_t s = 0; s < count; s++) {
        const ct_span span = ct_span_of(problem, io, s);
        if (row >= span.q0 && row < span.q0 + span.nq) {
            *local = row - span.q0;
            return span;
        }
    }
    *local = 0;
    return (ct_span){0, 0, row, 0, 0, 0};
}

void ct_reference_zero_gradients(const clattn_problem *problem, ct_reference_io *io)
{
    for (int slot = CLATTN_DQ; slot < CLATTN_SLOT_COUNT; slot++) {
        int64_t dims[CT_MOST_DIMS], count = 1;
        const int rank = io->out[slot] ? ct_slot_shape(problem, NULL, (clattn_slot)slot, dims) : 0;
        for (int i = 0; i < rank; i++) {
            count *= dims[i];
        }
        for (int64_t i = 0; i < count && rank; i++) {
            io->out[slot][i] = 0.0;
        }
    }
}
