#include "methods/linear.h"

#include "accumulate/accumulate.h"
#include "methods/reference_linear.h"

static clattn_status add(ct_builder *b, const clattn_problem *problem, bool steps)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate a;
    CT_TRY(ct_accumulate_of(b, problem, &a));
    a.steps = steps;
    CT_TRY(ct_accumulate_add(b, &a));
    ct_builder_work(b, ct_accumulate_work(&a));
out:
    return st;
}

clattn_status ct_linear_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    (void)layout;
    return add(b, problem, false);
}

clattn_status ct_linear_steps(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    (void)layout;
    return add(b, problem, true);
}

clattn_status ct_linear_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                  const clattn_allocator *allocator)
{
    (void)layout;
    const ct_linear_branch branch = ct_linear_branch_of(problem);
    return ct_reference_linear(problem, &branch, io, allocator);
}

const ct_method ct_method_linear = {
    .name = "linear",
    .text = "linear attention: S = decay S + phi(k) v^T, o = scale S^T phi(q)",
    .linear = true,
    .mapped = true,
    .check = ct_accumulate_check,
    .build = {[CLATTN_FWD] = ct_linear_build, [CLATTN_DECODE] = ct_linear_steps},
    .reference = ct_linear_reference,
};
