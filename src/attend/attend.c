/* Host side of cl/attend/attend_forward.cl: shapes, lists, splits, arguments. */
#include "attend/attend.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "layout/lists.h"
#include "plan/arguments.h"
#include "program/lex.h"
#include "tile/tiles.h"

#include "../../cl/attend/args.cl"

#define SHORT_LIST 24 /* tiles; measured on an H200: at 6 it gains 17 %, at 20 5 %, at 64 it loses 3 % */

_Static_assert(sizeof(attend_args) == offsetof(attend_args, p) + sizeof(f32[8]),
               "a hole at the end, which Mesa's runtime does not count");

static bool is(ct_ref ref)
{
    return ref.where != CT_NOWHERE;
}

/* Heads of a group become rows of one tile where queries are too few to fill it; only where nothing differs by head. */
static int heads_packed(const ct_attend *a)
{
    const int64_t group = a->hq / a->hk;
    const bool by_head = is(a->slopes) || is(a->sink) || is(a->bias) || a->score_text || a->mask_text ||
                         (a->layout && a->blocks.heads > 1);
    return group > 1 && !by_head && a->max_q < 16 && group <= 64 ? (int)group : 1;
}

static int rows_aligned(const ct_attend *a)
{
    const int64_t parts[] = {a->qs.batch, a->qs.head, a->qs.row,   a->ks.batch, a->ks.head, a->ks.row, a->vs.batch,
                             a->vs.head,  a->vs.row,  a->os.batch, a->os.head,  a->os.row,  a->dqk,    a->dv};
    return ct_tile_aligned(parts, CT_COUNT(parts));
}

/* How many parts a line's keys are cut into: enough groups to fill the device, and no part of fewer than eight tiles.
 */
static int64_t parts_for(ct_builder *b, int64_t groups, int64_t longest)
{
    const int64_t units = ct_builder_context(b)->env.facts.compute_units,
                  enough = 2 * units * (ct_builder_tile(b)->line_items > 1 ? 2 : 1);
    return groups >= enough ? 1 : ct_max(1, ct_min(ct_ceil_div(enough, groups), longest / 8));
}

typedef struct attend_parts {
    const ct_attend *a;
    ct_shape shape;
    ct_lists lists;
    int pack;
    int64_t groups_y, parts;
    ct_ref q, k, v, o, lse;
    attend_args args;
} attend_parts;

static cl_int token_bound(int64_t bound, const ct_attend *a)
{
    const int64_t most = ct_max(ct_max(a->nq, a->nk), a->places);
    return (cl_int)(bound < 0 || bound > most ? most : bound);
}

/* Batches of one head beside each other: a bias that they share is then read from memory once. */
static bool abreast(const ct_attend *a)
{
    return is(a->bias) && a->bias_b == 1 && a->b > 1;
}

/* HEAVY_LAST in tile.cl: so many heads take turns, a divisor of their number; those whose keys and values share a cache
 * (as the tile scheduler of FlashAttention-3 has it). With a head after another the queue ended with a whole head: 32
 * triangles of 64 rows took 132 processors 6 % longer. Rows of windows and layouts are near to equal: a head after
 * another, which shares more of its keys. 0: not causal, or the tile does not queue. */
static cl_int crowd_of(const ct_tile *tile, const attend_parts *s)
{
    const ct_attend *a = s->a;
    const double bytes = (double)(a->nk * (a->dqk + a->dv)) * (double)clattn_dtype_size(a->types.k) * (double)a->hk /
                         (double)(a->hq / s->pack);
    if (!a->causal || s->parts > 1 || tile->crowd_bytes == 0) {
        return 0;
    }
    const bool triangle = !a->layout && a->left < 0;
    int64_t crowd = triangle ? (int64_t)fmax(1, fmin((double)tile->crowd_bytes / bytes, (double)s->groups_y)) : 1;
    while (s->groups_y % crowd) {
        crowd--;
    }
    return (cl_int)crowd;
}

