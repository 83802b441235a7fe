/* merge: results over disjoint key sets become one by their LSE; with a gate, the gated sum of two branches. */
#include <math.h>

#include "line/gate.h"
#include "merge/merge.h"
#include "methods/branches.h"
#include "plan/method.h"
#include "methods/reference_softmax.h"
#include "methods/reference_span.h"
#include "plan/slots.h"

static int parts_of(const clattn_problem *problem)
{
    return problem->parts ? problem->parts : 2;
}

static clattn_status check(const clattn_problem *problem)
{
    if (problem->gate && parts_of(problem) != 2) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "parts=%d: a gated sum (gate=%d) has 2 branches", problem->parts,
                       problem->gate);
    }
    if (problem->sequences) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "sequences=%lld: merge takes rows as they come; give b=1 and nq=all of them",
                       (long long)problem->sequences);
    }
    return CLATTN_OK;
}

/* What is merged by LSE, and into what; lse: how much the slot is wanted. */
static ct_merge_lse partials_of(ct_builder *b, const clattn_problem *p, ct_ref o_parts, ct_ref lse_parts, int lse)
{
    return (ct_merge_lse){.parts = parts_of(p),
                          .batch = p->b,
                          .heads = p->hq,
                          .rows = p->nq,
                          .dv = p->dv,
                          .o_parts = o_parts,
                          .lse_parts = lse_parts,
                          .o = ct_builder_slot(b, CLATTN_O, 2),
                          .o_strides = ct_slot_strides(p, CLATTN_O),
                          .o_dtype = p->dtype,
                          .lse = ct_builder_slot(b, CLATTN_LSE, lse)};
}

/* What the branches of a gated sum are, and o. */
static ct_merge_gate branches_of(const clattn_problem *p, ct_ref o_parts, ct_ref lse_parts)
{
    const int64_t rows = p->b * p->hq * p->nq;
    return (ct_merge_gate){.batch = p->b,
                           .heads = p->hq,
                           .rows = p->nq,
                           .dv = p->dv,
                           .o_a = o_parts,
                           .o_b = ct_ref_at(o_parts, rows * p->dv),
                           .lse_a = lse_parts,
                           .lse_b = ct_ref_at(lse_parts, rows),
                           .o_strides = ct_slot_strides(p, CLATTN_O),
                           .o_dtype = p->dtype};
}

static clattn_status build_gate(ct_builder *b, const clattn_problem *p, ct_ref o_parts, ct_ref lse_parts)
{
    ct_merge_gate m = branches_of(p, o_parts, lse_parts);
    m.o = ct_builder_slot(b, CLATTN_O, 2);
    const clattn_status st = ct_gate_of(b, &m.gate);
    return st == CLATTN_OK ? ct_merge_gate_add(b, &m) : st;
}

static clattn_status build(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    (void)layout;
    const int parts = parts_of(p);
    const int64_t rows = p->b * p->hq * p->nq;
    const ct_ref o_parts = ct_builder_slot(b, CLATTN_O_PARTS, 2);
    const ct_ref lse_parts = ct_builder_slot(b, CLATTN_LSE_PARTS, p->gate ? 1 : 2);
    const double elements = (double)rows * (double)p->dv;
    ct_builder_work(b, (ct_work){.flop = 2.0 * parts * elements,
                                 .bytes = elements * (4.0 * parts + (double)clattn_dtype_size(p->dtype)) +
                                          4.0 * parts * (double)rows,
                                 .exps = (double)parts * (double)rows});
    if (p->gate) {
        return build_gate(b, p, o_parts, lse_parts);
    }
    const ct_merge_lse m = partials_of(b, p, o_parts, lse_parts, 1);
    return ct_merge_lse_add(b, &m);
}

