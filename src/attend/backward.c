/* Host side of attend's pass backwards: the terms of rows, dQ by rows of queries, dK and dV by rows of keys, or all of
 * them in one pass by rows of keys. */
#include "attend/backward.h"

#include "attend/item.h"
#include "attend/parts.h"
#include "line/line.h"
#include "tile/tiles.h"

/* ORDERED of attend_backward_kv: the sums begin with zeros; everybody waits for those before; for the first alone. */
enum { ZEROS, ALL, FIRST };
typedef struct backward {
    const ct_attend *a;
    const ct_attend_gradient *gradient;
    ct_ref from, minus, delta, far, sunk; /* cl/attend/attend_terms.cl */
    int64_t sums_row, sums_head; /* 0: two passes; else one, which leaves dQ in so many rows of so many floats */
    int64_t parts, sums_part;    /* of which each part of the keys has as many */
    int ordered;                 /* of groups that share sums */
    ct_ref sums, counts;
    ct_item keys, queries; /* blocks of them, with their lists */
    ct_item_tensors of_queries;
    double pairs;
    int64_t entries; /* of all lists */
} backward;

/* Of a struct of CT_REFS: the members of ATTEND_BACKWARD. */
#define BACKWARD_REFS(w, item, t)                                                                                      \
    .q = (t)->q, .k = (t)->k, .v = (t)->v, .g = (t)->g, .from = (w)->from, .minus = (w)->minus, .delta = (w)->delta,   \
    .far = (w)->far, CT_ITEM_REFS(item)

static clattn_status add_zeros(ct_builder *b, ct_ref to, int64_t count)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const struct {
        CT_REFS(FILL_ZEROS)
    } buffers = {.to = to};
    const fill_args args = {.count = count, .width = 1024};
    CT_TRY(ct_line_launch(b, "attend/fill_zeros.cl", "fill_zeros", ct_ceil_div(count, args.width), &l));
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

/* The query rows of a line kernel that reads or writes a tensor of these strides. They are whole where all tensors are
 * aligned: buffers are asked to begin so then (ct_item_shape). */
static ct_line_rows rows_of(ct_builder *b, const ct_attend *a, const strides *s, int64_t width, clattn_dtype dtype)
{
    const int64_t parts[] = {s->batch, s->head, s->row, width};
    const bool whole = ct_item_aligned(a) == 8 && ct_tile_aligned(parts, CT_COUNT(parts)) == 8 &&
                       ct_builder_tile(b)->vectors * (int)clattn_dtype_size(dtype) >= 16;
    return (ct_line_rows){.rows = a->nq, .heads = a->hq, .batches = a->b, .width = width, .whole = whole};
}

static clattn_status add_terms(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const int64_t rows = a->b * a->hq * a->nq;
    w->from = ct_builder_zone(b, "from", rows, 4);
    w->minus = ct_builder_zone(b, "minus LSE", rows, 4);
    w->delta = ct_builder_zone(b, "delta", rows, 4);
    w->far = ct_builder_zone(b, "far", 1, 4);
    CT_TRY(add_zeros(b, w->far, 1));
    w->sunk = ct_is(w->gradient->dsink) ? ct_builder_zone(b, "weights of the sink", rows, 4) : ct_nothing();
    if (w->sums_row) {
        w->sums = ct_builder_zone(b, "sums of dq", w->parts * w->sums_part, 4);
    }
    if (w->ordered) {
        w->counts = ct_builder_zone(b, "counts of who has added to them", rows * COUNTS, 4);
    }
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
                 .far = w->far,
                 .sunk = w->sunk,
                 .sums = w->ordered ? ct_nothing() : w->sums, /* whoever is known to be the first needs no zeros */
                 .counts = w->counts};
    const terms_args args = {.o = a->os,
                             .rows = a->nq,
                             .sums_head = w->sums_head,
                             .sums_part = w->sums_part,
                             .heads = (i32)a->hq,
                             .width = (i32)a->dv,
                             .sums_row = (i32)w->sums_row,
                             .parts = (i32)w->parts};
    const ct_line_rows lines = rows_of(b, a, &a->os, a->dv, a->types.q);
    CT_TRY(ct_line_launch_rows(b, "attend/attend_terms.cl", "attend_terms", &lines, &l));
    ct_launch_define(l, "STORE", a->types.q);
    ct_launch_define(l, "FLOAT_O", a->out == CLATTN_F32 && a->types.q != CLATTN_F32);
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