static void fill_args(ct_builder *b, attend_parts *s)
{
    const ct_attend *a = s->a;
    attend_args *g = &s->args;
    *g = (attend_args){.q = a->qs,
                       .k = a->ks,
                       .v = a->vs,
                       .o = a->os,
                       .lse_batch = a->hq * a->nq,
                       .lse_head = a->nq,
                       .bias_row = a->nk,
                       .list_batch = s->lists.list_batch,
                       .list_head = s->lists.list_head,
                       .nq = (cl_int)a->nq,
                       .nk = (cl_int)a->nk,
                       .group = (cl_int)(a->hq / a->hk),
                       .step = s->shape.step,
                       .parts = (cl_int)s->parts,
                       .left = token_bound(a->left, a),
                       .right = token_bound(a->right, a),
                       .places = (cl_int)a->places,
                       .rows = (cl_int)s->lists.rows,
                       .items = (cl_int)s->groups_y,
                       .inner = (cl_int)(abreast(a) ? a->b : a->hq / s->pack),
                       .abreast = abreast(a),
                       .crowd = crowd_of(ct_builder_tile(b), s),
                       .scale = (cl_float)a->scale,
                       .cap = (cl_float)a->softcap};
    g->bias_head = a->bias_h > 1 ? a->nq * a->nk : 0;
    g->bias_batch = a->bias_b > 1 ? a->bias_h * a->nq * a->nk : 0;
    g->padding_batch = a->nk;
    for (int i = 0; i < 8; i++) {
        g->p[i] = (cl_float)a->p[i];
    }
    if (s->parts > 1) {
        g->o_part = a->b * a->hq * a->nq * a->dv;
        g->lse_part = a->b * a->hq * a->nq;
        g->o = (strides){a->hq * a->nq * a->dv, a->nq * a->dv, a->dv};
    }
}

/* A scale that the softmax's factor can take over: positive, and so near 1 that neither it nor a sink divided by it
 * leaves float. */
static bool folds(double scale)
{
    return scale >= 0x1p-64 && scale <= 0x1p64;
}

/* 0: there is none; 1: a body; 2: an expression, which says no `return`. */
static int text_kind(const char *text)
{
    return !text ? 0 : ct_lex_finds(text, "return") ? 1 : 2;
}

static void define(ct_launch *l, const attend_parts *s)
{
    const ct_attend *a = s->a;
    const bool window = a->left >= 0 || a->right >= 0;
    const ct_define defines[] = {
        {"BM", s->shape.bm},
        {"BN", s->shape.bn},
        {"DK", a->dqk},
        {"DV", a->dv},
        {"PACK", s->pack},
        {"STORE", a->types.q},
        {"OUT", s->parts > 1 ? CLATTN_F32 : a->out},
        {"COLS", s->shape.cols},
        {"PARTIAL", s->lists.partial},
        {"CAUSAL", a->causal},
        {"HEAVY_LAST", s->args.crowd > 0},
        {"WINDOW", window},
        {"SOFTCAP", a->softcap > 0},
        {"ALIBI", is(a->slopes)},
        {"BIAS", is(a->bias)},
        {"PADDING", is(a->padding)},
        {"SINK", is(a->sink)},
        {"KEYED", is(a->positions)},
        {"PATTERN", a->layout && a->layout->rules},
        {"PACKED", a->sequences > 0},
        {"SCORE_TEXT", text_kind(a->score_text)},
        {"MASK_TEXT", text_kind(a->mask_text)},
        {"SCALED", !folds(a->scale)},
        {"BLEND", is(a->blend.before) ? 1 + a->blend.of_before : 0},
    };
    for (size_t i = 0; i < CT_COUNT(defines); i++) {
        if (defines[i].value || i < 2) { /* every one of them is 0 unless it says otherwise */
            ct_launch_define(l, defines[i].name, defines[i].value);
        }
    }
    ct_launch_mixed(l, &a->types, "kv");
    if (!s->lists.partial) {
        ct_launch_define(l, "PARTIAL", 0);
    }
    for (int i = 0; i < s->shape.n_extra; i++) {
        ct_launch_define(l, s->shape.extra[i].name, s->shape.extra[i].value);
    }
}

static clattn_status rule_constants(ct_builder *b, const clattn_layout *layout, ct_ref *rules, ct_ref *flags)
{
    clattn_status st = CLATTN_OK;
    *rules = *flags = ct_nothing();
    if (layout && layout->rules) {
        CT_TRY(ct_builder_constant(b, "rules", layout->rules, layout->heads, (int)sizeof *layout->rules, rules));
    }
    if (layout && layout->flags) {
        CT_TRY(ct_builder_constant(b, "flags", layout->flags, layout->nk, 1, flags));
    }
out:
    return st;
}

