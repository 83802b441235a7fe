#include "layout/lists.h"

#include <math.h>
#include <string.h>

#include "device/tiles.h"
#include "merge/line.h"

#define OP static inline
#define PLACE int64_t
#include "../../cl/layout/classify.cl"
#undef PLACE
#undef OP

typedef struct maker {
    const ct_lists_wish *w;
    int64_t shift, cols, block_q, block_k;
    int heads;
    int32_t *list;      /* NULL: only count */
    int64_t n, masked;
} maker;

static int64_t place(const maker *m, int64_t key)
{
    return m->w->positions ? m->w->positions[key] : key;
}

static window_places places_of(int64_t p0, int64_t p1, int64_t left, int64_t right)
{
    return (window_places){p0 - left, p1 + right, p1 - left, p0 + right};
}

/* Does the layout's token rule hide a pair of this tile, as far as it is cheap to say? */
static bool rule_asks(const maker *m, int head, int64_t p0, int64_t p1, int64_t k0, int64_t k1)
{
    const clattn_layout *l = m->w->layout;
    if (!l || !l->rules) {
        return false;
    }
    const ct_rule *r = &l->rules[head];
    const int64_t left = r->left < 0 ? CT_UNLIMITED : r->left, right = r->right < 0 ? CT_UNLIMITED : r->right;
    const bool one_chunk = r->chunk == 0 || (p0 >= 0 && p0 / r->chunk == p1 / r->chunk && k0 / r->chunk == k1 / r->chunk &&
                                             p0 / r->chunk == k0 / r->chunk);
    const window_places places = places_of(p0, p1, left, right);
    return r->dilation > 1 || !one_chunk || classify(&places, k0, k1) != CT_FULL;
}

/* The tiles of one block column: of `kind` only. */
static void add_block(maker *m, int head, int64_t q0, int64_t q1, int64_t block, int kind)
{
    const ct_lists_wish *w = m->w;
    const int64_t end = ct_min((block + 1) * m->block_k, w->nk);
    const window_places places = places_of(q0 + m->shift, q1 + m->shift, w->left, w->right);
    for (int64_t k0 = block * m->block_k; k0 < end; k0 += w->tile_cols) {
        const int64_t k1 = ct_min(k0 + w->tile_cols, end) - 1;
        int here = classify(&places, place(m, k0), place(m, k1));
        if (here == CT_FULL && (w->all_masked || k0 + w->tile_width - 1 > k1 ||
                                rule_asks(m, head, q0 + m->shift, q1 + m->shift, k0, k1))) {
            here = CT_PARTIAL;
        }
        if (here == kind) {
            if (m->list) {
                m->list[m->n] = (int32_t)k0;
            }
            m->n++;
        }
    }
}

/* Appends the line of `row`; returns how many of its entries ask the mask. */
static int64_t add_line(maker *m, int head, int64_t row)
{
    const ct_lists_wish *w = m->w;
    const int64_t q0 = row * w->step, q1 = ct_min(q0 + w->step, w->nq) - 1, before = m->n;
    int64_t masked = 0;
    for (int kind = CT_PARTIAL; kind <= CT_FULL; kind++) {
        if (w->layout) {
            const int64_t line = (int64_t)head * w->layout->rows + q0 / m->block_q;
            for (int32_t i = w->layout->row_ptr[line]; i < w->layout->row_ptr[line + 1]; i++) {
                add_block(m, head, q0, q1, w->layout->col[i], kind);
            }
        } else {
            for (int64_t block = 0; block < m->cols; block++) {
                add_block(m, head, q0, q1, block, kind);
            }
        }
        if (kind == CT_PARTIAL) {
            masked = m->n - before;
        }
    }
    return masked;
}

static maker maker_of(const ct_lists_wish *w)
{
    const clattn_layout *l = w->layout;
    maker m = {.w = w, .shift = (w->positions ? w->places : w->nk) - w->nq, .heads = l ? l->heads : 1};
    m.block_q = l ? l->block_q : w->step;
    m.block_k = l ? l->block_k : w->tile_cols;
    m.cols = ct_ceil_div(w->nk, m.block_k);
    return m;
}