/* What arrives at a row, times its weight. */
static clattn_status add_weights(ct_builder *b, const backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const struct {
        CT_REFS(ATTEND_WEIGH)
    } buffers = {.weight = w->gradient->weight, .minus = w->minus, .sunk = w->sunk};
    const weigh_args args = {.count = w->a->b * w->a->hq * w->a->nq, .width = 1024};
    CT_TRY(ct_line_launch(b, "attend/attend_weigh.cl", "attend_weigh", ct_ceil_div(args.count, args.width), &l));
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

/* factor times the sums over a head's rows of x, or of x y. */
static clattn_status add_head_sums(ct_builder *b, const backward *w, ct_ref x, ct_ref y, double factor, ct_ref sums)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const struct {
        CT_REFS(HEAD_SUMS)
    } buffers = {.x = x, .y = y, .sums = sums};
    const head_sums_args args = {.rows = a->nq, .batches = (i32)a->b, .heads = (i32)a->hq, .factor = (f32)factor};
    CT_TRY(ct_line_launch(b, "attend/head_sums.cl", "head_sums", a->hq, &l));
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

static clattn_status make_item(ct_builder *b, const ct_attend *a, bool turned, bool share, ct_item *item)
{
    clattn_status st = CLATTN_OK;
    *item = (ct_item){.a = a,
                      .backward = true,
                      .turned = turned,
                      .share = share,
                      .pack = 1,
                      .parts = 1,
                      .groups_y = a->b * (turned ? a->hk : a->hq)};
    CT_TRY(ct_item_shape(b, item));
    CT_TRY(ct_item_lists(b, item));
    CT_TRY(ct_item_args(b, item));
out:
    return st;
}

static attend_backward_args args_of(const backward *w, const ct_item *item)
{
    const ct_attend_gradient *g = w->gradient;
    return (attend_backward_args){.a = item->args,
                                  .dq = g->dqs,
                                  .dk = g->dks,
                                  .dv = g->dvs,
                                  .sums_row = w->sums_row,
                                  .sums_head = w->sums_head,
                                  .sums_part = w->sums_part};
}

/* Statistics of the rows that are far from 0, block of queries by block. */
static clattn_status add_statistics(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    ct_item *item = &w->queries;
    CT_TRY(make_item(b, a, false, false, item));
    CT_TRY(ct_item_take(b, item, w->gradient->g, &w->of_queries));
    CT_TRY(ct_item_launch(b, item, "attend_statistics", "attend/attend_statistics.cl", CLATTN_F32, &l));
    if (ct_is(a->sink)) {
        ct_launch_define(l, "SINK", 1);
    }
    const struct {
        CT_REFS(ATTEND_STATISTICS)
    } buffers = {.q = w->of_queries.q,
                 .k = w->of_queries.k,
                 .lse = a->lse,
                 .from = w->from,
                 .minus = w->minus,
                 .far = w->far,
                 .sunk = w->sunk,
                 CT_ITEM_REFS(item),
                 .sinks = a->sink};
    CT_ARGUMENTS(l, &buffers, &item->args);
    if (ct_item_may_stay(item)) { /* rarely is there anything to do, and to begin groups for it takes its time */
        ct_item_stay(b, l, item);
    } else {
        ct_launch_groups(l, item->lists.rows, item->groups_y, 1, item->shape.items);
    }
    w->entries += item->lists.entries;
    w->pairs = item->lists.pairs * (double)a->hq * (double)a->b;
out:
    return st;
}

/* Heads that take turns: a divisor of their number. Blocks of one head follow each other through its queries, and wait
 * for each other where sums are ordered; heads beside each other leave fewer of them to wait, which matters most where
 * each block begins behind the one before. With a layout some blocks are listed far more often than others: those of
 * all heads are to begin early. */
static i32 crowd_of(const ct_item *item, int ordered)
{
    enum { BESIDE = 16, WAITING = 32 };
    const int beside = ordered == ALL && item->a->causal ? WAITING : BESIDE;
    return (i32)(item->a->layout ? item->groups_y : ct_divisor_to(item->groups_y, beside));
}

/* dK and dV of the blocks of keys, and what one pass leaves of dQ. */
static clattn_status add_keys(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    ct_item *item = &w->keys;
    ct_item_tensors t;
    const bool shares = item->shape.shares;
    CT_TRY(ct_item_take(b, item, w->gradient->g, &t));
    CT_TRY(ct_item_launch(b, item, "attend_backward_kv", "attend/attend_backward_kv.cl", w->gradient->out, &l));
    item->args.crowd = shares ? crowd_of(item, w->ordered) : 0;
    const attend_backward_args args = args_of(w, item);
    const struct {
        CT_REFS(ATTEND_BACKWARD_KV)
    } buffers = {BACKWARD_REFS(w, item, &t), .dk = w->gradient->dk,     .dv = w->gradient->dv, .sums = w->sums,
                 .counts = w->counts,        .ranks = item->lists.ranks};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_main(l);
    if (w->sums_row) {
        ct_launch_define(l, "GATHER", shares ? 2 : 1);
    }
    if (w->ordered) {
        ct_launch_define(l, "ORDERED", w->ordered);
    }
    if (w->ordered == ALL && item->a->layout) {
        ct_launch_define(l, "FROM_ENDS", 1);
    }
    if (shares) {
        ct_item_stay(b, l, item);
    } else {
        ct_launch_groups(l, w->sums_row ? w->parts : item->lists.rows, item->groups_y, 1, item->shape.items);
    }
    w->entries += item->lists.entries;
out:
    return st;
}

/* dQ of the blocks of queries, unless it is made already, and the gradient of ALiBi's slopes. */
static clattn_status add_queries(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const ct_item item = w->queries;
    CT_TRY(ct_item_launch(b, &item, "attend_backward_q", "attend/attend_backward_q.cl", w->gradient->out, &l));
    const attend_backward_args args = args_of(w, &item);
    const bool slopes = ct_is(w->gradient->dslopes);
    const ct_ref of_rows = slopes ? ct_builder_zone(b, "slopes of rows", a->b * a->hq * a->nq, 4) : ct_nothing();
    const struct {
        CT_REFS(ATTEND_BACKWARD_Q)
    } buffers = {BACKWARD_REFS(w, &item, &w->of_queries), .dq = w->sums_row ? ct_nothing() : w->gradient->dq,
                 .row_slopes = of_rows};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, item.lists.rows, item.groups_y, 1, item.shape.items);
    if (slopes) {
        ct_launch_define(l, "SLOPES", 1);
        CT_TRY(add_head_sums(b, w, of_rows, ct_nothing(), 1, w->gradient->dslopes));
    }
    if (w->sums_row) {
        ct_launch_define(l, "QUERIES", 0);
    }
out:
    return st;
}

