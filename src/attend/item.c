#include "attend/item.h"

#include <stddef.h>
#include <string.h>

#include "program/lex.h"
#include "tile/tiles.h"

_Static_assert(sizeof(attend_args) == offsetof(attend_args, p) + sizeof(f32[8]),
               "a hole at the end, which Mesa's runtime does not count");

int64_t ct_item_usual(const ct_item *item)
{
    const ct_attend *a = item->a;
    const int64_t all = item->turned ? a->nq : a->nk, longest = item->turned ? a->max_q : a->max_k;
    return a->sequences ? ct_ceil_div(all, a->sequences) : longest;
}

int ct_item_aligned(const ct_attend *a)
{
    const int64_t parts[] = {a->qs.batch, a->qs.head, a->qs.row,   a->ks.batch, a->ks.head, a->ks.row, a->vs.batch,
                             a->vs.head,  a->vs.row,  a->os.batch, a->os.head,  a->os.row,  a->dqk,    a->dv};
    return ct_tile_aligned(parts, CT_COUNT(parts));
}

ct_reads ct_item_reads(const ct_attend *a)
{
    const bool rules = ct_is(a->positions) || (a->layout && a->layout->rules);
    return rules                                         ? CT_READS_RULES
           : ct_is(a->bias)                              ? CT_READS_BIAS
           : ct_is(a->padding) || ct_has_texts(a->texts) ? CT_READS_KEYS
                                                         : CT_READS_NOTHING;
}

/* A scale that the softmax's factor can take over: positive, and so near 1 that neither it nor a sink divided by it
 * leaves float. */
static bool folds(double scale)
{
    return scale >= 0x1p-64 && scale <= 0x1p64;
}

bool ct_item_texts(const ct_attend *a)
{
    return a->softcap > 0 || !folds(a->scale) || ct_is(a->slopes) || ct_has_texts(a->texts);
}

static int width_of(const ct_item *item, int64_t width)
{
    return (int)(item->backward ? ct_max(item->a->dqk, item->a->dv) : width);
}

clattn_status ct_item_shape(ct_builder *b, ct_item *item)
{
    const ct_attend *a = item->a;
    const clattn_layout *l = a->layout;
    const bool turned = item->turned;
    char why[256] = "";
    /* queries of one block row need no cut between blocks: decode over lists gets the tiles of decode */
    const int block_q = l && (l->rows > 1 || item->backward) ? l->block_q : 0, block_k = l ? l->block_k : 0;
    const ct_shape_wish wish = {.block_q = turned ? block_k : block_q,
                                .block_k = turned ? block_q : block_k,
                                .nq = turned ? a->max_k : a->max_q,
                                .nk = ct_item_usual(item),
                                .dk = width_of(item, a->dqk),
                                .dv = width_of(item, a->dv),
                                .pack = item->pack,
                                .backward = item->backward,
                                .turned = turned,
                                .texts = ct_item_texts(a),
                                .share = item->share,
                                .causal = a->causal,
                                .window = a->left >= 0 || a->right >= 0,
                                .reads = ct_item_reads(a),
                                .bias = ct_is(a->bias),
                                .tensors = {{"q", a->nq, a->qs.row}, {"k", a->nk, a->ks.row}, {"v", a->nk, a->vs.row}},
                                .aligned = ct_item_aligned(a),
                                .dtype = a->types.q,
                                .element = ct_types_widest(&a->types),
                                .tf32 = a->tf32,
                                .dots = !item->backward && a->types.q == CLATTN_BF16 && a->types.k == CLATTN_BF16 &&
                                        a->types.v == CLATTN_BF16 && ct_dots_pay(ct_builder_context(b))};
    if (wish.aligned >= ct_builder_tile(b)->vectors || ct_builder_tile(b)->tensors) {
        ct_builder_align(b, ct_builder_tile(b)->vectors);
    }
    if (!ct_builder_tile(b)->shape(&ct_builder_context(b)->env.facts, &wish, &item->shape, why, sizeof why)) {
        return ct_builder_decline(b, "%s", why);
    }
    return CLATTN_OK;
}

