#include "layout/host_lists.h"

#include <math.h>

#include "tile/tiles.h"
#include "line/line.h"

static clattn_status on_host(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    ct_host_lists made = {0};
    CT_TRY(ct_host_lists_make(w, ct_builder_allocator(b), &made));
    *out = (ct_lists){.rows = made.rows,
                      .list_head = made.heads > 1 ? made.rows : 0,
                      .partial = made.masked > 0,
                      .longest = made.longest,
                      .pairs = made.pairs,
                      .entries = made.entries};
    CT_TRY(
        ct_builder_constant(b, "lines", made.lines, made.heads * made.rows * 4, (int)sizeof *made.lines, &out->lines));
    CT_TRY(ct_builder_constant(b, "list", made.list, made.entries, (int)sizeof *made.list, &out->list));
out:
    ct_host_lists_release(&made, ct_builder_allocator(b));
    return st;
}

typedef struct lists_args { /* as in cl/layout/lists.cl */
    cl_long left, right;
    cl_int nq, nk;
    cl_int rows, cols, lines;
    cl_int block_q, block_k, step, tile_cols, width, room;
    cl_int all_masked, tile_width;
    cl_int sequences;
} lists_args;

/* Where the device finds the layout's contents. */
typedef struct sources {
    ct_ref row_ptr, col, mask;
    int source;
} sources;

static clattn_status find_sources(ct_builder *b, const clattn_layout *l, sources *s)
{
    clattn_status st = CLATTN_OK;
    const int64_t lines = l ? (int64_t)l->heads * l->rows : 0;
    *s = (sources){ct_nothing(), ct_nothing(), ct_nothing(), 0};
    if (!l) {
        return CLATTN_OK;
    }
    s->source = l->source == CT_LAYOUT_MASK ? 2 : l->source == CT_LAYOUT_TABLE ? 3 : 1;
    if (l->source == CT_LAYOUT_HOST) {
        CT_TRY(ct_builder_constant(b, "row_ptr", l->row_ptr, lines + 1, 4, &s->row_ptr));
        CT_TRY(ct_builder_constant(b, "col", l->col, l->row_ptr[lines], 4, &s->col));
    } else if (l->source == CT_LAYOUT_CSR) {
        s->row_ptr = ct_builder_slot(b, CLATTN_ROW_PTR, 2);
        s->col = ct_builder_slot(b, CLATTN_COL_IDX, 2); /* as long as row_ptr's last entry */
    } else if (l->source == CT_LAYOUT_MASK) {
        s->mask = ct_builder_slot(b, CLATTN_BLOCK_MASK, 2);
    } else {
        s->col = ct_builder_slot(b, CLATTN_BLOCK_TABLE, 2);
    }
out:
    return st;
}

/* Lines and entries that the device writes. */
typedef struct extent {
    int64_t heads, rows, cols, block_q, block_k, room;
} extent;

/* The tiles that queries of a line can reach: what the longest sequence, the layout and the window leave. */
static extent extent_of(const ct_lists_wish *w)
{
    const clattn_layout *l = w->layout;
    extent e = {
        .heads = l ? l->heads : 1, .block_q = l ? l->block_q : w->step, .block_k = l ? l->block_k : w->tile_cols};
    e.rows = w->sequences ? w->tokens / w->step + w->sequences : ct_ceil_div(w->nq, w->step);
    e.cols = ct_ceil_div(w->nk, e.block_k);
    const int64_t listed = l && l->source == CT_LAYOUT_TABLE ? ct_min(l->width, e.cols) : e.cols;
    const int64_t reached = ct_ceil_div(w->step + w->left + w->right, e.block_k) + 1;
    e.room = ct_min(listed, reached) * ct_ceil_div(e.block_k, w->tile_cols);
    return e;
}

static clattn_status check_extent(const ct_lists_wish *w, const extent *e)
{
    if ((double)(e->heads * e->rows) * (double)e->room <= INT32_MAX) { /* the product itself may not fit 64 bits */
        return CLATTN_OK;
    }
    const long long lines = (long long)(e->heads * e->rows), room = (long long)e->room;
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
        out->entries = e->heads * e->rows * e->room;
        out->list = ct_builder_zone(b, "list", out->entries, 4);
    }
out:
    ct_release(ct_builder_allocator(b), list);
    return st;
}

static clattn_status on_device(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    ct_launch *launch = NULL;
    sources s;
    const extent e = extent_of(w);
    const clattn_layout *l = w->layout;
    *out = (ct_lists){
        .rows = e.rows, .list_head = e.heads > 1 ? e.rows : 0, .partial = true, .longest = e.room, .pairs = NAN};
    CT_TRY(find_sources(b, l, &s));
    CT_TRY(add_list(b, w, &e, out));
    out->lines = ct_builder_zone(b, "lines", e.heads * e.rows * 4, 4);
    CT_TRY(ct_line_launch(b, "layout/lists.cl", "lists", 1, &launch));
    ct_launch_define(launch, "SOURCE", s.source);
    ct_launch_define(launch, "PACKED", w->sequences > 0);
    ct_launch_define(launch, "SHARED", ct_lists_shared(w));
    ct_launch_buffer(launch, s.row_ptr);
    ct_launch_buffer(launch, s.col);
    ct_launch_buffer(launch, s.mask);
    ct_launch_buffer(launch, w->cu_q);
    ct_launch_buffer(launch, w->cu_k);
    ct_launch_buffer(launch, out->lines);
    ct_launch_buffer(launch, ct_lists_shared(w) ? ct_nothing() : out->list);
    const lists_args args = {.left = w->left,
                             .right = w->right,
                             .nq = (cl_int)w->nq,
                             .nk = (cl_int)w->nk,
                             .rows = l ? l->rows : 0,
                             .cols = (cl_int)e.cols,
                             .lines = (cl_int)e.rows,
                             .block_q = (cl_int)e.block_q,
                             .block_k = (cl_int)e.block_k,
                             .step = w->step,
                             .tile_cols = w->tile_cols,
                             .width = l ? l->width : 0,
                             .room = (cl_int)e.room,
                             .all_masked = w->all_masked || (l && l->rules),
                             .tile_width = w->tile_width,
                             .sequences = (cl_int)w->sequences};
    ct_launch_value(launch, &args, sizeof args);
    ct_launch_warm(launch, 0);
    ct_launch_groups(launch, e.rows, e.heads, 1, ct_builder_tile(b)->line_items);
out:
    return st;
}

clattn_status ct_lists_add(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    const bool device = w->sequences > 0 || (w->layout && w->layout->source != CT_LAYOUT_HOST);
    return device ? on_device(b, w, out) : on_host(b, w, out);
}
