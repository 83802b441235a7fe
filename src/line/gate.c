#include "line/gate.h"

#include "line/line.h"
#include "plan/slots.h"

typedef struct rows_args { /* as in cl/line/gate_rows.cl */
    clattn_strides q;
    int64_t rows;
    int32_t heads, depth;
} rows_args;

/* From a linear map of the query rows. */
static clattn_status add_rows(ct_builder *b, const clattn_problem *p, ct_ref *gate)
{
    const int64_t lines = p->b * p->hq * p->nq;
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "line/gate_rows.cl", "gate_rows", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const rows_args args = {
        .q = ct_slot_strides(p, CLATTN_Q), .rows = p->nq, .heads = (int32_t)p->hq, .depth = (int32_t)p->dqk};
    *gate = ct_builder_zone(b, "gate", lines, 4);
    ct_launch_define(l, "STORE", p->dtype);
    ct_launch_buffer(l, ct_builder_slot(b, CLATTN_Q, 2));
    ct_launch_buffer(l, ct_builder_slot(b, CLATTN_GATE_WEIGHT, 2));
    ct_launch_buffer(l, ct_builder_slot(b, CLATTN_GATE_BIAS, 1));
    ct_launch_buffer(l, *gate);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
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
