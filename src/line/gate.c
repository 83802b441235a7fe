#include "line/gate.h"

#include "line/line.h"
#include "plan/arguments.h"
#include "plan/slots.h"

#include "../../cl/line/args.cl"

/* From a linear map of the query rows. */
static clattn_status add_rows(ct_builder *b, const clattn_problem *p, ct_ref *gate)
{
    const int64_t lines = p->b * p->hq * p->nq;
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "line/gate_rows.cl", "gate_rows", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    *gate = ct_builder_zone(b, "gate", lines, 4);
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
