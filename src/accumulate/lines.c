/* The line kernels around the chunks, and the recurrent step. */
#include <string.h>

#include "accumulate/parts.h"
#include "tile/tiles.h"
#include "line/line.h"

typedef struct feature_of {
    const char *zone;
    ct_ref *x;
    clattn_strides *strides;
    int64_t heads, n, width;
    clattn_feature feature;
    bool ones, padded;
    clattn_dtype *dtype; /* becomes float */
} feature_of;

/* Replaces *x and its strides by a zone that holds phi(x). */
static clattn_status add_feature(ct_builder *b, const ct_accumulate *a, const feature_of *f)
{
    ct_launch *l = NULL;
    const int64_t full = f->width + f->ones;
    const clattn_status st = ct_line_launch(b, "accumulate/feature.cl", "accumulate_feature", 1, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const feature_args args = {.x = *f->strides,
                               .n = f->n,
                               .padding_batch = a->nk,
                               .heads = (int32_t)f->heads,
                               .width = (int32_t)f->width,
                               .rows = CT_ROWS_A_GROUP};
    const ct_ref zone = ct_builder_zone(b, f->zone, a->batch * f->heads * f->n * full, sizeof(float));
    ct_launch_define(l, "FEATURE", f->feature);
    ct_launch_define(l, "ONES", f->ones);
    ct_launch_define(l, "PADDING", f->padded);
    ct_launch_define(l, "STORE", *f->dtype);
    const struct {
        CT_REFS(ACCUMULATE_FEATURE)
    } buffers = {.x = *f->x, .y = zone, .padding = f->padded ? a->padding : ct_nothing()};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(f->n, CT_ROWS_A_GROUP), f->heads, a->batch, ct_builder_tile(b)->line_items);
    *f->x = zone;
    *f->dtype = CLATTN_F32;
    *f->strides = (clattn_strides){f->heads * f->n * full, f->n * full, full};
    return CLATTN_OK;
}

static clattn_status add_feature_qk(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate *a = &run->a;
    const bool padded = a->padding.where != CT_NOWHERE;
    CT_TRY(add_feature(
        b, a,
        &(feature_of){"phi(q)", &a->q, &run->args.q, a->heads, a->nq, a->dk, a->feature, false, false, &a->types.q}));
    CT_TRY(add_feature(b, a,
                       &(feature_of){"phi(k)", &a->k, &run->args.k, a->kv_heads, a->nk, a->dk, a->feature, false,
                                     padded, &a->types.k}));
out:
    return st;
}

/* Whether q, k and v can be read where they are; what cannot becomes float. */
clattn_status ct_accumulate_features(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate *a = &run->a;
    const bool padded = a->padding.where != CT_NOWHERE, narrow = a->exact && a->o_dtype != CLATTN_F32;
    const bool wider = a->exact && (a->types.k != CLATTN_F32 || narrow);
    if (a->feature != CLATTN_IDENTITY || padded || wider) {
        CT_TRY(add_feature_qk(b, run));
    }
    if (a->normalise || padded || wider) { /* a hidden key's v may hold anything, and 0 times NaN is NaN */
        const feature_of ones = {"v, 1", &a->v,           &run->args.v, a->kv_heads, a->nk,
                                 a->dv,  CLATTN_IDENTITY, a->normalise, padded,      &a->types.v};
        CT_TRY(add_feature(b, a, &ones));
    }
    if (a->normalise) {
        const int64_t w = run->width;
        a->o = ct_builder_zone(b, "o, normaliser", a->batch * a->heads * a->nq * w, sizeof(float));
        a->o_dtype = CLATTN_F32;
        run->args.o = (clattn_strides){a->heads * a->nq * w, a->nq * w, w};
    }
out:
    return st;
}

clattn_status ct_accumulate_floats(ct_builder *b, const ct_accumulate *a, const char *zone, ct_ref *x,
                                   clattn_strides *s, clattn_dtype *dtype)
{
    return add_feature(b, a, &(feature_of){zone, x, s, a->heads, a->nq, a->dv, CLATTN_IDENTITY, false, false, dtype});
}

clattn_status ct_accumulate_divide(ct_builder *b, const ct_accumulate_run *run, ct_ref from)
{
    ct_launch *l = NULL;
    const ct_accumulate *a = &run->a;
    const clattn_status st = ct_line_launch(b, "accumulate/divide.cl", "accumulate_divide", 1, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const divide_args args = {
        .o = a->o_strides, .n = a->nq, .heads = (int32_t)a->heads, .width = (int32_t)a->dv, .rows = CT_ROWS_A_GROUP};
    ct_launch_define(l, "OUT", a->o_dtype);
    const struct {
        CT_REFS(ACCUMULATE_DIVIDE)
    } buffers = {.x = from, .o = a->o};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(a->nq, CT_ROWS_A_GROUP), a->heads, a->batch, ct_builder_tile(b)->line_items);
    return CLATTN_OK;
}

/* Columns of a state that one group does: all of them, unless heads are few. */
static int64_t step_slab(ct_builder *b, const ct_accumulate_run *run)
{
    const int64_t units = ct_builder_context(b)->env.facts.compute_units;
    const int64_t unit = ct_max(16, ct_builder_tile(b)->line_items);
    if (run->a.normalise || run->items >= units) {
        return run->width;
    }
    return ct_min(ct_round_up(ct_ceil_div(run->width, ct_ceil_div(units, run->items)), unit), run->width);
}

clattn_status ct_accumulate_steps(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate *a = &run->a;
    ct_launch *l = NULL;
    if (a->feature != CLATTN_IDENTITY || a->padding.where != CT_NOWHERE) {
        CT_TRY(add_feature_qk(b, run));
    }
    const int64_t slab = step_slab(b, run);
    const ct_ref state_out = a->state_out.where != CT_NOWHERE
                                 ? a->state_out
                                 : ct_builder_zone(b, "state", run->items * a->dk * run->width, sizeof(float));
    CT_TRY(ct_line_launch(b, "accumulate/portion.cl", "accumulate_step", 1, &l));
    ct_spec_part(ct_launch_spec(l), "accumulate/step.cl");
    ct_launch_define(l, "DK", (long)a->dk);
    ct_launch_define(l, "DV", (long)run->width);
    ct_launch_define(l, "SLAB", (long)slab);
    ct_launch_define(l, "STORE", a->types.v);
    ct_launch_define(l, "STORE_q", a->types.q);
    ct_launch_define(l, "STORE_k", a->types.k);
    ct_launch_define(l, "OUT", a->o_dtype);
    ct_launch_define(l, "NORMALISE", a->normalise);
    ct_launch_define(l, "DECAY", a->fading);
    ct_launch_define(l, "INITIAL", a->state_in.where != CT_NOWHERE);
    ct_launch_define(l, "PACKED", a->sequences > 0);
    const struct {
        CT_REFS(ACCUMULATE_STEP)
    } buffers = {.q = a->q,
                 .k = a->k,
                 .v = a->v,
                 .o = a->o,
                 .state_in = a->state_in,
                 .state_out = state_out,
                 .decay = a->decay,
                 .cu = a->cu_k};
    CT_ARGUMENTS(l, &buffers, &run->args);
    ct_launch_groups(l, ct_ceil_div(run->width, slab), run->items, 1, ct_builder_tile(b)->line_items);
    ct_launch_main(l);
out:
    return st;
}
