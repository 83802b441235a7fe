#include "demo.h"
#include "plan/method.h"

#include <math.h>

/* The head's share of a slot as doubles. */
static clattn_status read_head(const runner *r, clattn_slot slot, int64_t head, int64_t count, double **out)
{
    clattn_status st = CLATTN_OK;
    float *values = ct_alloc_array(NULL, (size_t)count, sizeof *values);
    double *wide = ct_alloc_array(NULL, (size_t)count, sizeof *wide);
    *out = wide;
    if (!values || !wide) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld values of %s", (long long)count, clattn_slot_name(slot));
    }
    const size_t bytes = (size_t)count * sizeof *values;
    CT_TRY(runner_read(r, slot, (size_t)head * bytes, values, bytes));
    for (int64_t i = 0; i < count; i++) {
        wide[i] = values[i];
    }
out:
    ct_release(NULL, values);
    return st;
}

clattn_status demo_compare(const runner *r, const clattn_problem *problem, int64_t head, int rows, double *error,
                           double *scale)
{
    enum { MOST = 64 };
    const clattn_slot slots[] = {CLATTN_Q, CLATTN_K, CLATTN_V, CLATTN_GATE};
    const int64_t counts[] = {problem->nq * problem->dqk, problem->nk * problem->dqk, problem->nk * problem->dv,
                              problem->nq};
    const ct_method *method = ct_method_find(problem->method);
    clattn_status st = CLATTN_OK;
    clattn_problem one = *problem;
    clattn_layout *layout = NULL;
    double *in[CT_COUNT(slots)] = {NULL}, *got = NULL, *want = NULL;
    int64_t list[MOST];
    ct_reference_io io = {.rows = list, .n_rows = rows < MOST ? rows : MOST};
    one.hq = one.hk = 1;
    for (size_t i = 0; i < CT_COUNT(slots); i++) {
        if (r->mem[slots[i]]) {
            CT_TRY(read_head(r, slots[i], head, counts[i], &in[i]));
            io.in[slots[i]] = in[i];
        }
    }
    CT_TRY(read_head(r, CLATTN_O, head, problem->nq * problem->dv, &got));
    want = io.out[CLATTN_O] = ct_alloc_array(NULL, (size_t)(problem->nq * problem->dv), sizeof *want);
    if (!want) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the reference");
    }
    if (method->patterned) {
        CT_TRY(clattn_layout_from_problem(&layout, &one, NULL));
    }
    /* spread over the sequence, the first and the last among them */
    for (int64_t i = 0; i < io.n_rows; i++) {
        list[i] = io.n_rows == 1 ? 0 : i * (problem->nq - 1) / (io.n_rows - 1);
    }
    CT_TRY(method->reference(&one, layout, &io, NULL));
    *error = *scale = 0;
    for (int64_t i = 0; i < io.n_rows; i++) {
        for (int64_t d = 0; d < problem->dv; d++) {
            const int64_t at = list[i] * problem->dv + d;
            const double off = fabs(got[at] - want[at]);
            *error = off <= *error ? *error : off; /* NaN stays */
            *scale = fmax(*scale, fabs(want[at]));
        }
    }
out:
    for (size_t i = 0; i < CT_COUNT(slots); i++) {
        ct_release(NULL, in[i]);
    }
    ct_release(NULL, got);
    ct_release(NULL, want);
    clattn_layout_release(layout);
    return st;
}
