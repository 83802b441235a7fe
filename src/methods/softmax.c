#include "methods/softmax.h"

#include "attend/backward.h"
#include "merge/merge.h"
#include "methods/reference_softmax.h"
#include "methods/reference_span.h"
#include "select/select.h"

clattn_status ct_softmax_of(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout, ct_attend *a)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(ct_attend_of(b, problem, layout, a));
    if (layout && layout->source == CT_LAYOUT_SCORES) {
        CT_TRY(ct_select_scores(b, a->causal, &a->blocks));
    }
out:
    return st;
}

clattn_status ct_softmax_add(ct_builder *b, const ct_attend *a)
{
    clattn_status st = CLATTN_OK;
    ct_partials p;
    CT_TRY(ct_attend_add(b, a, &p));
    if (p.parts > 1) {
        const ct_merge_lse merge = {.parts = p.parts,
                                    .batch = a->b,
                                    .heads = a->hq,
                                    .rows = a->nq,
                                    .dv = a->dv,
                                    .o_parts = p.o,
                                    .lse_parts = p.lse,
                                    .summed = true,
                                    .o = a->o,
                                    .o_strides = a->os,
                                    .o_dtype = a->out,
                                    .lse = a->lse};
        CT_TRY(ct_merge_lse_add(b, &merge));
    }
out:
    return st;
}

clattn_status ct_softmax_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend attend;
    CT_TRY(ct_softmax_of(b, problem, layout, &attend));
    CT_TRY(ct_softmax_add(b, &attend));
out:
    return st;
}

/* The gradient of an input that the problem may do without. */
static ct_ref wanted(ct_builder *b, bool there, clattn_slot slot)
{
    return there ? ct_builder_slot(b, slot, 1) : ct_nothing();
}

clattn_status ct_softmax_build_backward(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend attend;
    CT_TRY(ct_softmax_of(b, problem, layout, &attend));
    const ct_attend_gradient gradient = {.g = ct_builder_slot(b, CLATTN_DO, 2),
                                         .dlse = ct_builder_slot(b, CLATTN_DLSE, 1),
                                         .dq = ct_builder_slot(b, CLATTN_DQ, 1),
                                         .dk = ct_builder_slot(b, CLATTN_DK, 1),
                                         .dv = ct_builder_slot(b, CLATTN_DV, 1),
                                         .dqs = attend.qs,
                                         .dks = attend.ks,
                                         .dvs = attend.vs,
                                         .out = attend.out,
                                         .dsink = wanted(b, problem->sink, CLATTN_DSINK),
                                         .dslopes = wanted(b, problem->alibi == 2, CLATTN_DALIBI_SLOPES),
                                         .dbias = wanted(b, problem->bias, CLATTN_DBIAS)};
    CT_TRY(ct_attend_backward_add(b, &attend, &gradient));
out:
    return st;
}

clattn_status ct_softmax_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                   const clattn_allocator *allocator)
{
    const ct_softmax_branch branch = ct_softmax_branch_of(problem, layout);
    if (problem->pass == CLATTN_BWD) {
        ct_reference_zero_gradients(problem, io);
        return ct_reference_softmax_backward(problem, &branch, io, allocator);
    }
    return ct_reference_softmax(problem, &branch, io, allocator);
}