static ct_lists_wish wish_of(const ct_item *item)
{
    const ct_attend *a = item->a;
    const bool known = !ct_is(a->positions) || a->positions_host;
    const int64_t right = a->causal ? 0 : a->right < 0 ? CT_UNLIMITED : a->right;
    return (ct_lists_wish){.layout = a->layout,
                           .blocks = a->layout ? &a->blocks : NULL,
                           .nq = a->max_q,
                           .nk = a->max_k,
                           .left = known && a->left >= 0 ? a->left : CT_UNLIMITED,
                           .right = known ? right : CT_UNLIMITED,
                           .all_masked = ct_is(a->padding) || a->texts[CT_TEXT_MASK].text || !known,
                           .step = item->shape.step,
                           .tile_cols = item->shape.cols,
                           .tile_width = item->shape.bn,
                           .positions = a->positions_host,
                           .places = a->places,
                           .sequences = a->sequences,
                           .tokens = a->nq,
                           .cu_q = a->cu_q,
                           .cu_k = a->cu_k};
}

/* Key j is seen by query i if and only if query i is seen, looking back, by key j: windows change sides. The layout is
 * not transposed yet. */
static ct_lists_wish turned_wish(const ct_item *item)
{
    const ct_attend *a = item->a;
    const ct_lists_wish straight = wish_of(item);
    ct_lists_wish w = straight;
    w.nq = straight.nk;
    w.nk = straight.nq;
    w.left = straight.right;
    w.right = straight.left;
    w.tokens = a->nk;
    w.cu_q = straight.cu_k;
    w.cu_k = straight.cu_q;
    w.all_masked = w.all_masked || (a->layout && a->layout->rules); /* the rules count from queries */
    if (ct_is(a->positions)) {                                      /* they are no columns */
        w.positions = NULL;
        w.left = w.right = CT_UNLIMITED;
        w.all_masked = true;
    }
    w.ranked = item->share;
    return w;
}

bool ct_item_ordered(const ct_item *item)
{
    const ct_lists_wish w = turned_wish(item);
    return ct_lists_ordered(&w);
}

static clattn_status turned_lists(ct_builder *b, ct_item *item)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = item->a;
    ct_lists_wish w = turned_wish(item);
    ct_blocks blocks;
    clattn_layout *layout = NULL;
    if (a->layout) {
        CT_TRY(ct_blocks_transpose(b, a->layout, &a->blocks, &layout, &blocks));
        w.layout = layout;
        w.blocks = &blocks;
    }
    CT_TRY(ct_lists_add(b, &w, &item->lists));
out:
    clattn_layout_release(layout);
    return st;
}

clattn_status ct_item_lists(ct_builder *b, ct_item *item)
{
    const ct_lists_wish wish = wish_of(item);
    return item->turned ? turned_lists(b, item) : ct_lists_add(b, &wish, &item->lists);
}

static cl_int token_bound(int64_t bound, const ct_attend *a)
{
    const int64_t most = ct_max(ct_max(a->nq, a->nk), a->places);
    return (cl_int)(bound < 0 || bound > most ? most : bound);
}

/* Batches of one head beside each other: a bias that they share is then read from memory once. */
static bool abreast(const ct_item *item)
{
    const ct_attend *a = item->a;
    return !item->backward && ct_is(a->bias) && a->bias_b == 1 && a->b > 1;
}

static clattn_status rule_constants(ct_builder *b, ct_item *item)
{
    clattn_status st = CLATTN_OK;
    const clattn_layout *l = item->a->layout;
    item->rules = item->flags = ct_nothing();
    if (l && l->rules) {
        CT_TRY(ct_builder_constant(b, "rules", l->rules, l->heads, (int)sizeof *l->rules, &item->rules));
    }
    if (l && l->flags) {
        CT_TRY(ct_builder_constant(b, "flags", l->flags, l->nk, 1, &item->flags));
    }
out:
    return st;
}

