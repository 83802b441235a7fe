#include "merge/merge.h"

#include "line/line.h"

/* The kernels' argument structs (cl/merge), by value. */
typedef struct merge_args {
    clattn_strides o;
    int64_t rows, part_rows;
    int32_t heads, parts;
} merge_args;

typedef struct gate_args {
    clattn_strides o;
    int64_t rows;
    int32_t heads, width;
} gate_args;

clattn_status ct_merge_lse_add(ct_builder *b, const ct_merge_lse *m)
{
    ct_launch *l = NULL;
    const int64_t lines = m->batch * m->heads * m->rows;
    const clattn_status st = ct_line_launch(b, "merge/merge_lse.cl", "merge_lse", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const merge_args args = {
        .o = m->o_strides, .rows = m->rows, .part_rows = lines, .heads = (int32_t)m->heads, .parts = m->parts};
    ct_launch_define(l, "DV", (long)m->dv);
    ct_launch_define(l, "OUT", m->o_dtype);
    ct_launch_buffer(l, m->o_parts);
    ct_launch_buffer(l, m->lse_parts);
    ct_launch_buffer(l, m->o);
    ct_launch_buffer(l, m->lse);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
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
    const gate_args args = {.o = m->o_strides, .rows = m->rows, .heads = (int32_t)m->heads, .width = (int32_t)m->dv};
    const int gate = m->gate.where != CT_NOWHERE ? GIVEN : m->sum ? SUM : HALF;
    const bool forced = gate != SUM && m->lse_a.where != CT_NOWHERE && m->lse_b.where != CT_NOWHERE;
    ct_launch_define(l, "GATE", gate);
    ct_launch_define(l, "FORCED", forced);
    ct_launch_define(l, "OUT", m->o_dtype);
    ct_launch_buffer(l, m->o_a);
    ct_launch_buffer(l, m->o_b);
    ct_launch_buffer(l, m->lse_a);
    ct_launch_buffer(l, m->lse_b);
    ct_launch_buffer(l, m->gate);
    ct_launch_buffer(l, m->o);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
    return CLATTN_OK;
}