/* The tensors as the tile's kernels get them. */
static clattn_status take_tensors(ct_builder *b, attend_parts *s)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = s->a;
    const ct_tile *tile = ct_builder_tile(b);
    ct_tensor_in t[] = {
        {"q", a->q, a->qs, a->types.q, a->dqk, a->nq, a->hq, a->b, s->shape.bm / s->pack, s->pack, a->cu_q},
        {"k", a->k, a->ks, a->types.k, a->dqk, a->nk, a->hk, a->b, s->shape.bn, 1, a->cu_k},
        {"v", a->v, a->vs, a->types.v, a->dv, a->nk, a->hk, a->b, s->shape.bn, 1, a->cu_k},
    };
    if (tile->tensors) {
        CT_TRY(tile->tensors(b, t, (int)CT_COUNT(t), a->sequences, &s->shape));
    }
    s->q = t[0].ref;
    s->k = t[1].ref;
    s->v = t[2].ref;
out:
    return st;
}

static int64_t usual_keys(const ct_attend *a)
{
    return a->sequences ? ct_ceil_div(a->nk, a->sequences) : a->max_k;
}

/* Groups that stay for several items: where items are so short that their beginnings and ends count. */
static bool stays(const attend_parts *s)
{
    const int64_t usual = ct_min(s->lists.longest, ct_ceil_div(usual_keys(s->a), s->shape.cols));
    /* counted in an int, which goes on behind the last one */
    const int64_t items = s->lists.rows * s->groups_y * s->parts;
    return s->shape.resident && ct_ceil_div(usual, s->parts) <= SHORT_LIST && items <= INT32_MAX / 2;
}

static void set_groups(ct_builder *b, ct_launch *l, const attend_parts *s)
{
    if (stays(s)) {
        const int64_t all = s->lists.rows * s->groups_y * s->parts,
                      most = s->shape.resident * (int64_t)ct_builder_context(b)->env.facts.compute_units;
        ct_launch_define(l, "RESIDENT", 1);
        ct_launch_groups(l, ct_min(all, most), 1, 1, s->shape.items);
    } else if (s->args.crowd) {
        ct_launch_groups(l, s->args.crowd, s->lists.rows, s->groups_y / s->args.crowd, s->shape.items);
    } else {
        ct_launch_groups(l, s->lists.rows, s->groups_y, s->parts, s->shape.items);
    }
}

static clattn_status add_launch(ct_builder *b, const attend_parts *s)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = s->a;
    const ct_tile *tile = ct_builder_tile(b);
    ct_launch *l = NULL;
    ct_ref rules, flags;
    CT_TRY(rule_constants(b, a->layout, &rules, &flags));
    CT_TRY(ct_builder_launch(b, "attend_forward", &l));
    ct_program_spec *spec = ct_launch_spec(l);
    ct_spec_part(spec, "tile/tile.cl");
    if (s->shape.rows) {
        ct_spec_part(spec, s->shape.rows);
    }
    for (size_t i = 0; i < CT_COUNT(tile->rows) && tile->rows[i] && !s->shape.rows; i++) {
        ct_spec_part(spec, tile->rows[i]);
    }
    ct_spec_part(spec, "variant/score.cl");
    ct_spec_part(spec, "attend/attend_forward.cl");
    ct_spec_part(spec, tile->schedule ? tile->schedule : "schedule/serial.cl");
    spec->ptx_target = tile->ptx_target;
    spec->ptx_groups = s->shape.groups;
    spec->untried = s->shape.untried;
    spec->score_text = a->score_text;
    spec->mask_text = a->mask_text;
    spec->score_name = a->score_name;
    spec->mask_name = a->mask_name;
    define(l, s);
    const struct {
        CT_REFS(ATTEND_FORWARD)
    } buffers = {.q = s->q,
                 .k = s->k,
                 .v = s->v,
                 .o = s->o,
                 .lse = s->lse,
                 .lines = s->lists.lines,
                 .list = s->lists.list,
                 .cu_q = a->cu_q,
                 .cu_k = a->cu_k,
                 .bias = a->bias,
                 .padding = a->padding,
                 .slopes = a->slopes,
                 .sinks = a->sink,
                 .positions = a->positions,
                 .rules = rules,
                 .flags = flags,
                 .text_buffer = a->text_buffer,
                 .before = a->blend.before,
                 .before_lse = a->blend.lse,
                 .gate = a->blend.gate};
    CT_ARGUMENTS(l, &buffers, &s->args);
    ct_launch_main(l);
    set_groups(b, l, s);
