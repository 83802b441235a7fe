/* sparse_linear:  softmax over the chosen blocks + linear attention  phi(q) S / (phi(q) z)  over every key, or over the
 * keys of the blocks not chosen (remaining = 1); with a gate g softmax + (1 - g) linear. After SLA (sparse-linear
 * attention). The linear half is normalised and knows no order: causal = 0. phi is the problem's feature, softmax over
 * the head's width where that is identity, which could not be normalised. A half without a key adds 0. */
#include "accumulate/accumulate.h"
#include "accumulate/backward.h"
#include "line/gate.h"
#include "merge/merge.h"
#include "methods/branches.h"
#include "plan/method.h"
#include "methods/reference_linear.h"
#include "methods/reference_softmax.h"
#include "methods/reference_span.h"
#include "methods/softmax.h"
#include "plan/problem.h"
#include "plan/slots.h"

static clattn_status check(const clattn_problem *p)
{
    if (p->causal == 1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "causal=1: the linear half of sparse_linear has no order; causal=0");
    }
    if (p->decay != CLATTN_DECAY_NONE) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "decay: the linear half of sparse_linear has no order; decay=none");
    }
    if (p->state) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "state=%d: sparse_linear carries no state; state=0", p->state);
    }
    return CLATTN_OK;
}

static clattn_feature feature_of(const clattn_problem *p)
{
    return p->feature == CLATTN_IDENTITY ? CLATTN_SOFTMAX : p->feature;
}

/* The problem as the linear half sees it. */
static clattn_problem linear_half(const clattn_problem *p)
{
    clattn_problem half = *p;
    half.causal = 0;
    half.scale = 1.0;
    half.feature = feature_of(p);
    half.normalise = 1;
    return half;
}

static clattn_status build(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend chosen;
    ct_accumulate rest;
    const clattn_problem half = linear_half(p);
    const int64_t rows = p->b * p->hq * p->nq;
    const clattn_strides dense = ct_dense_strides(p->hq, p->nq, p->dv);
    CT_TRY(ct_softmax_of(b, p, layout, &chosen));
    ct_builder_drop(b, CLATTN_LSE); /* it would be that of one half */
    CT_TRY(ct_accumulate_of(b, &half, &rest));
    ct_merge_gate m = {.batch = p->b,
                       .heads = p->hq,
                       .rows = p->nq,
                       .dv = p->dv,
                       .sum = true,
                       .o = chosen.o,
                       .o_strides = chosen.os,
                       .o_dtype = chosen.out};
    CT_TRY(ct_gate_of(b, &m.gate));
    chosen.o = ct_builder_zone(b, "softmax o", rows * p->dv, 4);
    chosen.lse = ct_builder_zone(b, "softmax lse", rows, 4);
    chosen.os = dense;
    chosen.out = CLATTN_F32;
    rest.o = ct_builder_zone(b, "linear o", rows * p->dv, 4);
    rest.o_strides = dense;
    rest.o_dtype = CLATTN_F32;
    if (p->remaining) {
        CT_TRY(ct_blocks_on_device(b, layout, &chosen.blocks));
        rest.left_out = &chosen.blocks;
    }
    CT_TRY(ct_accumulate_add(b, &rest));
    ct_builder_work(b, ct_accumulate_work(&rest));
    CT_TRY(ct_softmax_add(b, &chosen));
    m.o_a = chosen.o;
    m.o_b = rest.o;
    CT_TRY(ct_merge_gate_add(b, &m));
out:
    return st;
}

/* With a gate: the linear half made again, and what arrives at each half, and at the gate. */
static clattn_status share(ct_builder *b, const clattn_problem *p, const ct_attend *chosen, const ct_accumulate *rest,
                           ct_ref gate, ct_merge_gate_gradient *made)
{
    clattn_status st = CLATTN_OK;
    const int64_t rows = p->b * p->hq * p->nq;
    ct_accumulate again = *rest;
    again.o = ct_builder_zone(b, "linear o", rows * p->dv, 4);
    again.o_strides = ct_dense_strides(p->hq, p->nq, p->dv);
    again.o_dtype = CLATTN_F32;
    const ct_merge_gate m = {.batch = p->b,
                             .heads = p->hq,
                             .rows = p->nq,
                             .dv = p->dv,
                             .o_a = chosen->o,
                             .o_b = again.o,
                             .lse_a = ct_nothing(),
                             .lse_b = ct_nothing(),
                             .gate = gate,
                             .o_strides = chosen->os,
                             .o_dtype = p->dtype};
    made->a_strides = chosen->os;
    made->b_strides = again.o_strides;
    made->share_a = ct_builder_zone(b, "share of the softmax", rows, 4);
    made->share_b = ct_builder_zone(b, "share of the linear half", rows, 4);
    made->linear = p->gate == 2;
    made->dgate = ct_gate_gradient_of(b);
    CT_TRY(ct_accumulate_add(b, &again));
    CT_TRY(ct_merge_gate_backward_add(b, &m, made));
out:
    return st;
}

