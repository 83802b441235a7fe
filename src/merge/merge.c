#include "merge/merge.h"

#include "line/line.h"
#include "plan/arguments.h"

#include "../../cl/merge/args.cl"

clattn_status ct_merge_lse_add(ct_builder *b, const ct_merge_lse *m)
{
    ct_launch *l = NULL;
    const int64_t lines = m->batch * m->heads * m->rows;
    const clattn_status st = ct_line_launch(b, "merge/merge_lse.cl", "merge_lse", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_LSE)
    } buffers = {.o_parts = m->o_parts, .lse_parts = m->lse_parts, .o = m->o, .lse = m->lse};
    const merge_args args = {
        .o = m->o_strides, .rows = m->rows, .part_rows = lines, .heads = (i32)m->heads, .parts = m->parts};
    ct_launch_define(l, "DV", (long)m->dv);
    ct_launch_define(l, "OUT", m->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_merge_gate_add(ct_builder *b, const ct_merge_gate *m)
{
    enum { SUM, GIVEN, HALF }; /* GATE in the kernel */
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "merge/merge_gate.cl", "merge_gate", m->batch * m->heads * m->rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(MERGE_GATE)
    } buffers = {.a = m->o_a, .b = m->o_b, .lse_a = m->lse_a, .lse_b = m->lse_b, .gate = m->gate, .o = m->o};
    const gate_args args = {.o = m->o_strides, .rows = m->rows, .heads = (i32)m->heads, .width = (i32)m->dv};
    const int gate = m->gate.where != CT_NOWHERE ? GIVEN : m->sum ? SUM : HALF;
    const bool forced = gate != SUM && m->lse_a.where != CT_NOWHERE && m->lse_b.where != CT_NOWHERE;
    ct_launch_define(l, "GATE", gate);
    ct_launch_define(l, "FORCED", forced);
    ct_launch_define(l, "OUT", m->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}