static clattn_status build_gate_backward(ct_builder *b, const clattn_problem *p, ct_ref o_parts, ct_ref lse_parts)
{
    clattn_status st = CLATTN_OK;
    const int64_t rows = p->b * p->hq * p->nq;
    const clattn_strides dense = ct_dense_strides(p->hq, p->nq, p->dv);
    const ct_ref do_parts = ct_builder_slot(b, CLATTN_DO_PARTS, 1);
    ct_merge_gate m = branches_of(p, o_parts, lse_parts);
    CT_TRY(ct_gate_of(b, &m.gate));
    const ct_merge_gate_gradient gradient = {.g = ct_builder_slot(b, CLATTN_DO, 2),
                                             .a_strides = dense,
                                             .b_strides = dense,
                                             .share_a = ct_nothing(),
                                             .share_b = ct_nothing(),
                                             .linear = p->gate == 2,
                                             .dgate = ct_gate_gradient_of(b),
                                             .da = do_parts,
                                             .db = ct_ref_at(do_parts, rows * p->dv)};
    CT_TRY(ct_merge_gate_backward_add(b, &m, &gradient));
    if (p->gate == 2) {
        CT_TRY(ct_branch_result(b, CLATTN_DQ, ct_nothing(), ct_nothing(), gradient.dgate));
        CT_TRY(ct_gate_backward_add(b, gradient.dgate));
    }
out:
    return st;
}

static clattn_status build_backward(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    const ct_ref o_parts = ct_builder_slot(b, CLATTN_O_PARTS, 2);
    const ct_ref lse_parts = ct_builder_slot(b, CLATTN_LSE_PARTS, p->gate ? 1 : 2);
    const double elements = (double)(p->b * p->hq * p->nq * p->dv);
    (void)layout;
    ct_builder_work(b, (ct_work){.flop = 3.0 * parts_of(p) * elements, .bytes = 8.0 * parts_of(p) * elements});
    if (p->gate) {
        return build_gate_backward(b, p, o_parts, lse_parts);
    }
    const ct_merge_lse m = partials_of(b, p, o_parts, lse_parts, 2);
    const ct_merge_lse_gradient gradient = {.g = ct_builder_slot(b, CLATTN_DO, 2),
                                            .dlse = ct_builder_slot(b, CLATTN_DLSE, 1),
                                            .do_parts = ct_builder_slot(b, CLATTN_DO_PARTS, 1),
                                            .dlse_parts = ct_builder_slot(b, CLATTN_DLSE_PARTS, 1)};
    return ct_merge_lse_backward_add(b, &m, &gradient);
}

/* The weights of one row's parts; returns its LSE. */
static double weights_by_lse(const double *lse, int parts, int64_t pitch, double *weight)
{
    double top = -INFINITY, sum = 0.0;
    for (int p = 0; p < parts; p++) {
        top = fmax(top, lse[p * pitch]);
    }
    for (int p = 0; p < parts; p++) {
        weight[p] = lse[p * pitch] == -INFINITY ? 0.0 : exp(lse[p * pitch] - top);
        sum += weight[p];
    }
    for (int p = 0; p < parts; p++) {
        weight[p] /= sum == 0.0 ? 1.0 : sum;
    }
    return sum == 0.0 ? -INFINITY : top + log(sum);
}

static double rounded(const ct_reference_io *io, double x)
{
    return io->single ? (double)(float)x : x;
}

static double dot_of(const ct_reference_io *io, const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t d = n - 1; d >= 0; d--) {
        sum = rounded(io, sum + a[d] * b[d]);
    }
    return sum;
}

