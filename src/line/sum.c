#include "line/sum.h"

#include "line/line.h"
#include "plan/arguments.h"

#include "../../cl/line/args.cl"

clattn_status ct_sum_rows_add(ct_builder *b, const ct_sum_rows *s)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = s->rows, .heads = s->heads, .batches = s->batch, .width = s->width};
    const clattn_status st = ct_line_launch_rows(b, "line/sum_rows.cl", "sum_rows", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(SUM_ROWS)
    } buffers = {.x = s->x, .y = s->y, .factor = s->factor, .weight = s->weight, .to = s->to};
    const sum_args args = {.to = s->strides, .rows = s->rows, .heads = (i32)s->heads, .width = (i32)s->width};
    ct_launch_define(l, "OUT", s->dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}
