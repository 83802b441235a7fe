/* Lists made on the host. With a layout each line has a list of its own, and so has a window that hides keys on its
 * left. Else the lines share one list of all tiles. Where each line sees them all, those that ask the mask come first
 * and the others in the order of memory, which a CPU reads faster (decode on a Xeon by a tenth); else they go from the
 * last to the first, and a line begins at the last tile that it sees. */
#include "layout/host_lists.h"

#include <string.h>

#define OP    static inline
#define PLACE int64_t
#define min   ct_min
#define max   ct_max
#include "../../cl/layout/classify.cl"
#undef max
#undef min
#undef PLACE
#undef OP

typedef struct maker {
    const ct_lists_wish *w;
    int64_t shift, cols, block_q, block_k;
    int heads;
    bool shared;   /* one list for all lines */
    int32_t *list; /* NULL: only count */
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
    const bool one_chunk = r->chunk == 0 || (p0 >= 0 && p0 / r->chunk == p1 / r->chunk &&
                                             k0 / r->chunk == k1 / r->chunk && p0 / r->chunk == k0 / r->chunk);
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

/* The first key at `at` or behind it. */
static int64_t key_from(const maker *m, int64_t at)
{
    int64_t low = 0, high = m->w->nk;
    if (!m->w->positions) {
        return ct_min(ct_max(at, low), high);
    }
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (m->w->positions[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The tiles of queries q0 ... q1 without a layout. */
static tile_run run_of(const maker *m, int64_t q0, int64_t q1)
{
    const ct_lists_wish *w = m->w;
    const window_places at = places_of(q0 + m->shift, q1 + m->shift, w->left, w->right);
    const window_places keys = {key_from(m, at.seen0), key_from(m, at.seen1 + 1) - 1, key_from(m, at.full0),
                                key_from(m, at.full1 + 1) - 1};
    return tiles_of(&keys, w->tile_cols, w->nk, w->all_masked || w->tile_width > w->tile_cols);
}

typedef struct line_fields {
    int64_t start, entries, masked;
} line_fields;

static line_fields run_line(maker *m, int64_t q0, int64_t q1)
{
    const tile_run run = run_of(m, q0, q1);
    const line_fields line = {m->shared ? m->cols - run.seen1 : m->n, run.seen1 - run.seen0, masked_tiles(&run)};
    for (int64_t i = 0; m->list && !m->shared && i < line.entries; i++) {
        m->list[line.start + i] = (int32_t)(tile_at(&run, i) * m->w->tile_cols);
    }
    m->n += m->shared ? 0 : line.entries;
    return line;
}

static line_fields layout_line(maker *m, int head, int64_t q0, int64_t q1)
{
    const clattn_layout *l = m->w->layout;
    const int64_t line = (int64_t)head * l->rows + q0 / m->block_q, start = m->n;
    int64_t masked = 0;
    for (int kind = CT_PARTIAL; kind <= CT_FULL; kind++) {
        for (int32_t i = l->row_ptr[line]; i < l->row_ptr[line + 1]; i++) {
            add_block(m, head, q0, q1, l->col[i], kind);
        }
        masked = kind == CT_PARTIAL ? m->n - start : masked;
    }
    return (line_fields){start, m->n - start, masked};
}

/* The line of `row`, whose own entries are appended. */
static line_fields add_line(maker *m, int head, int64_t row)
{
    const int64_t q0 = row * m->w->step, q1 = ct_min(q0 + m->w->step, m->w->nq) - 1;
    return m->w->layout ? layout_line(m, head, q0, q1) : run_line(m, q0, q1);
}

static maker maker_of(const ct_lists_wish *w)
{
    const clattn_layout *l = w->layout;
    maker m = {.w = w, .shift = (w->positions ? w->places : w->nk) - w->nq, .heads = l ? l->heads : 1};
    m.block_q = l ? l->block_q : w->step;
    m.block_k = l ? l->block_k : w->tile_cols;
    m.cols = ct_ceil_div(w->nk, m.block_k);
    m.shared = ct_lists_shared(w);
    return m;
}

/* Visible pairs of one query of a head, by the window and the layout's own rule. */
static double pairs_of_row(const maker *m, int head, int64_t query)
{
    const ct_lists_wish *w = m->w;
    const clattn_layout *l = w->layout;
    const int64_t p = query + m->shift, first = key_from(m, p - w->left), end = key_from(m, p + w->right + 1);
    if (!l) {
        return (double)ct_max(end - first, 0);
    }
    const int64_t line = (int64_t)head * l->rows + query / m->block_q;
    double pairs = 0;
    for (int32_t i = l->row_ptr[line]; i < l->row_ptr[line + 1]; i++) {
        const int64_t low = ct_max(l->col[i] * m->block_k, first), high = ct_min((l->col[i] + 1) * m->block_k, end);
        for (int64_t k = low; l->rules && k < high; k++) {
            pairs += ct_layout_sees(l, head, query, k);
        }
        pairs += l->rules ? 0 : (double)ct_max(high - low, 0);
    }
    return pairs;
}

/* Exact where rows are few, else every so many-th row, scaled. */
static double count_pairs(const maker *m)
{
    const int64_t most = m->w->layout && m->w->layout->rules ? 256 : 4096;
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

bool ct_lists_shared(const ct_lists_wish *w)
{
    const int64_t farthest = (w->positions ? w->places : w->nk) - 1;
    return !w->layout && !w->blocks && (w->all_masked || w->left >= farthest);
}

bool ct_lists_nested(const ct_lists_wish *w)
{
    return !w->layout && !w->blocks && !w->positions && w->right >= CT_UNLIMITED;
}

clattn_status ct_lists_descending(const ct_lists_wish *w, const clattn_allocator *allocator, int32_t **list,
                                  int64_t *entries)
{
    *entries = ct_ceil_div(w->nk, w->tile_cols);
    *list = ct_alloc_array(allocator, (size_t)*entries, sizeof **list);
    if (!*list) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a list of %lld tiles", (long long)*entries);
    }
    for (int64_t i = 0; i < *entries; i++) {
        (*list)[i] = (int32_t)((*entries - 1 - i) * w->tile_cols);
    }
    return CLATTN_OK;
}

/* Each line sees every tile, and the same ones ask the mask: its list is that of the first. */
static bool sees_all(const maker *m, tile_run *run)
{
    const int64_t step = m->w->step, last = (m->w->nq - 1) / step * step;
    *run = run_of(m, 0, ct_min(step, m->w->nq) - 1);
    const tile_run end = run_of(m, last, m->w->nq - 1);
    return run->seen1 == m->cols && end.seen0 == 0 && masked_tiles(run) == masked_tiles(&end);
}

static clattn_status make_shared(const maker *m, const clattn_allocator *allocator, ct_host_lists *lists)
{
    tile_run run;
    const clattn_status st = ct_lists_descending(m->w, allocator, &lists->list, &lists->entries);
    const int64_t ascending = st == CLATTN_OK && sees_all(m, &run) ? lists->entries : 0;
    for (int64_t i = 0; i < ascending; i++) {
        lists->list[i] = (int32_t)(tile_at(&run, i) * m->w->tile_cols);
    }
    return st;
}

static void count_entries(maker *m, int64_t rows)
{
    for (int head = 0; head < m->heads && !m->shared; head++) {
        for (int64_t row = 0; row < rows; row++) {
            add_line(m, head, row);
        }
    }
}

static void fill_lines(maker *m, ct_host_lists *lists)
{
    m->n = 0;
    for (int64_t i = 0; i < m->heads * lists->rows; i++) {
        const line_fields line = add_line(m, (int)(i / lists->rows), i % lists->rows);
        const int32_t fields[4] = {(int32_t)line.start, (int32_t)line.entries, (int32_t)line.masked, 0};
        memcpy(lists->lines + 4 * i, fields, sizeof fields);
        lists->masked = ct_max(lists->masked, line.masked);
        lists->longest = ct_max(lists->longest, line.entries);
    }
}

/* Lines have lists of their own: they are not nested, so neither do they share one. */
static clattn_status make_ranks(const ct_lists_wish *w, const clattn_allocator *allocator, ct_host_lists *lists)
{
    clattn_status st = CLATTN_OK;
    int32_t *count =
        ct_alloc_array(allocator, (size_t)ct_max(w->nk, 1), sizeof *count); /* of the tile that begins here */
    lists->ranks = ct_alloc_array(allocator, (size_t)lists->entries, sizeof *lists->ranks);
    if (!count || !lists->ranks) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the ranks of %lld tiles", (long long)lists->entries);
    }
    for (int64_t i = 0; i < lists->heads * lists->rows; i++) {
        const int32_t *line = lists->lines + 4 * i;
        if (i % lists->rows == 0) {
            memset(count, 0, (size_t)w->nk * sizeof *count);
        }
        for (int32_t e = line[0]; e < line[0] + line[1]; e++) {
            lists->ranks[e] = count[lists->list[e]]++;
        }
    }
out:
    ct_release(allocator, count);
    return st;
}

clattn_status ct_host_lists_make(const ct_lists_wish *w, const clattn_allocator *allocator, ct_host_lists *out)
{
    clattn_status st = CLATTN_OK;
    maker m = maker_of(w);
    ct_host_lists lists = {.heads = m.heads, .rows = ct_ceil_div(w->nq, w->step)};
    count_entries(&m, lists.rows);
    if (m.n > INT32_MAX) {
        CT_FAIL(CLATTN_UNSUPPORTED, "%s: the lists of %lld block rows need %lld tiles; at most %d",
                w->layout ? "the pattern" : "the window", (long long)(m.heads * lists.rows), (long long)m.n, INT32_MAX);
    }
    if (m.shared) {
        CT_TRY(make_shared(&m, allocator, &lists));
    } else {
        lists.entries = m.n;
        lists.list = ct_alloc_array(allocator, (size_t)m.n, sizeof *lists.list);
    }
    lists.lines = ct_alloc_array(allocator, (size_t)(m.heads * lists.rows), 4 * sizeof *lists.lines);
    if (!lists.lines || !lists.list) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld lines and a list of %lld tiles",
                (long long)(m.heads * lists.rows), (long long)lists.entries);
    }
    m.list = lists.list;
    fill_lines(&m, &lists);
    lists.pairs = count_pairs(&m);
    if (w->ranked && !ct_lists_nested(w) && !m.shared) {
        CT_TRY(make_ranks(w, allocator, &lists));
    }
    *out = lists;
    lists = (ct_host_lists){0};
out:
    ct_host_lists_release(&lists, allocator);
    return st;
}

void ct_host_lists_release(ct_host_lists *lists, const clattn_allocator *allocator)
{
    ct_release(allocator, lists->lines);
    ct_release(allocator, lists->list);
    ct_release(allocator, lists->ranks);
    *lists = (ct_host_lists){0};
}
