/* Host side of attend's passes backwards: the terms of rows, dQ by rows of queries, dK and dV by rows of keys. */
#include "attend/backward.h"

#include "attend/item.h"
#include "line/line.h"
#include "tile/tiles.h"

typedef struct backward {
    const ct_attend *a;
    const ct_attend_gradient *gradient;
    ct_ref from, minus, delta, sunk; /* cl/attend/attend_terms.cl */
    ct_item queries;                 /* blocks of them, with their lists */
    double pairs;
    int64_t entries; /* of all lists */
} backward;

static clattn_status add_terms(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const int64_t rows = a->b * a->hq * a->nq;
    w->from = ct_builder_zone(b, "from", rows, 4);
    w->minus = ct_builder_zone(b, "minus LSE", rows, 4);
    w->delta = ct_builder_zone(b, "delta", rows, 4);
    w->sunk = ct_is(w->gradient->dsink) ? ct_builder_zone(b, "weights of the sink", rows, 4) : ct_nothing();
    const struct {
        CT_REFS(ATTEND_TERMS)
    } buffers = {.o = a->o,
                 .g = w->gradient->g,
                 .lse = a->lse,
                 .dlse = w->gradient->dlse,
                 .sinks = a->sink,
                 .from = w->from,
                 .minus = w->minus,
                 .delta = w->delta,
                 .sunk = w->sunk};
    const terms_args args = {.o = a->os, .rows = a->nq, .heads = (i32)a->hq, .width = (i32)a->dv};
    CT_TRY(ct_line_launch(b, "attend/attend_terms.cl", "attend_terms", rows, &l));
    ct_launch_define(l, "STORE", a->out);
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

static clattn_status add_sink(ct_builder *b, const backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const struct {
        CT_REFS(SINK_GRADIENT)
    } buffers = {.sunk = w->sunk, .delta = w->delta, .dsink = w->gradient->dsink};
    const sink_args args = {.rows = a->nq, .batches = (i32)a->b, .heads = (i32)a->hq};
    CT_TRY(ct_line_launch(b, "attend/sink_gradient.cl", "sink_gradient", a->hq, &l));
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

static clattn_status make_item(ct_builder *b, const ct_attend *a, bool turned, ct_item *item)
{
    clattn_status st = CLATTN_OK;
    *item = (ct_item){
        .a = a, .backward = true, .turned = turned, .pack = 1, .parts = 1, .groups_y = a->b * (turned ? a->hk : a->hq)};
    CT_TRY(ct_item_shape(b, item));
    CT_TRY(ct_item_lists(b, item));
    CT_TRY(ct_item_args(b, item));
out:
    return st;
}

static attend_backward_args args_of(const ct_item *item)
{
    return (attend_backward_args){.a = item->args, .dq = item->a->qs, .dk = item->a->ks, .dv = item->a->vs};
}

/* Statistics of the rows that are far from 0, block of queries by block. */
static clattn_status add_statistics(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    ct_item *item = &w->queries;
    CT_TRY(make_item(b, a, false, item));
    CT_TRY(ct_item_launch(b, item, "attend_statistics", "attend/attend_statistics.cl", CLATTN_F32, &l));
    if (ct_is(a->sink)) {
        ct_launch_define(l, "SINK", 1);
    }
    const struct {
        CT_REFS(ATTEND_STATISTICS)
    } buffers = {.q = a->q,
                 .k = a->k,
                 .from = w->from,
                 .minus = w->minus,
                 .sunk = w->sunk,
                 CT_ITEM_REFS(item),
                 .sinks = a->sink};
    CT_ARGUMENTS(l, &buffers, &item->args);
    ct_launch_groups(l, item->lists.rows, item->groups_y, 1, item->shape.items);
    w->entries += item->lists.entries;
    w->pairs = item->lists.pairs * (double)a->hq * (double)a->b;
out:
    return st;
}

/* dK and dV of the blocks of keys. */
static clattn_status add_keys(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    ct_item item;
    const ct_attend *a = w->a;
    CT_TRY(make_item(b, a, true, &item));
    CT_TRY(ct_item_launch(b, &item, "attend_backward_kv", "attend/attend_backward_kv.cl", a->out, &l));
    const attend_backward_args args = args_of(&item);
    const struct {
        CT_REFS(ATTEND_BACKWARD_KV)
    } buffers = {.q = a->q,
                 .k = a->k,
                 .v = a->v,
                 .g = w->gradient->g,
                 .dk = w->gradient->dk,
                 .dv = w->gradient->dv,
                 .from = w->from,
                 .minus = w->minus,
                 .delta = w->delta,
                 CT_ITEM_REFS(&item)};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_main(l);
    ct_launch_groups(l, item.lists.rows, item.groups_y, 1, item.shape.items);
    w->entries += item.lists.entries;
out:
    return st;
}

/* dQ of the blocks of queries. */
static clattn_status add_queries(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const ct_item item = w->queries;
    CT_TRY(ct_item_launch(b, &item, "attend_backward_q", "attend/attend_backward_q.cl", a->out, &l));
    const attend_backward_args args = args_of(&item);
    const struct {
        CT_REFS(ATTEND_BACKWARD_Q)
    } buffers = {.q = a->q,
                 .k = a->k,
                 .v = a->v,
                 .g = w->gradient->g,
                 .dq = w->gradient->dq,
                 .from = w->from,
                 .minus = w->minus,
                 .delta = w->delta,
                 CT_ITEM_REFS(&item)};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, item.lists.rows, item.groups_y, 1, item.shape.items);
out:
    return st;
}

/* Five products of the useful pairs: S, dP, dV, dK, dQ. */
static void count_work(ct_builder *b, const backward *w)
{
    const ct_attend *a = w->a;
    const double q = (double)clattn_dtype_size(a->out), k = (double)clattn_dtype_size(a->types.k);
    const double queries = (double)(a->b * a->hq * a->nq), keys = (double)(a->b * a->hk * a->nk);
    const double bytes = queries * q * (2.0 * (double)a->dqk + 2.0 * (double)a->dv) +
                         keys * (k + q) * (double)(a->dqk + a->dv) + 12.0 * queries + 4.0 * (double)w->entries;
    ct_builder_work(b, (ct_work){.flop = 2.0 * (3.0 * (double)a->dqk + 2.0 * (double)a->dv) * w->pairs,
                                 .bytes = bytes,
                                 .exps = w->pairs,
                                 .pairs = w->pairs,
                                 .softmax = true});
}

clattn_status ct_attend_backward_add(ct_builder *b, const ct_attend *a, const ct_attend_gradient *gradient)
{
    clattn_status st = CLATTN_OK;
    backward w = {.a = a, .gradient = gradient};
    if (!ct_builder_tile(b)->backward) {
        CT_TRY(ct_builder_decline(b, "tile %s has no pass backwards", ct_builder_tile(b)->name));
    }
    CT_TRY(ct_types_taken(b, &a->types));
    CT_TRY(add_terms(b, &w));
    CT_TRY(add_statistics(b, &w));
    if (ct_is(gradient->dsink)) {
        CT_TRY(add_sink(b, &w));
    }
    CT_TRY(add_keys(b, &w));
    CT_TRY(add_queries(b, &w));
    count_work(b, &w);
out:
    return st;
}