/* The bias's gradient, a plane at a time: heads and batches that share one are one item's work, lines are cut. */
static clattn_status add_bias(ct_builder *b, const backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const ct_item *item = &w->queries;
    const int64_t planes = a->bias_b * a->bias_h, groups = item->lists.rows * planes;
    const int64_t enough = 4 * (int64_t)ct_builder_context(b)->env.facts.compute_units;
    const int64_t parts = ct_max(1, ct_min(item->lists.longest, ct_ceil_div(enough, ct_max(groups, 1))));
    CT_TRY(add_zeros(b, w->gradient->dbias, planes * a->nq * a->nk));
    CT_TRY(ct_item_launch(b, item, "attend_backward_bias", "attend/attend_backward_bias.cl", CLATTN_F32, &l));
    const backward_bias_args args = {.a = item->args,
                                     .batches = (i32)(a->b / a->bias_b),
                                     .heads = (i32)(a->hq / a->bias_h),
                                     .planes = (i32)a->bias_h,
                                     .parts = (i32)parts};
    const struct {
        CT_REFS(ATTEND_BACKWARD_BIAS)
    } buffers = {BACKWARD_REFS(w, item, &w->of_queries), .dbias = w->gradient->dbias};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, item->lists.rows, planes, parts, item->shape.items);
out:
    return st;
}

/* dQ of what the one pass has left. */
static clattn_status add_collect(ct_builder *b, const backward *w)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const ct_attend *a = w->a;
    const struct {
        CT_REFS(ATTEND_COLLECT)
    } buffers = {.sums = w->sums, .counts = w->counts, .cu_q = a->cu_q, .dq = w->gradient->dq};
    const collect_args args = {.dq = w->gradient->dqs,
                               .rows = a->nq,
                               .sums_head = w->sums_head,
                               .sums_part = w->sums_part,
                               .heads = (i32)a->hq,
                               .width = (i32)a->dqk,
                               .sums_row = (i32)w->sums_row,
                               .of_tile = w->keys.shape.bn,
                               .scale = (f32)a->scale,
                               .sequences = (i32)a->sequences,
                               .parts = (i32)w->parts};
    const bool shares = w->keys.shape.shares;
    const char *text = "attend/attend_collect.cl";
    const ct_line_rows lines = rows_of(b, a, &w->gradient->dqs, a->dqk, w->gradient->out);
    CT_TRY(ct_line_launch_rows(b, shares ? ct_builder_tile(b)->share : text, "attend_collect", &lines, &l));
    if (shares) {
        ct_spec_part(ct_launch_spec(l), text);
        ct_launch_define(l, "SHARES", 1);
        ct_launch_define(l, "BN", w->keys.shape.bn);
        ct_launch_define(l, "PACKED", a->sequences > 0);
        ct_launch_define(l, "WORKERS", w->keys.shape.bm / 64);
        ct_launch_define(l, "SUMS_ROW", w->sums_row);
    }
    ct_launch_define(l, "OUT", w->gradient->out);
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