clattn_status ct_item_args(ct_builder *b, ct_item *item)
{
    const ct_attend *a = item->a;
    attend_args *g = &item->args;
    *g = (attend_args){.q = a->qs,
                       .k = a->ks,
                       .v = a->vs,
                       .o = a->os,
                       .lse_batch = a->hq * a->nq,
                       .lse_head = a->nq,
                       .bias_row = a->nk,
                       .list_batch = item->lists.list_batch,
                       .list_head = item->lists.list_head,
                       .nq = (cl_int)a->nq,
                       .nk = (cl_int)a->nk,
                       .group = (cl_int)(a->hq / a->hk),
                       .step = item->shape.step,
                       .parts = (cl_int)item->parts,
                       .left = token_bound(a->left, a),
                       .right = token_bound(a->right, a),
                       .places = (cl_int)a->places,
                       .rows = (cl_int)item->lists.rows,
                       .items = (cl_int)item->groups_y,
                       .inner = (cl_int)(abreast(item) ? a->b : item->groups_y / a->b),
                       .abreast = abreast(item),
                       .scale = (cl_float)a->scale,
                       .cap = (cl_float)a->softcap};
    g->bias_head = a->bias_h > 1 ? a->nq * a->nk : 0;
    g->bias_batch = a->bias_b > 1 ? a->bias_h * a->nq * a->nk : 0;
    g->padding_batch = a->nk;
    for (int i = 0; i < 8; i++) {
        g->p[i] = (cl_float)a->p[i];
    }
    return rule_constants(b, item);
}

clattn_status ct_item_take(ct_builder *b, const ct_item *item, ct_ref g, ct_item_tensors *out)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = item->a;
    const ct_tile *tile = ct_builder_tile(b);
    /* rows that stay, and those that arrive step by step */
    const int held = item->shape.bm / item->pack, stream = item->shape.bn, of_q = item->turned ? stream : held,
              of_k = item->turned ? held : stream;
    ct_tensor_in t[] = {
        {"q", a->q, a->qs, a->types.q, a->dqk, a->nq, a->hq, a->b, of_q, item->pack, a->cu_q, false},
        {"do", g, a->os, a->types.q, a->dv, a->nq, a->hq, a->b, of_q, item->pack, a->cu_q, false},
        {"k", a->k, a->ks, a->types.k, a->dqk, a->nk, a->hk, a->b, of_k, 1, a->cu_k, true},
        {"v", a->v, a->vs, a->types.v, a->dv, a->nk, a->hk, a->b, of_k, 1, a->cu_k, true},
    };
    if (!ct_is(g)) { /* the forward pass has none */
        t[1] = t[2];
        t[2] = t[3];
    }
    const int n = ct_is(g) ? 4 : 3;
    if (tile->tensors) {
        CT_TRY(tile->tensors(b, t, n, a->sequences, &item->shape));
    }
    *out = (ct_item_tensors){t[0].ref, ct_is(g) ? t[1].ref : g, t[n - 2].ref, t[n - 1].ref};
out:
    return st;
}

/* 0: there is none; 1: a body; 2: an expression, which says no `return`. */
static int text_kind(const char *text)
{
    return !text ? 0 : ct_lex_finds(text, "return") ? 1 : 2;
}

