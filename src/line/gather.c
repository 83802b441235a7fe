#include "line/gather.h"

#include "line/line.h"

/* The kernels' argument structs (cl/line), by value. */
typedef struct gather_args {
    clattn_strides from;
    int64_t rows;
    int32_t heads, width, samples, unused;
} gather_args;

typedef struct keys_args {
    int64_t rows, padding_batch;
    int32_t samples, spare;
} keys_args;

clattn_status ct_gather_rows_add(ct_builder *b, const ct_gather_rows *g)
{
    ct_launch *l = NULL;
    const clattn_status st =
        ct_line_launch(b, "line/gather_rows.cl", "gather_rows", g->batch * g->heads * g->samples, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const gather_args args = {.from = g->strides,
                              .rows = g->rows,
                              .heads = (int32_t)g->heads,
                              .width = (int32_t)g->width,
                              .samples = (int32_t)g->samples};
    ct_launch_define(l, "STORE", g->dtype);
    ct_launch_define(l, "OUT", g->dtype);
    ct_launch_buffer(l, g->from);
    ct_launch_buffer(l, g->positions);
    ct_launch_buffer(l, g->to);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
    return CLATTN_OK;
}

clattn_status ct_gather_keys_add(ct_builder *b, const ct_gather_keys *g)
{
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "line/gather_keys.cl", "gather_keys", g->batch * g->samples, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const keys_args args = {.rows = g->rows, .padding_batch = g->rows, .samples = (int32_t)g->samples};
    ct_launch_buffer(l, g->positions);
    ct_launch_buffer(l, g->padding);
    ct_launch_buffer(l, g->places);
    ct_launch_buffer(l, g->shown);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
    return CLATTN_OK;
}