/* May groups share the sums of dQ? No text changes a score, for which a second chain has no room; and either nobody
 * minds the order, or it is known, as it has to be of packed sequences, whose tiles are not all somebody's. */
static bool may_share(ct_builder *b, const ct_attend *a)
{
    const ct_item item = {.a = a, .backward = true, .turned = true, .pack = 1};
    const bool ordered = ct_item_ordered(&item), any = !ct_builder_problem(b)->deterministic && !a->sequences;
    return !ct_item_texts(a) && ct_item_reads(a) < CT_READS_BIAS && (ordered || any);
}

/* Groups that share a head's sums do a block of keys each. */
static void share_sums(ct_builder *b, backward *w)
{
    const ct_attend *a = w->a;
    const int64_t of_tile = w->keys.shape.bn;
    const bool fixed = ct_builder_problem(b)->deterministic;
    w->sums_row = ct_round_up(ct_max(a->dqk, a->dv), 64);
    w->sums_head = a->sequences ? (a->nq / of_tile + a->sequences) * of_tile : ct_round_up(a->nq, of_tile);
    w->parts = 1;
    w->ordered = fixed ? ALL : ct_item_ordered(&w->keys) ? FIRST : ZEROS;
    ct_builder_note(b, "one pass, dq summed in %s order", fixed ? "a fixed" : "any");
    if (!fixed) {
        ct_builder_any_order(b);
    }
}

/* Floats of a part's sums. */
static int64_t part_of_sums(const backward *w)
{
    return w->a->b * w->a->hq * w->sums_head * w->sums_row;
}

/* A group does a head's blocks of keys one after another, where heads are enough to fill the device; or a part of them,
 * where sums for each part do not fill its memory. */
static void gather_sums(ct_builder *b, backward *w)
{
    const ct_device_facts *facts = &ct_builder_context(b)->env.facts;
    w->sums_row = ct_round_up(ct_max(w->a->dqk, w->a->dv), 16);
    w->sums_head = w->a->nq;
    const int64_t heads = w->keys.groups_y, units = facts->compute_units, places = w->keys.shape.places * units;
    const int64_t room = ct_min((int64_t)(facts->global_memory / 16), (int64_t)2 << 30) / (4 * part_of_sums(w));
    w->parts = places ? ct_backward_parts(heads, w->keys.lists.rows, places, room) : heads >= units;
    if (!w->parts) {
        w->sums_row = 0;
    }
    if (w->parts > 1) {
        ct_builder_note(b, "one pass, keys in %lld parts, each with sums of dq", (long long)w->parts);
    }
}

/* One pass or two: one, where there are groups enough that share a head's sums or gather them. */
static clattn_status choose_passes(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = w->a;
    CT_TRY(make_item(b, a, true, may_share(b, a), &w->keys));
    if (w->keys.shape.shares) {
        share_sums(b, w);
    } else if (w->keys.shape.gathers) {
        gather_sums(b, w);
    }
    w->sums_part = part_of_sums(w);
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
    backward w = {.a = a, .gradient = gradient, .sums = ct_nothing(), .counts = ct_nothing()};
    if (!ct_builder_tile(b)->backward) {
        CT_TRY(ct_builder_decline(b, "tile %s has no pass backwards", ct_builder_tile(b)->name));
    }
    CT_TRY(ct_types_taken(b, &a->types));
    CT_TRY(choose_passes(b, &w));
    CT_TRY(add_terms(b, &w));
    CT_TRY(add_statistics(b, &w));
    if (ct_is(gradient->weight)) {
        CT_TRY(add_weights(b, &w));
    }
    CT_TRY(add_keys(b, &w));
    if (w.sums_row) {
        CT_TRY(add_collect(b, &w));
    }
    if (!w.sums_row || ct_is(gradient->dslopes)) {
        CT_TRY(add_queries(b, &w));
    }
    if (ct_is(gradient->dsink)) {
        CT_TRY(add_head_sums(b, &w, w.sunk, w.delta, -1, gradient->dsink));
    }
    if (ct_is(gradient->dbias)) {
        CT_TRY(add_bias(b, &w));
    }
    count_work(b, &w);
out:
    return st;
}
