#include "merge/merge.h"

#include "merge/line.h"
#include "plan/problem.h"

/* The kernels' argument structs (cl/merge), by value. */
typedef struct merge_args {
    clattn_strides o;
    int64_t rows, part_rows;
    int32_t heads, parts;
} merge_args;

typedef struct gate_args {
    clattn_strides q, o;
    int64_t rows;
    int32_t heads, width, depth, unused;
} gate_args;

clattn_status ct_merge_lse_add(ct_builder *b, const ct_merge_lse *m)
{
    ct_launch *l = NULL;
    const int64_t lines = m->batch * m->heads * m->rows;
    const clattn_status st = ct_line_launch(b, "merge/merge_lse.cl", "merge_lse", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const merge_args args = {.o = m->o_strides, .rows = m->rows, .part_rows = lines, .heads = (int32_t)m->heads,
                             .parts = m->parts};
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
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "merge/merge_gate.cl", "merge_gate", m->batch * m->heads * m->rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const gate_args args = {.q = m->q_strides, .o = m->o_strides, .rows = m->rows, .heads = (int32_t)m->heads,
                            .width = (int32_t)m->dv, .depth = (int32_t)m->dqk};
    ct_launch_define(l, "GATE", m->kind);
    const bool forced = m->kind != CT_GATE_NONE && m->lse_a.where != CT_NOWHERE && m->lse_b.where != CT_NOWHERE;
    ct_launch_define(l, "FORCED", forced);
    ct_launch_define(l, "STORE", m->q_dtype);
    ct_launch_define(l, "OUT", m->o_dtype);
    ct_launch_buffer(l, m->o_a);
    ct_launch_buffer(l, m->o_b);
    ct_launch_buffer(l, m->lse_a);
    ct_launch_buffer(l, m->lse_b);
    ct_launch_buffer(l, m->gate);
    ct_launch_buffer(l, m->q);
    ct_launch_buffer(l, m->weight);
    ct_launch_buffer(l, m->bias);
    ct_launch_buffer(l, m->o);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
    return CLATTN_OK;
}

void ct_merge_gate_of(ct_builder *b, ct_gate otherwise, ct_merge_gate *merge)
{
    const clattn_problem *p = ct_builder_problem(b);
    const int64_t rows[] = {p->b, p->hq, p->nq};
    const int64_t map[] = {p->hq, p->dqk};
    merge->kind = p->gate == 1 ? CT_GATE_GIVEN : p->gate == 2 ? CT_GATE_LINEAR : otherwise;
    merge->gate = merge->q = merge->weight = merge->bias = ct_nothing();
    if (p->gate == 1) {
        merge->gate = ct_builder_slot(b, CLATTN_GATE, 2, CLATTN_F32, 3, rows);
    } else if (p->gate == 2) {
        int64_t dims[4];
        ct_problem_dims(p, CLATTN_Q, dims);
        merge->q = ct_builder_slot(b, CLATTN_Q, 2, p->dtype, 4, dims);
        merge->q_strides = ct_problem_strides(p, CLATTN_Q);
        merge->weight = ct_builder_slot(b, CLATTN_GATE_WEIGHT, 2, CLATTN_F32, 2, map);
        merge->bias = ct_builder_slot(b, CLATTN_GATE_BIAS, 1, CLATTN_F32, 1, map);
    }
}