static clattn_status build_backward(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend chosen;
    ct_accumulate rest;
    ct_attend_gradient of_chosen, of_rest;
    ct_ref gate = ct_nothing();
    const clattn_problem half = linear_half(p);
    ct_merge_gate_gradient shares = {
        .share_a = ct_nothing(), .share_b = ct_nothing(), .da = ct_nothing(), .db = ct_nothing()};
    CT_TRY(ct_softmax_of(b, p, layout, &chosen));
    ct_builder_drop(b, CLATTN_O); /* each half has its own, made again */
    ct_builder_drop(b, CLATTN_LSE);
    CT_TRY(ct_accumulate_of(b, &half, &rest));
    CT_TRY(ct_gate_of(b, &gate));
    shares.g = ct_builder_slot(b, CLATTN_DO, 2);
    if (p->remaining) {
        CT_TRY(ct_blocks_on_device(b, layout, &chosen.blocks));
        rest.left_out = &chosen.blocks;
    }
    CT_TRY(ct_branch_forward(b, &chosen));
    if (p->gate) {
        CT_TRY(share(b, p, &chosen, &rest, gate, &shares));
    }
    const ct_ref dsink = p->sink ? ct_builder_slot(b, CLATTN_DSINK, 1) : ct_nothing();
    const ct_ref dslopes = p->alibi == 2 ? ct_builder_slot(b, CLATTN_DALIBI_SLOPES, 1) : ct_nothing();
    const ct_ref dbias = p->bias ? ct_builder_slot(b, CLATTN_DBIAS, 1) : ct_nothing();
    CT_TRY(ct_branch_backward(b, &chosen, shares.g, shares.share_a, dsink, dslopes, dbias, &of_chosen));
    of_rest = of_chosen;
    of_rest.dq = ct_builder_zone(b, "dq of the linear half", p->b * p->hq * p->nq * p->dqk, 4);
    of_rest.dk = ct_builder_zone(b, "dk of the linear half", p->b * p->hk * p->nk * p->dqk, 4);
    of_rest.dv = ct_builder_zone(b, "dv of the linear half", p->b * p->hk * p->nk * p->dv, 4);
    const ct_accumulate_gradient gradient = {.g = shares.g,
                                             .weight = shares.share_b,
                                             .dq = of_rest.dq,
                                             .dk = of_rest.dk,
                                             .dv = of_rest.dv,
                                             .dqs = of_rest.dqs,
                                             .dks = of_rest.dks,
                                             .dvs = of_rest.dvs,
                                             .out = CLATTN_F32,
                                             .layout = layout,
                                             .dstate_out = ct_nothing(),
                                             .dstate_in = ct_nothing(),
                                             .ddecay = ct_nothing()};
    CT_TRY(ct_accumulate_backward_add(b, &rest, &gradient));
    CT_TRY(ct_branch_results(b, &of_chosen, &of_rest, p->gate == 2 ? shares.dgate : ct_nothing()));
    if (p->gate == 2) {
        CT_TRY(ct_gate_backward_add(b, shares.dgate));
    }
out:
    return st;
}

/* Adds the linear half `rest` to the softmax half in io->out[CLATTN_O]. */
static void add_halves(const clattn_problem *p, ct_reference_io *io, const double *rest, const double *gate)
{
    const int64_t count = io->rows ? io->n_rows : p->b * p->hq * p->nq;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = io->rows ? io->rows[i] : i;
        const double a = p->gate ? gate[row] : 1.0, b = p->gate ? 1.0 - gate[row] : 1.0;
        for (int64_t d = row * p->dv; d < (row + 1) * p->dv; d++) {
            const double sum = a * io->out[CLATTN_O][d] + b * rest[d];
            io->out[CLATTN_O][d] = io->single ? (double)(float)sum : sum;
        }
    }
}

