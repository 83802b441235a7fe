#include "methods/epilogue.h"

#include <math.h>

#include "norm/norm.h"
#include "plan/slots.h"

bool ct_problem_has_epilogue(const clattn_problem *p)
{
    return p->norm != CLATTN_NORM_NONE || p->residual;
}

double ct_problem_eps(const clattn_problem *p)
{
    return !isnan(p->eps) ? p->eps : p->norm == CLATTN_NORM_RMS ? 1e-6 : 1e-5;
}

/* The problem whose o is a zone: a token's heads follow each other there. */
static clattn_problem inner_of(const clattn_problem *p)
{
    clattn_problem inner = *p;
    inner.o = (clattn_strides){p->nq * p->hq * p->dv, p->dv, p->hq * p->dv};
    inner.norm = CLATTN_NORM_NONE;
    inner.residual = 0;
    return inner;
}

static ct_ref zone_of(ct_builder *b, const clattn_problem *p, const char *name)
{
    return ct_builder_zone(b, name, p->b * p->nq * p->hq * p->dv, (int)clattn_dtype_size(p->dtype));
}

static ct_norm norm_of(ct_builder *b, const clattn_problem *p, const clattn_problem *inner, ct_ref o)
{
    return (ct_norm){.kind = p->norm,
                     .eps = ct_problem_eps(p),
                     .batch = p->b,
                     .heads = p->hq,
                     .rows = p->nq,
                     .width = p->dv,
                     .o = o,
                     .residual = p->residual ? ct_builder_slot(b, CLATTN_RESIDUAL, 2) : ct_nothing(),
                     .weight = p->norm ? ct_builder_slot(b, CLATTN_NORM_WEIGHT, 1) : ct_nothing(),
                     .bias = p->norm && p->pass != CLATTN_BWD ? ct_builder_slot(b, CLATTN_NORM_BIAS, 1) : ct_nothing(),
                     .o_strides = inner->o,
                     .y_strides = ct_slot_strides(p, CLATTN_O),
                     .dtype = p->dtype};
}

static clattn_status build_forward(ct_builder *b, const ct_method *method, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = ct_builder_problem(b), inner = inner_of(p);
    const ct_ref o = zone_of(b, p, "o before the norm");
    ct_builder_replace(b, CLATTN_O, o);
    CT_TRY(method->build[p->pass](b, &inner, layout));
    ct_builder_give_back(b);
    const ct_norm norm = norm_of(b, p, &inner, o);
    CT_TRY(ct_norm_add(b, &norm, ct_builder_slot(b, CLATTN_O, 2), ct_builder_slot(b, CLATTN_SUM_OUT, 1),
                       p->norm ? ct_builder_slot(b, CLATTN_NORM_STATS, 1) : ct_nothing()));
out:
    return st;
}

/* o and its LSE, into slots' places. */
static clattn_status build_again(ct_builder *b, const ct_method *method, const clattn_problem *inner,
                                 const clattn_layout *layout, ct_ref o)
{
    clattn_problem forward = *inner;
    forward.pass = CLATTN_FWD;
    ct_builder_replace(b, CLATTN_O, o);
    ct_builder_replace(b, CLATTN_LSE, ct_builder_zone(b, "lse", inner->b * inner->hq * inner->nq, 4));
    ct_builder_replace(b, CLATTN_STATE_OUT, ct_nothing());
    ct_builder_replace(b, CLATTN_LISTS, ct_nothing());
    ct_builder_again(b, true);
    const clattn_status st = method->build[CLATTN_FWD](b, &forward, layout);
    ct_builder_again(b, false);
    return st;
}

static clattn_status build_backward(ct_builder *b, const ct_method *method, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = ct_builder_problem(b), inner = inner_of(p);
    const ct_ref o = zone_of(b, p, "o before the norm"), dout = zone_of(b, p, "do before the norm");
    CT_TRY(build_again(b, method, &inner, layout, o));
    const ct_norm norm = norm_of(b, p, &inner, o);
    const ct_norm_gradient gradient = {.g = ct_builder_slot(b, CLATTN_DO, 2),
                                       .dsum = ct_builder_slot(b, CLATTN_DSUM_OUT, 1),
                                       .dresidual =
                                           p->residual ? ct_builder_slot(b, CLATTN_DRESIDUAL, 1) : ct_nothing(),
                                       .dout = dout,
                                       .dweight = p->norm ? ct_builder_slot(b, CLATTN_DNORM_WEIGHT, 1) : ct_nothing(),
                                       .dbias = p->norm ? ct_builder_slot(b, CLATTN_DNORM_BIAS, 1) : ct_nothing()};
    CT_TRY(ct_norm_backward_add(b, &norm, &gradient));
    ct_builder_replace(b, CLATTN_DO, dout);
    CT_TRY(method->build[CLATTN_BWD](b, &inner, layout));
    ct_builder_give_back(b);
out:
    return st;
}

clattn_status ct_epilogue_build(ct_builder *b, const ct_method *method, const clattn_layout *layout)
{
    const clattn_problem *p = ct_builder_problem(b);
    return !ct_problem_has_epilogue(p) ? method->build[p->pass](b, p, layout)
           : p->pass == CLATTN_BWD     ? build_backward(b, method, layout)
                                       : build_forward(b, method, layout);
}
