#include "line/gather.h"

#include "line/line.h"
#include "plan/arguments.h"

#include "../../cl/line/args.cl"

clattn_status ct_gather_rows_add(ct_builder *b, const ct_gather_rows *g)
{
    ct_launch *l = NULL;
    const ct_line_rows rows = {.rows = g->samples, .heads = g->heads, .batches = g->batch, .width = g->width};
    const clattn_status st = ct_line_launch_rows(b, "line/gather_rows.cl", "gather_rows", &rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(GATHER_ROWS)
    } buffers = {.from = g->from, .positions = g->positions, .to = g->to};
    const gather_args args = {.from = g->strides,
                              .rows = g->rows,
                              .heads = (i32)g->heads,
                              .width = (i32)g->width,
                              .samples = (i32)g->samples};
    ct_launch_define(l, "STORE", g->dtype);
    ct_launch_define(l, "OUT", g->dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_gather_keys_add(ct_builder *b, const ct_gather_keys *g)
{
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "line/gather_keys.cl", "gather_keys", g->batch * g->samples, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(GATHER_KEYS)
    } buffers = {.positions = g->positions, .padding = g->padding, .places = g->places, .shown = g->shown};
    const keys_args args = {.rows = g->rows, .padding_batch = g->rows, .samples = (i32)g->samples};
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

clattn_status ct_scatter_rows_add(ct_builder *b, const ct_scatter_rows *s)
{
    ct_launch *l = NULL;
    const int64_t lines = s->batch * s->heads * s->samples;
    const clattn_status st = ct_line_launch(b, "line/scatter_rows.cl", "scatter_rows", lines, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(SCATTER_ROWS)
    } buffers = {.from = s->from, .positions = s->positions, .shown = s->shown, .to = s->to};
    const scatter_args args = {
        .rows = s->rows, .heads = (i32)s->heads, .width = (i32)s->width, .samples = (i32)s->samples};
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}