/* Both halves' gradients: `mine` holds the outputs of the forward pass, softmax and `rest`. */
static clattn_status gradients(const clattn_problem *p, const ct_softmax_branch *softmax,
                               const ct_linear_branch *linear, ct_reference_io *io, const double *o, const double *rest,
                               const double *gate, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem half = linear_half(p);
    const int64_t rows = p->b * p->hq * p->nq, count = io->rows ? io->n_rows : rows;
    ct_reference_io mine = *io;
    double *g[2] = {ct_alloc_array(allocator, (size_t)(rows * p->dv), sizeof(double)),
                    ct_alloc_array(allocator, (size_t)(rows * p->dv), sizeof(double))};
    if (!g[0] || !g[1]) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the gradients of %lld rows", (long long)rows);
    }
    ct_reference_zero_gradients(p, io);
    for (int64_t i = 0; i < rows * p->dv; i++) {
        const double share = p->gate ? gate[i / p->dv] : 1.0, y = io->in[CLATTN_DO][i];
        const double a = share * y, c = (p->gate ? 1.0 - share : 1.0) * y;
        g[0][i] = io->single ? (double)(float)a : a;
        g[1][i] = io->single ? (double)(float)c : c;
    }
    for (int64_t i = 0; i < count && p->gate; i++) {
        const int64_t row = io->rows ? io->rows[i] : i;
        ct_reference_gate_backward(p, io, row, gate[row], o + row * p->dv, rest + row * p->dv);
    }
    mine.in[CLATTN_DO] = g[0];
    mine.out[CLATTN_DSTATE_IN] = mine.out[CLATTN_DDECAY] = NULL; /* it has neither */
    mine.in[CLATTN_O] = o;
    mine.in[CLATTN_LSE] = NULL; /* behind an epilogue stands one that this method does not write */
    mine.in[CLATTN_DLSE] = NULL;
    CT_TRY(ct_reference_softmax_backward(p, softmax, &mine, allocator));
    mine.in[CLATTN_DO] = g[1];
    CT_TRY((p->remaining ? ct_reference_linear_pairs_backward : ct_reference_linear_backward)(&half, linear, &mine,
                                                                                              allocator));
out:
    ct_release(allocator, g[1]);
    ct_release(allocator, g[0]);
    return st;
}

static clattn_status reference(const clattn_problem *p, const clattn_layout *layout, ct_reference_io *io,
                               const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem half = linear_half(p);
    const ct_softmax_branch softmax = ct_softmax_branch_of(p, layout);
    ct_linear_branch linear = ct_linear_branch_of(&half);
    ct_reference_io mine = *io;
    const size_t rows = (size_t)(p->b * p->hq * p->nq);
    double *rest = ct_alloc_array(allocator, rows * (size_t)p->dv, sizeof(double));
    double *gate = ct_alloc_array(allocator, rows, sizeof(double));
    double *o = ct_alloc_array(allocator, rows * (size_t)p->dv, sizeof(double));
    if (!rest || !gate || !o) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the linear half of %zu rows", rows);
    }
    mine.out[CLATTN_LSE] = mine.out[CLATTN_STATE_OUT] = NULL;
    mine.out[CLATTN_O] = p->pass == CLATTN_BWD ? o : io->out[CLATTN_O];
    CT_TRY(ct_reference_softmax(p, &softmax, &mine, allocator));
    mine.out[CLATTN_O] = rest;
    linear.layout = p->remaining ? layout : NULL;
    CT_TRY((p->remaining ? ct_reference_linear_pairs : ct_reference_linear)(&half, &linear, &mine, allocator));
    if (p->gate) {
        ct_reference_gate(p, io, gate);
    }
    if (p->pass == CLATTN_BWD) {
        CT_TRY(gradients(p, &softmax, &linear, io, o, rest, gate, allocator));
    } else {
        add_halves(p, io, rest, gate);
    }
out:
    ct_release(allocator, o);
    ct_release(allocator, gate);
    ct_release(allocator, rest);
    return st;
}

const ct_method ct_method_sparse_linear = {
    .name = "sparse_linear",
    .text = "softmax over chosen blocks plus linear attention over all or the remaining keys",
    .softmax = true,
    .linear = true,
    .mapped = true,
    .patterned = true,
    .gated = true,
    .check = check,
    .build = {[CLATTN_FWD] = build, [CLATTN_BWD] = build_backward},
    .reference = reference,
};