/* Visible pairs of one query of a head, by the window and the layout's own rule. */
static double pairs_of_row(const maker *m, int head, int64_t query)
{
    const ct_lists_wish *w = m->w;
    const int64_t p = query + m->shift;
    double pairs = 0;
    const int64_t line = w->layout ? (int64_t)head * w->layout->rows + query / m->block_q : 0;
    const int32_t from = w->layout ? w->layout->row_ptr[line] : 0, to = w->layout ? w->layout->row_ptr[line + 1] : (int32_t)m->cols;
    for (int32_t i = from; i < to; i++) {
        const int64_t block = w->layout ? w->layout->col[i] : i;
        const int64_t low = block * m->block_k, high = ct_min(low + m->block_k, w->nk) - 1;
        if (w->positions || (w->layout && w->layout->rules)) {
            for (int64_t k = low; k <= high; k++) {
                const int64_t at = place(m, k);
                pairs += at >= p - w->left && at <= p + w->right && (!w->layout || ct_layout_sees(w->layout, head, query, k));
            }
        } else {
            const int64_t a = ct_max(low, p - w->left), z = ct_min(high, p + w->right);
            pairs += z >= a ? (double)(z - a + 1) : 0;
        }
    }
    return pairs;
}

/* Exact where rows are few, else every so many-th row, scaled. */
static double count_pairs(const maker *m)
{
    const int64_t most = m->w->positions || (m->w->layout && m->w->layout->rules) ? 256 : 4096;
    const int64_t stride = ct_max(1, m->w->nq / most);
    double pairs = 0;
    int64_t rows = 0;
    for (int head = 0; head < m->heads; head++) {
        for (int64_t q = stride / 2; q < m->w->nq; q += stride, rows++) {
            pairs += pairs_of_row(m, head, q);
        }
    }
    return rows ? pairs / (double)rows * (double)m->w->nq : 0;
}

static clattn_status on_host(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    maker m = maker_of(w);
    const clattn_allocator *allocator = ct_builder_allocator(b);
    int32_t *lines = NULL;
    const int64_t rows = ct_ceil_div(w->nq, w->step);
    for (int head = 0; head < m.heads; head++) {
        for (int64_t row = 0; row < rows; row++) {
            add_line(&m, head, row);
        }
    }
    if (m.n > INT32_MAX) {
        CT_FAIL(CLATTN_UNSUPPORTED, "the layout needs %lld tiles; at most %d", (long long)m.n, INT32_MAX);
    }
    lines = ct_alloc_array(allocator, (size_t)(m.heads * rows), 4 * sizeof *lines);
    m.list = ct_alloc_array(allocator, (size_t)m.n, sizeof *m.list);
    if (!lines || !m.list) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a list of %lld tiles", (long long)m.n);
    }
    m.n = 0;
    *out = (ct_lists){.rows = rows, .list_head = m.heads > 1 ? rows : 0};
    for (int64_t line = 0; line < m.heads * rows; line++) {
        const int64_t before = m.n, masked = add_line(&m, (int)(line / rows), line % rows);
        const int32_t fields[4] = {(int32_t)before, (int32_t)(m.n - before), (int32_t)masked, 0};
        memcpy(lines + 4 * line, fields, sizeof fields);
        out->partial = out->partial || masked > 0;
        out->longest = ct_max(out->longest, m.n - before);
    }
    out->entries = m.n;
    out->pairs = count_pairs(&m);
    CT_TRY(ct_builder_constant(b, "lines", lines, m.heads * rows * 4, (int)sizeof *lines, &out->lines));
    CT_TRY(ct_builder_constant(b, "list", m.list, m.n, (int)sizeof *m.list, &out->list));