/* The gradients of one row's parts. In single precision dO . O is taken from the given O, as kernels do. */
static void row_backward(const clattn_problem *p, const ct_reference_io *io, int64_t row, int parts,
                         const double *weight)
{
    const int64_t all = p->b * p->hq * p->nq, dv = p->dv;
    const double *g = io->in[CLATTN_DO] + row * dv, *given = io->in[CLATTN_O_PARTS] + row * dv;
    const double arriving = io->in[CLATTN_DLSE] ? io->in[CLATTN_DLSE][row] : 0.0;
    double mean = 0.0;
    for (int i = 0; i < parts; i++) {
        mean += weight[i] != 0.0 ? weight[i] * dot_of(io, g, given + i * all * dv, dv) : 0.0;
    }
    if (io->single && io->in[CLATTN_O]) {
        mean = dot_of(io, g, io->in[CLATTN_O] + row * dv, dv);
    }
    for (int i = 0; i < parts; i++) {
        for (int64_t d = 0; io->out[CLATTN_DO_PARTS] && d < dv; d++) {
            io->out[CLATTN_DO_PARTS][(i * all + row) * dv + d] = rounded(io, weight[i] * g[d]);
        }
        if (io->out[CLATTN_DLSE_PARTS]) {
            const double dot = weight[i] != 0.0 ? dot_of(io, g, given + i * all * dv, dv) : mean - arriving;
            io->out[CLATTN_DLSE_PARTS][i * all + row] = rounded(io, weight[i] * (dot - mean + arriving));
        }
    }
}

static clattn_status reference(const clattn_problem *p, const clattn_layout *layout, ct_reference_io *io,
                               const clattn_allocator *allocator)
{
    (void)layout;
    clattn_status st = CLATTN_OK;
    const int parts = parts_of(p);
    const int64_t all = p->b * p->hq * p->nq, count = io->rows ? io->n_rows : all;
    double *weight = ct_alloc_array(allocator, (size_t)parts, sizeof(double));
    double *gate = ct_alloc_array(allocator, (size_t)all, sizeof(double));
    if (!weight || !gate) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the weights of %lld rows", (long long)all);
    }
    if (p->gate) {
        ct_reference_gate(p, io, gate);
    }
    if (p->pass == CLATTN_BWD) {
        ct_reference_zero_gradients(p, io);
    }
    for (int64_t r = 0; r < count; r++) {
        const int64_t row = io->rows ? io->rows[r] : r;
        const double *lse = io->in[CLATTN_LSE_PARTS] ? io->in[CLATTN_LSE_PARTS] + row : NULL;
        double total = -INFINITY;
        if (p->gate) {
            const bool none_a = lse && lse[0] == -INFINITY, none_b = lse && lse[all] == -INFINITY;
            weight[0] = none_b ? 1.0 : none_a ? 0.0 : gate[row];
            weight[1] = 1.0 - weight[0];
            if (p->pass == CLATTN_BWD && !none_a && !none_b) {
                const double *a = io->in[CLATTN_O_PARTS] + row * p->dv;
                ct_reference_gate_backward(p, io, row, gate[row], a, a + all * p->dv);
            }
        } else {
            total = weights_by_lse(lse, parts, all, weight);
        }
        if (p->pass == CLATTN_BWD) {
            row_backward(p, io, row, parts, weight);
            continue;
        }
        for (int64_t d = 0; io->out[CLATTN_O] && d < p->dv; d++) {
            double sum = 0.0;
            for (int i = 0; i < parts; i++) {
                sum += weight[i] != 0.0 ? weight[i] * io->in[CLATTN_O_PARTS][(i * all + row) * p->dv + d] : 0.0;
                sum = io->single ? (double)(float)sum : sum;
            }
            io->out[CLATTN_O][row * p->dv + d] = sum;
        }
        if (io->out[CLATTN_LSE] && !p->gate) {
            io->out[CLATTN_LSE][row] = io->single ? (double)(float)total : total;
        }
    }
out:
    ct_release(allocator, gate);
    ct_release(allocator, weight);
    return st;
}

const ct_method ct_method_merge = {
    .name = "merge",
    .text = "one result from several: over disjoint keys by their LSE, or a gated sum of two",
    .gated = true,
    .merges = true,
    .check = check,
    .build = {[CLATTN_FWD] = build, [CLATTN_BWD] = build_backward},
    .reference = reference,
};
