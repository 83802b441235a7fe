#include "methods/branches.h"

#include "line/sum.h"
#include "methods/softmax.h"
#include "plan/slots.h"

clattn_status ct_branch_forward(ct_builder *b, ct_attend *a)
{
    const int64_t room = (a->b - 1) * a->os.batch + (a->hq - 1) * a->os.head + (a->nq - 1) * a->os.row + a->dv;
    a->o = ct_builder_zone(b, "o of a branch", room, 4);
    a->lse = ct_builder_zone(b, "lse of a branch", a->b * a->hq * a->nq, 4);
    a->out = CLATTN_F32;
    ct_builder_again(b, true);
    const clattn_status st = ct_softmax_add(b, a);
    ct_builder_again(b, false);
    return st;
}

clattn_status ct_branch_backward(ct_builder *b, const ct_attend *a, ct_ref g, ct_ref weight, ct_ref dsink,
                                 ct_ref dslopes, ct_ref dbias, ct_attend_gradient *made)
{
    *made = (ct_attend_gradient){
        .g = g,
        .dlse = ct_nothing(),
        .weight = weight,
        .dq = ct_builder_zone(b, "dq of a branch", a->b * a->hq * a->nq * a->dqk, 4),
        .dk = ct_builder_zone(b, "dk of a branch", a->b * a->hk * a->nk * a->dqk, 4),
        .dv = ct_builder_zone(b, "dv of a branch", a->b * a->hk * a->nk * a->dv, 4),
        .dqs = ct_dense_strides(a->hq, a->nq, a->dqk),
        .dks = ct_dense_strides(a->hk, a->nk, a->dqk),
        .dvs = ct_dense_strides(a->hk, a->nk, a->dv),
        .out = CLATTN_F32,
        .dsink = dsink,
        .dslopes = dslopes,
        .dbias = dbias,
    };
    return ct_attend_backward_add(b, a, made);
}

clattn_status ct_branch_result(ct_builder *b, clattn_slot slot, ct_ref x, ct_ref y, ct_ref factor)
{
    const clattn_problem *p = ct_builder_problem(b);
    int64_t dims[CT_MOST_DIMS];
    ct_slot_shape(p, NULL, slot, dims);
    ct_builder_serves(b, CT_ONE_SLOT(slot));
    const ct_sum_rows sum = {.batch = dims[0],
                             .heads = dims[1],
                             .rows = dims[2],
                             .width = dims[3],
                             .x = x,
                             .y = y,
                             .factor = factor,
                             .weight = ct_is(factor) ? ct_builder_slot(b, CLATTN_GATE_WEIGHT, 2) : ct_nothing(),
                             .to = ct_builder_slot(b, slot, 1),
                             .strides = ct_slot_strides(p, slot),
                             .dtype = p->dtype};
    const clattn_status st = ct_sum_rows_add(b, &sum);
    ct_builder_serves(b, 0);
    return st;
}

clattn_status ct_branch_results(ct_builder *b, const ct_attend_gradient *x, const ct_attend_gradient *y, ct_ref dlogit)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(ct_branch_result(b, CLATTN_DQ, x->dq, y->dq, dlogit));
    CT_TRY(ct_branch_result(b, CLATTN_DK, x->dk, y->dk, ct_nothing()));
    CT_TRY(ct_branch_result(b, CLATTN_DV, x->dv, y->dv, ct_nothing()));
out:
    return st;
}