static void define(ct_launch *l, const ct_item *item, clattn_dtype out)
{
    const ct_attend *a = item->a;
    const ct_define defines[] = {
        {"BM", item->shape.bm},
        {"BN", item->shape.bn},
        {"DK", width_of(item, a->dqk)},
        {"DV", width_of(item, a->dv)},
        {"BY_KEYS", item->turned},
        {"PACK", item->pack},
        {"STORE", a->types.q},
        {"OUT", out},
        {"COLS", item->shape.cols},
        {"PARTIAL", item->lists.partial},
        {"CAUSAL", a->causal},
        {"HEAVY_LAST", item->args.crowd > 0},
        {"WINDOW", a->left >= 0 || a->right >= 0},
        {"SOFTCAP", a->softcap > 0},
        {"ALIBI", ct_is(a->slopes)},
        {"BIAS", ct_is(a->bias)},
        {"PADDING", ct_is(a->padding)},
        {"SINK", ct_is(a->sink) && !item->backward},
        {"KEYED", ct_is(a->positions)},
        {"PATTERN", a->layout && a->layout->rules},
        {"PACKED", a->sequences > 0},
        {"SCORE_TEXT", text_kind(a->texts[CT_TEXT_SCORE].text)},
        {"DSCORE_TEXT", item->backward ? text_kind(a->texts[CT_TEXT_DSCORE].text) : 0},
        {"MASK_TEXT", text_kind(a->texts[CT_TEXT_MASK].text)},
        {"SCALED", !folds(a->scale)},
        {"CUT", item->parts > 1},
        {"BLEND", ct_is(a->blend.before) ? 1 + a->blend.of_before : 0},
    };
    for (size_t i = 0; i < CT_COUNT(defines); i++) {
        if (defines[i].value || i < 2) { /* every one of them is 0 unless it says otherwise */
            ct_launch_define(l, defines[i].name, defines[i].value);
        }
    }
    ct_launch_mixed(l, &a->types, item->turned ? "qq" : "kv", item->turned ? 'k' : 'q');
    if (item->backward && a->dqk != a->dv) {
        ct_launch_define(l, "WIDTH_K", a->dqk);
        ct_launch_define(l, "WIDTH_V", a->dv);
    }
    if (!item->lists.partial) {
        ct_launch_define(l, "PARTIAL", 0);
    }
    for (int i = 0; i < item->shape.n_extra; i++) {
        ct_launch_define(l, item->shape.extra[i].name, item->shape.extra[i].value);
    }
}

clattn_status ct_item_launch(ct_builder *b, const ct_item *item, const char *kernel, const char *stage,
                             clattn_dtype out, ct_launch **launch)
{
    clattn_status st = CLATTN_OK;
    const ct_attend *a = item->a;
    const ct_tile *tile = ct_builder_tile(b);
    CT_TRY(ct_builder_launch(b, kernel, launch));
    ct_program_spec *spec = ct_launch_spec(*launch);
    ct_spec_part(spec, "tile/tile.cl");
    if (item->shape.rows) {
        ct_spec_part(spec, item->shape.rows);
    }
    for (size_t i = 0; i < CT_COUNT(tile->rows) && tile->rows[i] && !item->shape.rows; i++) {
        ct_spec_part(spec, tile->rows[i]);
    }
    ct_spec_part(spec, "variant/score.cl");
    ct_spec_part(spec, stage);
    const char *schedule = item->shape.schedule ? item->shape.schedule : tile->schedule;
    ct_spec_part(spec, schedule ? schedule : "schedule/serial.cl");
    spec->ptx_target = tile->ptx_target;
    spec->ptx_groups = item->shape.groups;
    spec->untried = item->shape.untried;
    memcpy(spec->texts, a->texts, sizeof spec->texts);
    define(*launch, item, out);
out:
    return st;
}

static int64_t items_of(const ct_item *item)
{
    return item->lists.rows * item->groups_y * item->parts;
}

/* Items are counted in an int, which goes on behind the last one. */
bool ct_item_may_stay(const ct_item *item)
{
    return item->shape.resident && items_of(item) <= INT32_MAX / 2;
}

void ct_item_stay(ct_builder *b, ct_launch *l, const ct_item *item)
{
    const int64_t most = item->shape.resident * (int64_t)ct_builder_context(b)->env.facts.compute_units;
    ct_launch_define(l, "RESIDENT", 1);
    ct_launch_groups(l, ct_min(items_of(item), most), 1, 1, item->shape.items);
}
