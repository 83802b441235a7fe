/* Host side of cl/attend/attend_forward.cl: packed heads, splits, groups, work. */
#include "attend/attend.h"

#include <math.h>

#include "attend/item.h"
#include "tile/tiles.h"

#define SHORT_LIST 24 /* tiles; measured on an H200: at 6 it gains 17 %, at 20 5 %, at 64 it loses 3 % */

/* Heads of a group become rows of one tile where queries are too few to fill it; only where nothing differs by head. */
static int heads_packed(const ct_attend *a)
{
    const int64_t group = a->hq / a->hk;
    const bool by_head = ct_is(a->slopes) || ct_is(a->sink) || ct_is(a->bias) || ct_has_texts(a->texts) ||
                         (a->layout && a->blocks.heads > 1);
    return group > 1 && !by_head && a->max_q < 16 && group <= 64 ? (int)group : 1;
}

/* How many parts a line's keys are cut into: enough groups to fill the device, and no part of fewer than eight tiles.
 */
static int64_t parts_for(ct_builder *b, int64_t groups, int64_t longest)
{
    const int64_t units = ct_builder_context(b)->env.facts.compute_units,
                  enough = 2 * units * (ct_builder_tile(b)->line_items > 1 ? 2 : 1);
    return groups >= enough ? 1 : ct_max(1, ct_min(ct_ceil_div(enough, groups), longest / 8));
}

/* HEAVY_LAST in tile.cl: so many heads take turns, a divisor of their number; those whose keys and values share a cache
 * (as the tile scheduler of FlashAttention-3 has it). With a head after another the queue ended with a whole head: 32
 * triangles of 64 rows took 132 processors 6 % longer. Rows of windows and layouts are near to equal: a head after
 * another, which shares more of its keys. 0: not causal, or the tile does not queue. */
static cl_int crowd_of(const ct_tile *tile, const ct_item *s)
{
    const ct_attend *a = s->a;
    const double bytes = (double)(a->nk * (a->dqk + a->dv)) * (double)clattn_dtype_size(a->types.k) * (double)a->hk /
                         (double)(a->hq / s->pack);
    if (!a->causal || s->parts > 1 || tile->crowd_bytes == 0) {
        return 0;
    }
    const bool triangle = !a->layout && a->left < 0;
    const double most = triangle ? fmax(1, fmin((double)tile->crowd_bytes / bytes, (double)s->groups_y)) : 1;
    return (cl_int)ct_divisor_to(s->groups_y, (int64_t)most);
}

/* Where keys are cut, parts leave their results in the workspace. */
static void leave_parts(ct_builder *b, ct_item *s, ct_ref *o, ct_ref *lse)
{
    const ct_attend *a = s->a;
    attend_args *g = &s->args;
    *o = a->o;
    *lse = a->lse;
    if (s->parts > 1) {
        g->o_part = a->b * a->hq * a->nq * a->dv;
        g->lse_part = 2 * a->b * a->hq * a->nq;
        g->o = (strides){a->hq * a->nq * a->dv, a->nq * a->dv, a->dv};
        *o = ct_builder_zone(b, "o_parts", s->parts * g->o_part, 4);
        *lse = ct_builder_zone(b, "lse_parts", s->parts * g->lse_part, 4);
    }
}

/* Groups that stay for several items: where items are so short that their beginnings and ends count. */
static bool stays(const ct_item *s)
{
    const int64_t usual = ct_min(s->lists.longest, ct_ceil_div(ct_item_usual(s), s->shape.cols));
    return ct_item_may_stay(s) && ct_ceil_div(usual, s->parts) <= SHORT_LIST;
}

static void set_groups(ct_builder *b, ct_launch *l, const ct_item *s)
{
    if (stays(s)) {
        ct_item_stay(b, l, s);
    } else if (s->args.crowd) {
        ct_launch_groups(l, s->args.crowd, s->lists.rows, s->groups_y / s->args.crowd, s->shape.items);
    } else {
        ct_launch_groups(l, s->lists.rows, s->groups_y, s->parts, s->shape.items);
    }
}

static void count_work(ct_builder *b, const ct_item *s)
{
    const ct_attend *a = s->a;
    const double pairs = s->lists.pairs * (double)a->hq * (double)a->b;
    const double q = (double)clattn_dtype_size(a->types.q), k = (double)clattn_dtype_size(a->types.k),
                 v = (double)clattn_dtype_size(a->types.v), o = (double)clattn_dtype_size(a->out);
    const double queries = (double)(a->b * a->hq * a->nq), keys = (double)(a->b * a->hk * a->nk);
    const double bytes = queries * (q * (double)a->dqk + o * (double)a->dv) +
                         keys * (k * (double)a->dqk + v * (double)a->dv) + 4.0 * queries +
                         4.0 * (double)s->lists.entries;
    ct_builder_work(b, (ct_work){.flop = 2.0 * (double)(a->dqk + a->dv) * pairs,
                                 .bytes = bytes,
                                 .exps = pairs,
                                 .pairs = pairs,
                                 .softmax = true});
}

clattn_status ct_attend_add(ct_builder *b, const ct_attend *a, ct_partials *partials)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    ct_ref o, lse;
    ct_item_tensors t;
    ct_item s = {.a = a, .pack = heads_packed(a)};
    s.groups_y = a->b * a->hq / s.pack;
    CT_TRY(ct_types_taken(b, &a->types));
    CT_TRY(ct_item_shape(b, &s));
    CT_TRY(ct_item_lists(b, &s));
    s.parts = a->sequences || ct_is(a->blend.before) ? 1 : parts_for(b, s.lists.rows * s.groups_y, s.lists.longest);
    CT_TRY(ct_item_args(b, &s));
    s.args.crowd = crowd_of(ct_builder_tile(b), &s);
    leave_parts(b, &s, &o, &lse);
    CT_TRY(ct_item_take(b, &s, ct_nothing(), &t));
    CT_TRY(ct_item_launch(b, &s, "attend_forward", "attend/attend_forward.cl", s.parts > 1 ? CLATTN_F32 : a->out, &l));
    const struct {
        CT_REFS(ATTEND_FORWARD)
    } buffers = {.q = t.q,
                 .k = t.k,
                 .v = t.v,
                 .o = o,
                 .lse = lse,
                 CT_ITEM_REFS(&s),
                 .sinks = a->sink,
                 .before = a->blend.before,
                 .before_lse = a->blend.lse,
                 .gate = a->blend.gate};
    CT_ARGUMENTS(l, &buffers, &s.args);
    ct_launch_main(l);
    set_groups(b, l, &s);
    *partials = (ct_partials){(int)s.parts, o, lse};
    count_work(b, &s);
out:
    return st;
}
