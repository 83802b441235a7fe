/* The life of a layout, and the questions asked of it. */
#include "layout/layout.h"

#include "layout/pattern.h"

#include <math.h>
#include <string.h>

clattn_status ct_layout_new(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q, int block_k,
                            const clattn_allocator *allocator)
{
    const struct {
        const char *name;
        int64_t value;
    } sizes[] = {{"heads", heads}, {"nq", nq}, {"nk", nk}, {"block_q", block_q}, {"block_k", block_k}};
    for (size_t i = 0; i < CT_COUNT(sizes); i++) {
        if (sizes[i].value < 1 || sizes[i].value > INT32_MAX) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s = %lld is outside 1..%d", sizes[i].name,
                           (long long)sizes[i].value, INT32_MAX);
        }
    }
    const int64_t rows = ct_ceil_div(nq, block_q), cols = ct_ceil_div(nk, block_k);
    if (heads * rows >= INT32_MAX) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%d heads of %lld block rows are more than %d", heads, (long long)rows,
                       INT32_MAX - 1);
    }
    clattn_layout *layout = ct_alloc(allocator, sizeof *layout);
    if (!layout) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a layout");
    }
    atomic_init(&layout->references, 1);
    if (allocator) {
        layout->allocator = *allocator;
    }
    layout->source = CT_LAYOUT_HOST;
    layout->heads = heads;
    layout->nq = nq;
    layout->nk = nk;
    layout->block_q = block_q;
    layout->block_k = block_k;
    layout->rows = (int)rows;
    layout->cols = (int)cols;
    *out = layout;
    return CLATTN_OK;
}

void clattn_layout_retain(clattn_layout *layout)
{
    if (layout) {
        atomic_fetch_add_explicit(&layout->references, 1, memory_order_relaxed);
    }
}

void clattn_layout_release(clattn_layout *layout)
{
    if (!layout || atomic_fetch_sub_explicit(&layout->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    const clattn_allocator allocator = layout->allocator;
    ct_release(&allocator, layout->flags);
    ct_release(&allocator, layout->rules);
    ct_release(&allocator, layout->col);
    ct_release(&allocator, layout->row_ptr);
    ct_release(&allocator, layout);
}

static void count_blocks(const clattn_layout *layout, clattn_layout_info *info)
{
    const int lists = layout->heads * layout->rows;
    info->blocks = layout->row_ptr[lists];
    for (int i = 0; i < lists; i++) {
        const int length = layout->row_ptr[i + 1] - layout->row_ptr[i];
        info->longest_row = length > info->longest_row ? length : info->longest_row;
    }
    info->density = (double)info->blocks / ((double)lists * layout->cols);
}

clattn_status clattn_layout_get_info(const clattn_layout *layout, clattn_layout_info *info)
{
    if (!layout || !info) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s is NULL", layout ? "info" : "layout");
    }
    if (info->struct_size < sizeof *info) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "info->struct_size = %zu is below %zu", info->struct_size,
                       sizeof *info);
    }
    clattn_layout_info filled = {.struct_size = info->struct_size};
    filled.heads = layout->heads;
    filled.nq = layout->nq;
    filled.nk = layout->nk;
    filled.block_q = layout->block_q;
    filled.block_k = layout->block_k;
    filled.rows = layout->rows;
    filled.cols = layout->cols;
    filled.on_device = layout->source != CT_LAYOUT_HOST;
    if (filled.on_device) {
        filled.longest_row = layout->width ? layout->width : layout->cols;
        filled.density = NAN;
    } else {
        count_blocks(layout, &filled);
    }
    *info = filled;
    return CLATTN_OK;
}

clattn_status clattn_layout_csr(const clattn_layout *layout, const int32_t **row_ptr, const int32_t **col)
{
    if (!layout || !row_ptr || !col) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s is NULL", !layout ? "layout" : !row_ptr ? "row_ptr" : "col");
    }
    if (layout->source != CT_LAYOUT_HOST) {
        return ct_fail(CLATTN_UNSUPPORTED, "the layout's lists are read on the device at run time");
    }
    *row_ptr = layout->row_ptr;
    *col = layout->col;
    return CLATTN_OK;
}

int64_t ct_layout_crossed(const clattn_layout *l)
{
    const int64_t shift = l->nk - l->nq;
    int64_t most = 0;
    for (int64_t row = 0; row < l->rows; row++) {
        const int64_t last = ct_min((row + 1) * l->block_q, l->nq) - 1 + shift, first = row * l->block_q + shift;
        most = last < 0 ? most : ct_max(most, last / l->block_k - ct_max(first, 0) / l->block_k + 1);
    }
    return most;
}

bool ct_layout_has(const clattn_layout *layout, int head, int row, int col)
{
    if (layout->source != CT_LAYOUT_HOST) {
        return false;
    }
    const int list = (layout->heads == 1 ? 0 : head) * layout->rows + row;
    int32_t low = layout->row_ptr[list], high = layout->row_ptr[list + 1];
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (layout->col[middle] < col) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < layout->row_ptr[list + 1] && layout->col[low] == col;
}

static bool rule_sees(const ct_rule *rule, const uint8_t *flags, int64_t nk, int64_t place, int64_t key)
{
    const int64_t distance = place - key;
    if ((rule->left < 0 || distance <= rule->left) && (rule->right < 0 || -distance <= rule->right) &&
        (rule->dilation <= 1 || distance % rule->dilation == 0) &&
        (rule->chunk <= 0 || place / rule->chunk == key / rule->chunk)) {
        return true;
    }
    return rule->use_flags && ((flags[key] & 1) || (flags[ct_min(ct_max(place, 0), nk - 1)] & 2));
}

bool ct_layout_sees(const clattn_layout *layout, int head, int64_t query, int64_t key)
{
    if (!ct_layout_has(layout, head, (int)(query / layout->block_q), (int)(key / layout->block_k))) {
        return false;
    }
    if (!layout->rules) {
        return true;
    }
    const ct_rule *rule = &layout->rules[layout->heads == 1 ? 0 : head];
    if (layout->transposed) {
        return rule_sees(rule, layout->flags, layout->nq, key + layout->nq - layout->nk, query);
    }
    return rule_sees(rule, layout->flags, layout->nk, query + layout->nk - layout->nq, key);
}