out:
    return st;
}

static ct_reads reads_of(const ct_attend *a)
{
    const bool rules = is(a->positions) || (a->layout && a->layout->rules);
    return rules                                             ? CT_READS_RULES
           : is(a->bias)                                     ? CT_READS_BIAS
           : is(a->padding) || a->score_text || a->mask_text ? CT_READS_KEYS
                                                             : CT_READS_NOTHING;
}

static clattn_status choose_shape(ct_builder *b, attend_parts *s)
{
    const ct_attend *a = s->a;
    char why[256] = "";
    /* queries of one block row need no cut between blocks: decode over lists gets the tiles of decode */
    const ct_shape_wish wish = {.block_q = a->layout && a->layout->rows > 1 ? a->layout->block_q : 0,
                                .block_k = a->layout ? a->layout->block_k : 0,
                                .nq = a->max_q,
                                .nk = usual_keys(a),
                                .dk = (int)a->dqk,
                                .dv = (int)a->dv,
                                .pack = s->pack,
                                .causal = a->causal,
                                .window = a->left >= 0 || a->right >= 0,
                                .reads = reads_of(a),
                                .bias = is(a->bias),
                                .tensors = {{"q", a->nq, a->qs.row}, {"k", a->nk, a->ks.row}, {"v", a->nk, a->vs.row}},
                                .aligned = rows_aligned(a),
                                .dtype = a->types.q,
                                .element = ct_types_widest(&a->types),
                                .tf32 = a->tf32,
                                .dots = a->types.q == CLATTN_BF16 && a->types.k == CLATTN_BF16 &&
                                        a->types.v == CLATTN_BF16 && ct_dots_pay(ct_builder_context(b))};
    if (wish.aligned >= ct_builder_tile(b)->vectors || ct_builder_tile(b)->tensors) {
        ct_builder_align(b, ct_builder_tile(b)->vectors);
    }
    if (!ct_builder_tile(b)->shape(&ct_builder_context(b)->env.facts, &wish, &s->shape, why, sizeof why)) {
        return ct_builder_decline(b, "%s", why);
    }
    return CLATTN_OK;
}

static clattn_status make_lists(ct_builder *b, attend_parts *s)
{
    const ct_attend *a = s->a;
    const bool known = !is(a->positions) || a->positions_host;
    const int64_t right = a->causal ? 0 : a->right < 0 ? CT_UNLIMITED : a->right;
    const ct_lists_wish wish = {.layout = a->layout,
                                .blocks = a->layout ? &a->blocks : NULL,
                                .nq = a->max_q,
                                .nk = a->max_k,
                                .left = known && a->left >= 0 ? a->left : CT_UNLIMITED,
                                .right = known ? right : CT_UNLIMITED,
                                .all_masked = is(a->padding) || a->mask_text || !known,
                                .step = s->shape.step,
                                .tile_cols = s->shape.cols,
                                .tile_width = s->shape.bn,
                                .positions = a->positions_host,
                                .places = a->places,
                                .sequences = a->sequences,
                                .tokens = a->nq,
                                .cu_q = a->cu_q,
                                .cu_k = a->cu_k};
    return ct_lists_add(b, &wish, &s->lists);
}

static void count_work(ct_builder *b, const attend_parts *s)
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
    attend_parts s = {.a = a, .pack = heads_packed(a), .o = a->o, .lse = a->lse};
    s.groups_y = a->b * a->hq / s.pack;
    CT_TRY(ct_types_taken(b, &a->types));
    CT_TRY(choose_shape(b, &s));
    CT_TRY(make_lists(b, &s));
    s.parts = a->sequences || is(a->blend.before) ? 1 : parts_for(b, s.lists.rows * s.groups_y, s.lists.longest);
    fill_args(b, &s);
    if (s.parts > 1) {
        s.o = ct_builder_zone(b, "o_parts", s.parts * s.args.o_part, 4);
        s.lse = ct_builder_zone(b, "lse_parts", s.parts * s.args.lse_part, 4);
    }
    CT_TRY(take_tensors(b, &s));
    CT_TRY(add_launch(b, &s));
    *partials = (ct_partials){(int)s.parts, s.o, s.lse};
    count_work(b, &s);
out:
    return st;
}
