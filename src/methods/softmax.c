#include "methods/softmax.h"

#include "attend/attend.h"
#include "methods/reference_softmax.h"

clattn_status ct_softmax_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend attend;
    CT_TRY(ct_attend_of(b, problem, layout, &attend));
    CT_TRY(ct_attend_add(b, &attend));
out:
    return st;
}

clattn_status ct_softmax_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                   const clattn_allocator *allocator)
{
    const ct_softmax_branch branch = ct_softmax_branch_of(problem, layout);
    return ct_reference_softmax(problem, &branch, io, allocator);
}
