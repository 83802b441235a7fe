#include "layout/lists.h"

#include <math.h>

#include "layout/blocks.h"
#include "layout/host_lists.h"
#include "line/line.h"
#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/layout/args.cl"

static clattn_status on_host(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    ct_host_lists made = {0};
    CT_TRY(ct_host_lists_make(w, ct_builder_allocator(b), &made));
    *out = (ct_lists){.ranks = ct_nothing(),
                      .rows = made.rows,
                      .list_head = made.heads > 1 ? made.rows : 0,
                      .partial = made.masked > 0,
                      .longest = made.longest,
                      .pairs = made.pairs,
                      .entries = made.entries};
    CT_TRY(
        ct_builder_constant(b, "lines", made.lines, made.heads * made.rows * 4, (int)sizeof *made.lines, &out->lines));
    CT_TRY(ct_builder_constant(b, "list", made.list, made.entries, (int)sizeof *made.list, &out->list));
    if (made.ranks) {
        CT_TRY(ct_builder_constant(b, "ranks", made.ranks, made.entries, (int)sizeof *made.ranks, &out->ranks));
    }
out:
    ct_host_lists_release(&made, ct_builder_allocator(b));
    return st;
}

/* Lines and entries that the device writes. */
typedef struct extent {
    int64_t batches, heads, rows, cols, block_q, block_k, room;
} extent;

/* The tiles that queries of a line can reach: what the longest sequence, the layout and the window leave. */
static extent extent_of(const ct_lists_wish *w)
{
    const ct_blocks *l = w->blocks;
    extent e = {.batches = l ? l->batches : 1,
                .heads = l ? l->heads : 1,
                .block_q = l ? l->block_q : w->step,
                .block_k = l ? l->block_k : w->tile_cols};
    e.rows = w->sequences ? w->tokens / w->step + w->sequences : ct_ceil_div(w->nq, w->step);
    e.cols = ct_ceil_div(w->nk, e.block_k);
    const int64_t listed = l ? ct_blocks_longest(l) : e.cols;
    const int64_t reached = ct_ceil_div(w->step + w->left + w->right, e.block_k) + 1;
    e.room = ct_min(listed, reached) * ct_ceil_div(e.block_k, w->tile_cols);
    return e;
}

static clattn_status check_extent(const ct_lists_wish *w, const extent *e)
{
    if ((double)(e->batches * e->heads * e->rows) * (double)e->room <=
        INT32_MAX) { /* the product itself may not fit 64 bits */
        return CLATTN_OK;
    }
    const long long lines = (long long)(e->batches * e->heads * e->rows), room = (long long)e->room;
    if (w->sequences) {
        return ct_fail(CLATTN_UNSUPPORTED,
                       "lists on the device: %lld lines of up to %lld tiles; together at most %d: max_q and max_k, the "
                       "longest sequences, bound the "
                       "tiles of a line (here max_q=%lld, max_k=%lld)",
                       lines, room, INT32_MAX, (long long)w->nq, (long long)w->nk);
    }
    return ct_fail(
        CLATTN_UNSUPPORTED,
        "lists on the device: %lld lines of up to %lld tiles; together at most %d: take larger blocks than %lldx%lld",
        lines, room, INT32_MAX, (long long)e->block_q, (long long)e->block_k);
}

/* The list that all lines share, made here, or room for one a line. */
static clattn_status add_list(ct_builder *b, const ct_lists_wish *w, const extent *e, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    int32_t *list = NULL;
    if (ct_lists_shared(w)) {
        CT_TRY(ct_lists_descending(w, ct_builder_allocator(b), &list, &out->entries));
        CT_TRY(ct_builder_constant(b, "list", list, out->entries, (int)sizeof *list, &out->list));
    } else {
        CT_TRY(check_extent(w, e));
        out->entries = e->batches * e->heads * e->rows * e->room;
        out->list = ct_builder_zone(b, "list", out->entries, 4);
    }
out:
    ct_release(ct_builder_allocator(b), list);
    return st;
}

static clattn_status on_device(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    static const ct_blocks every = {.form = CT_FORM_ALL};
    clattn_status st = CLATTN_OK;
    ct_launch *launch = NULL;
    const extent e = extent_of(w);
    ct_blocks l = w->blocks ? *w->blocks : every;
    *out = (ct_lists){.ranks = ct_nothing(),
                      .rows = e.rows,
                      .list_batch = e.batches > 1 ? e.heads * e.rows : 0,
                      .list_head = e.heads > 1 ? e.rows : 0,
                      .partial = true,
                      .longest = e.room,
                      .pairs = NAN};
    CT_TRY(ct_blocks_on_device(b, w->layout, &l));
    CT_TRY(add_list(b, w, &e, out));
    out->lines = ct_builder_zone(b, "lines", e.batches * e.heads * e.rows * 4, 4);
    CT_TRY(ct_line_launch(b, "layout/lists.cl", "lists", 1, &launch));
    ct_launch_define(launch, "FORM", l.form);
    ct_launch_define(launch, "PACKED", w->sequences > 0);
    ct_launch_define(launch, "SHARED", ct_lists_shared(w));
    const struct {
        CT_REFS(LISTS)
    } buffers = {.ends = l.ends,
                 .entries = l.entries,
                 .mask = l.mask,
                 .cu_q = w->cu_q,
                 .cu_k = w->cu_k,
                 .lines = out->lines,
                 .list = ct_lists_shared(w) ? ct_nothing() : out->list};
    const lists_args args = {.left = w->left,
                             .right = w->right,
                             .nq = (i32)w->nq,
                             .nk = (i32)w->nk,
                             .rows = l.rows,
                             .cols = (i32)e.cols,
                             .lines = (i32)e.rows,
                             .block_q = (i32)e.block_q,
                             .block_k = (i32)e.block_k,
                             .step = w->step,
                             .tile_cols = w->tile_cols,
                             .width = l.width,
                             .room = (i32)e.room,
                             .all_masked = w->all_masked || l.ruled,
                             .tile_width = w->tile_width,
                             .sequences = (i32)w->sequences};
    CT_ARGUMENTS(launch, &buffers, &args);
    ct_launch_groups(launch, e.rows, e.heads, e.batches, ct_builder_tile(b)->line_items);
out:
    return st;
}

static bool from_device(const ct_lists_wish *w)
{
    return w->sequences > 0 || (w->blocks && !w->blocks->known);
}

bool ct_lists_ordered(const ct_lists_wish *w)
{
    return ct_lists_nested(w) || (!from_device(w) && !ct_lists_shared(w));
}

clattn_status ct_lists_add(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    return from_device(w) ? on_device(b, w, out) : on_host(b, w, out);
}
