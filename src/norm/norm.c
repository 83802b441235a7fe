#include "norm/norm.h"

#include "line/line.h"
#include "plan/arguments.h"

#include "../../cl/norm/args.cl"

enum { TOKENS_A_PART = 256 };

static void define(ct_launch *l, const ct_norm *n)
{
    ct_launch_define(l, "NORM", n->kind);
    ct_launch_define(l, "STORE", n->dtype);
    ct_launch_define(l, "OUT", n->dtype);
}

static norm_args args_of(const ct_norm *n)
{
    return (norm_args){.o = n->o_strides,
                       .y = n->y_strides,
                       .rows = n->rows,
                       .heads = (i32)n->heads,
                       .width = (i32)n->width,
                       .eps = (f32)n->eps};
}

clattn_status ct_norm_add(ct_builder *b, const ct_norm *n, ct_ref y, ct_ref sum, ct_ref stats)
{
    ct_launch *l = NULL;
    const clattn_status st = ct_line_launch(b, "norm/norm_forward.cl", "norm_forward", n->batch * n->rows, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const struct {
        CT_REFS(NORM_FORWARD)
    } buffers = {
        .o = n->o, .residual = n->residual, .weight = n->weight, .bias = n->bias, .y = y, .sum = sum, .stats = stats};
    const norm_args args = args_of(n);
    define(l, n);
    CT_ARGUMENTS(l, &buffers, &args);
    return CLATTN_OK;
}

/* Of the weight and the bias. */
static clattn_status add_sums(ct_builder *b, const ct_norm *n, const ct_norm_gradient *gradient, ct_ref stats)
{
    clattn_status st = CLATTN_OK;
    const int64_t count = ct_ceil_div(n->batch * n->rows, TOKENS_A_PART);
    const ct_ref parts = ct_builder_zone(b, "sums of the norm", n->heads * count * 2 * n->width, 4);
    ct_launch *l = NULL;
    const struct {
        CT_REFS(NORM_SUMS)
    } buffers = {.o = n->o, .residual = n->residual, .g = gradient->g, .stats = stats, .parts = parts};
    const norm_sums_args args = {.o = n->o_strides,
                                 .y = n->y_strides,
                                 .rows = n->rows,
                                 .width = (i32)n->width,
                                 .batches = (i32)n->batch,
                                 .part = TOKENS_A_PART,
                                 .parts = (i32)count};
    const struct {
        CT_REFS(NORM_SUMMED)
    } summed = {.parts = parts, .weight = gradient->dweight, .bias = gradient->dbias};
    const norm_summed_args sizes = {.width = (i32)n->width, .parts = (i32)count};
    CT_TRY(ct_line_launch(b, "norm/norm_sums.cl", "norm_sums", n->heads * count, &l));
    define(l, n);
    CT_ARGUMENTS(l, &buffers, &args);
    CT_TRY(ct_line_launch(b, "norm/norm_summed.cl", "norm_summed", n->heads, &l));
    CT_ARGUMENTS(l, &summed, &sizes);
out:
    return st;
}

clattn_status ct_norm_backward_add(ct_builder *b, const ct_norm *n, const ct_norm_gradient *gradient)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_ref stats = ct_builder_zone(b, "mean and 1 / sigma", n->batch * n->rows * 2, 4);
    CT_TRY(ct_line_launch(b, "norm/norm_backward.cl", "norm_backward", n->batch * n->rows, &l));
    const struct {
        CT_REFS(NORM_BACKWARD)
    } buffers = {.o = n->o,
                 .residual = n->residual,
                 .weight = n->weight,
                 .g = gradient->g,
                 .dsum = gradient->dsum,
                 .dresidual = gradient->dresidual,
                 .dout = gradient->dout,
                 .stats = stats};
    const norm_args args = args_of(n);
    define(l, n);
    CT_ARGUMENTS(l, &buffers, &args);
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DNORM_WEIGHT) | CT_ONE_SLOT(CLATTN_DNORM_BIAS));
    if (n->kind) {
        CT_TRY(add_sums(b, n, gradient, stats));
    }
    ct_builder_serves(b, 0);
out:
    return st;
}
