#include "methods/linear.h"

#include "accumulate/accumulate.h"
#include "accumulate/backward.h"
#include "methods/reference_linear.h"
#include "methods/reference_span.h"

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

clattn_status ct_linear_build_backward(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate a;
    (void)layout;
    CT_TRY(ct_accumulate_of(b, problem, &a));
    const ct_accumulate_gradient gradient = {
        .g = ct_builder_slot(b, CLATTN_DO, 2),
        .dq = ct_builder_slot(b, CLATTN_DQ, 1),
        .dk = ct_builder_slot(b, CLATTN_DK, 1),
        .dv = ct_builder_slot(b, CLATTN_DV, 1),
        .dqs = a.q_strides,
        .dks = a.k_strides,
        .dvs = a.v_strides,
        .out = a.o_dtype,
        .dstate_out = problem->state ? ct_builder_slot(b, CLATTN_DSTATE_OUT, 1) : ct_nothing(),
        .dstate_in = problem->state ? ct_builder_slot(b, CLATTN_DSTATE_IN, 1) : ct_nothing(),
        .ddecay = problem->ddecay ? ct_builder_slot(b, CLATTN_DDECAY, 1) : ct_nothing()};
    CT_TRY(ct_accumulate_backward_add(b, &a, &gradient));
out:
    return st;
}

clattn_status ct_linear_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                  const clattn_allocator *allocator)
{
    (void)layout;
    const ct_linear_branch branch = ct_linear_branch_of(problem);
    if (problem->pass == CLATTN_BWD) {
        ct_reference_zero_gradients(problem, io);
        return ct_reference_linear_backward(problem, &branch, io, allocator);
    }
    return ct_reference_linear(problem, &branch, io, allocator);
}

const ct_method ct_method_linear = {
    .name = "linear",
    .text = "linear attention: S = decay S + phi(k) v^T, o = scale S^T phi(q)",
    .linear = true,
    .mapped = true,
    .check = ct_accumulate_check,
    .build =
        {[CLATTN_FWD] = ct_linear_build, [CLATTN_BWD] = ct_linear_build_backward, [CLATTN_DECODE] = ct_linear_steps},
    .reference = ct_linear_reference,
};
