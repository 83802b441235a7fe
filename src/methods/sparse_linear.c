/* sparse_linear:  softmax over the chosen blocks + linear attention  phi(q) S / (phi(q) z)  over every key, or over the
 * keys of the blocks not chosen (remaining = 1); with a gate g softmax + (1 - g) linear. After SLA (sparse-linear
 * attention). The linear half is normalised and knows no order: causal = 0. phi is the problem's feature, softmax over
 * the head's width where that is identity, which could not be normalised. A half without a key adds 0. */
#include "accumulate/accumulate.h"
#include "line/gate.h"
#include "merge/merge.h"
#include "plan/method.h"
#include "methods/reference_linear.h"
#include "methods/reference_softmax.h"
#include "methods/softmax.h"
#include "plan/problem.h"

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
    const clattn_strides dense = {p->hq * p->nq * p->dv, p->nq * p->dv, p->dv};
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
    if (!rest || !gate) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the linear half of %zu rows", rows);
    }
    mine.out[CLATTN_LSE] = mine.out[CLATTN_STATE_OUT] = NULL;
    CT_TRY(ct_reference_softmax(p, &softmax, &mine, allocator));
    mine.out[CLATTN_O] = rest;
    linear.layout = p->remaining ? layout : NULL;
    CT_TRY((p->remaining ? ct_reference_linear_pairs : ct_reference_linear)(&half, &linear, &mine, allocator));
    if (p->gate) {
        ct_reference_gate(p, io, gate);
    }
    add_halves(p, io, rest, gate);
out:
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
    .build = {[CLATTN_FWD] = build},
    .reference = reference,
};
