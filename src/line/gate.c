#include "line/gate.h"

#include "line/line.h"
#include "plan/arguments.h"
#include "plan/slots.h"

#include "../../cl/line/args.cl"

/* From a linear map of the query rows. */
static clattn_status add_rows(ct_builder *b, const clattn_problem *p, ct_ref *gate)
{
    const ct_line_rows rows = {.rows = p->nq, .heads = p->hq, .batches = p->b, .width = p->dqk};
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch_rows(b, "line/gate_rows.cl", "gate_rows", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    *gate = ct_builder_zone(b, "gate", p->b * p->hq * p->nq, 4);
    const struct {
        CT_REFS(GATE_ROWS)
    } buffers = {.q = ct_builder_slot(b, CLATTN_Q, 2),
                 .weight = ct_builder_slot(b, CLATTN_GATE_WEIGHT, 2),
                 .bias = ct_builder_slot(b, CLATTN_GATE_BIAS, 1),
                 .gate = *gate};
    const gate_rows_args args = {
        .q = ct_slot_strides(p, CLATTN_Q), .rows = p->nq, .heads = (i32)p->hq, .depth = (i32)p->dqk};
    ct_launch_define(l, "STORE", p->dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_gate_of(ct_builder *b, ct_ref *gate)
{
    const clattn_problem *p = ct_builder_problem(b);
    *gate = ct_nothing();
    if (p->gate == 1) {
        *gate = ct_builder_slot(b, CLATTN_GATE, 2);
    }
    return p->gate == 2 ? add_rows(b, p, gate) : CLATTN_OK;
}

ct_ref ct_gate_gradient_of(ct_builder *b)
{
    const clattn_problem *p = ct_builder_problem(b);
    return p->gate == 1   ? ct_builder_slot(b, CLATTN_DGATE, 1)
           : p->gate == 2 ? ct_builder_zone(b, "gradient of logits", p->b * p->hq * p->nq, 4)
                          : ct_nothing();
}

clattn_status ct_gate_backward_add(ct_builder *b, ct_ref dlogit)
{
    enum { ROWS_A_PART = 256 };
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = ct_builder_problem(b);
    const int64_t count = ct_ceil_div(p->b * p->nq, ROWS_A_PART);
    ct_launch *l = NULL;
    const ct_ref parts = ct_builder_zone(b, "sums of the gate", p->hq * count * (p->dqk + 1), 4);
    const struct {
        CT_REFS(GATE_SUMS)
    } buffers = {.q = ct_builder_slot(b, CLATTN_Q, 2), .dlogit = dlogit, .parts = parts};
    const gate_sums_args args = {.q = ct_slot_strides(p, CLATTN_Q),
                                 .rows = p->nq,
                                 .heads = (i32)p->hq,
                                 .depth = (i32)p->dqk,
                                 .batches = (i32)p->b,
                                 .part = ROWS_A_PART,
                                 .parts = (i32)count};
    const struct {
        CT_REFS(GATE_SUMMED)
    } summed = {.parts = parts,
                .weight = ct_builder_slot(b, CLATTN_DGATE_WEIGHT, 1),
                .bias = ct_builder_slot(b, CLATTN_DGATE_BIAS, 1)};
    const gate_summed_args sizes = {.depth = (i32)p->dqk, .parts = (i32)count};
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DGATE_WEIGHT) | CT_ONE_SLOT(CLATTN_DGATE_BIAS));
    CT_TRY(ct_line_launch(b, "line/gate_sums.cl", "gate_sums", p->hq * count, &l));
    ct_launch_define(l, "STORE", p->dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    CT_TRY(ct_line_launch(b, "line/gate_summed.cl", "gate_summed", p->hq, &l));
    CT_ARGUMENTS(l, &summed, &sizes);
    ct_builder_serves(b, 0);
out:
    return st;
}