out:
    ct_release(allocator, lines);
    ct_release(allocator, m.list);
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
typedef struct sources { ct_ref row_ptr, col, mask; int source; } sources;

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
        const int64_t dims = lines + 1, none = 0;
        s->row_ptr = ct_builder_slot(b, CLATTN_ROW_PTR, 2, CLATTN_I32, 1, &dims);
        s->col = ct_builder_slot(b, CLATTN_COL_IDX, 2, CLATTN_I32, 1, &none); /* as long as row_ptr's last entry */
    } else if (l->source == CT_LAYOUT_MASK) {
        const int64_t dims[3] = {l->heads, l->rows, l->cols};
        s->mask = ct_builder_slot(b, CLATTN_BLOCK_MASK, 2, CLATTN_U8, 3, dims);
    } else {
        const int64_t dims[3] = {l->heads, l->rows, l->width};
        s->col = ct_builder_slot(b, CLATTN_BLOCK_TABLE, 2, CLATTN_I32, 3, dims);
    }
out:
    return st;
}

static clattn_status on_device(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    clattn_status st = CLATTN_OK;
    ct_launch *launch = NULL;
    sources s;
    const maker m = maker_of(w);
    const clattn_layout *l = w->layout;
    const int64_t rows = w->sequences ? w->tokens / w->step + w->sequences : ct_ceil_div(w->nq, w->step);
    const int64_t blocks = l && l->source == CT_LAYOUT_TABLE ? ct_min(l->width, m.cols) : m.cols;
    const int64_t room = blocks * ct_ceil_div(m.block_k, w->tile_cols), lines = m.heads * rows;
    if ((double)lines * (double)room > INT32_MAX) { /* the product itself may not fit 64 bits */
        CT_FAIL(CLATTN_UNSUPPORTED, "lists on the device: %lld lines of up to %lld tiles; together at most %d", (long long)lines,
                (long long)room, INT32_MAX);
    }
    CT_TRY(find_sources(b, l, &s));
    *out = (ct_lists){.rows = rows, .list_head = m.heads > 1 ? rows : 0, .partial = true, .longest = room, .pairs = NAN, .entries = lines * room};
    out->lines = ct_builder_zone(b, "lines", lines * 4, 4);
    out->list = ct_builder_zone(b, "list", lines * room, 4);
    CT_TRY(ct_line_launch(b, "layout/lists.cl", "lists", 1, &launch));
    ct_launch_define(launch, "SOURCE", s.source);
    ct_launch_define(launch, "PACKED", w->sequences > 0);
    ct_launch_buffer(launch, s.row_ptr);
    ct_launch_buffer(launch, s.col);
    ct_launch_buffer(launch, s.mask);
    ct_launch_buffer(launch, w->cu_q);
    ct_launch_buffer(launch, w->cu_k);
    ct_launch_buffer(launch, out->lines);
    ct_launch_buffer(launch, out->list);
    const lists_args args = {.left = w->left, .right = w->right, .nq = (cl_int)w->nq, .nk = (cl_int)w->nk,
        .rows = l ? l->rows : 0, .cols = (cl_int)m.cols, .lines = (cl_int)rows, .block_q = (cl_int)m.block_q,
        .block_k = (cl_int)m.block_k, .step = w->step, .tile_cols = w->tile_cols, .width = l ? l->width : 0, .room = (cl_int)room,
        .all_masked = w->all_masked || (l && l->rules), .tile_width = w->tile_width, .sequences = (cl_int)w->sequences};
    ct_launch_value(launch, &args, sizeof args);
    ct_launch_warm(launch, 0);
    ct_launch_groups(launch, rows, m.heads, 1, ct_builder_tile(b)->line_items);
out:
    return st;
}

clattn_status ct_lists_add(ct_builder *b, const ct_lists_wish *w, ct_lists *out)
{
    const bool device = w->sequences > 0 || (w->layout && w->layout->source != CT_LAYOUT_HOST);
    return device ? on_device(b, w, out) : on_host(b, w, out);
}
