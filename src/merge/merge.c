#include "merge/merge.h"

#include "line/line.h"
#include "plan/arguments.h"

#include "../../cl/merge/args.cl"

clattn_status ct_merge_lse_add(ct_builder *b, const ct_merge_lse *m)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = m->rows, .heads = m->heads, .batches = m->batch, .width = m->dv};
    const clattn_status st = ct_line_launch_rows(b, "merge/merge_lse.cl", "merge_lse", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_LSE)
    } buffers = {.o_parts = m->o_parts, .lse_parts = m->lse_parts, .o = m->o, .lse = m->lse};
    const merge_args args = {.o = m->o_strides,
                             .rows = m->rows,
                             .part_rows = m->batch * m->heads * m->rows,
                             .heads = (i32)m->heads,
                             .parts = m->parts};
    ct_launch_define(l, "DV", (long)m->dv);
    ct_launch_define(l, "OUT", m->o_dtype);
    ct_launch_define(l, "SUMMED", m->summed);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

/* Which shares the kernels take. */
static void define_gate(ct_launch *l, const ct_merge_gate *m)
{
    enum { SUM, GIVEN, HALF }; /* GATE in the kernels */
    const int gate = ct_is(m->gate) ? GIVEN : m->sum ? SUM : HALF;
    ct_launch_define(l, "GATE", gate);
    ct_launch_define(l, "FORCED", gate != SUM && ct_is(m->lse_a) && ct_is(m->lse_b));
}

clattn_status ct_merge_gate_add(ct_builder *b, const ct_merge_gate *m)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = m->rows, .heads = m->heads, .batches = m->batch, .width = m->dv};
    const clattn_status st = ct_line_launch_rows(b, "merge/merge_gate.cl", "merge_gate", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_GATE)
    } buffers = {.a = m->o_a, .b = m->o_b, .lse_a = m->lse_a, .lse_b = m->lse_b, .gate = m->gate, .o = m->o};
    const gate_args args = {.o = m->o_strides, .rows = m->rows, .heads = (i32)m->heads, .width = (i32)m->dv};
    define_gate(l, m);
    ct_launch_define(l, "OUT", m->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_merge_lse_backward_add(ct_builder *b, const ct_merge_lse *m, const ct_merge_lse_gradient *gradient)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = m->rows, .heads = m->heads, .batches = m->batch, .width = m->dv};
    const clattn_status st = ct_line_launch_rows(b, "merge/merge_lse_backward.cl", "merge_lse_backward", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_LSE_BACKWARD)
    } buffers = {.o = m->o,
                 .g = gradient->g,
                 .lse = m->lse,
                 .dlse = gradient->dlse,
                 .o_parts = m->o_parts,
                 .lse_parts = m->lse_parts,
                 .do_parts = gradient->do_parts,
                 .dlse_parts = gradient->dlse_parts};
    const merge_args args = {.o = m->o_strides,
                             .rows = m->rows,
                             .part_rows = m->batch * m->heads * m->rows,
                             .heads = (i32)m->heads,
                             .parts = m->parts};
    ct_launch_define(l, "DV", (long)m->dv);
    ct_launch_define(l, "STORE", m->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_merge_gate_backward_add(ct_builder *b, const ct_merge_gate *m, const ct_merge_gate_gradient *gradient)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = m->rows, .heads = m->heads, .batches = m->batch, .width = m->dv};
    const clattn_status st = ct_line_launch_rows(b, "merge/gate_backward.cl", "gate_backward", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_GATE_BACKWARD)
    } buffers = {.g = gradient->g,
                 .a = m->o_a,
                 .b = m->o_b,
                 .lse_a = m->lse_a,
                 .lse_b = m->lse_b,
                 .gate = m->gate,
                 .share_a = gradient->share_a,
                 .share_b = gradient->share_b,
                 .dgate = gradient->dgate,
                 .da = gradient->da,
                 .db = gradient->db};
    const gate_backward_args args = {.g = m->o_strides,
                                     .a = gradient->a_strides,
                                     .b = gradient->b_strides,
                                     .rows = m->rows,
                                     .heads = (i32)m->heads,
                                     .width = (i32)m->dv};
    define_gate(l, m);
    ct_launch_define(l, "LINEAR", gradient->linear);
    ct_launch_define(l, "STORE", m->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}
