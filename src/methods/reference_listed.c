#include "methods/reference_softmax.h"

static bool in_csr(const clattn_layout *layout, const ct_reference_io *io, int64_t row, int64_t col)
{
    const double *first = io->in[CLATTN_ROW_PTR], *cols = io->in[CLATTN_COL_IDX];
    (void)layout;
    for (int64_t i = (int64_t)first[row]; i < (int64_t)first[row + 1]; i++) {
        if ((int64_t)cols[i] == col) {
            return true;
        }
    }
    return false;
}

static bool in_mask(const clattn_layout *layout, const ct_reference_io *io, int64_t row, int64_t col)
{
    return io->in[CLATTN_BLOCK_MASK][row * layout->cols + col] != 0;
}

static bool in_table(const clattn_layout *layout, const ct_reference_io *io, int64_t row, int64_t col)
{
    const double *entries = io->in[CLATTN_BLOCK_TABLE] + row * layout->width;
    for (int i = 0; i < layout->width; i++) {
        if ((int64_t)entries[i] == col) {
            return true;
        }
    }
    return false;
}

static bool in_host(const clattn_layout *layout, const ct_reference_io *io, int64_t row, int64_t col)
{
    (void)io;
    for (int32_t i = layout->row_ptr[row]; i < layout->row_ptr[row + 1]; i++) {
        if (layout->col[i] == col) {
            return true;
        }
    }
    return false;
}

bool ct_reference_has_block(const clattn_layout *layout, const ct_reference_io *io, int head, int64_t row, int64_t col)
{
    static bool (*const listed[])(const clattn_layout *, const ct_reference_io *, int64_t, int64_t) = {
        [CT_LAYOUT_HOST] = in_host, [CT_LAYOUT_CSR] = in_csr, [CT_LAYOUT_MASK] = in_mask, [CT_LAYOUT_TABLE] = in_table};
    const int of = layout->heads > 1 ? head : 0;
    return row < layout->rows && col < layout->cols && listed[layout->source](layout, io, of * layout->rows + row, col);
}

/* ct_rule's formula, at a place of the sequence that the layout may be longer than. */
static bool rule_sees(const clattn_layout *layout, int head, int64_t place, int64_t key)
{
    const ct_rule *rule = &layout->rules[layout->heads > 1 ? head : 0];
    const int64_t distance = place - key;
    const bool in_window = (rule->left < 0 || distance <= rule->left) && (rule->right < 0 || -distance <= rule->right);
    const bool in_step = rule->dilation <= 1 || distance % rule->dilation == 0;
    const bool in_chunk = rule->chunk <= 0 || place / rule->chunk == key / rule->chunk;
    if (in_window && in_step && in_chunk) {
        return true;
    }
    /* queries before the first key count as the first place */
    return rule->use_flags && ((layout->flags[key] & 1) || (layout->flags[ct_max(place, 0)] & 2));
}

bool ct_reference_listed(const clattn_layout *layout, const ct_reference_io *io, int head, int64_t query, int64_t key,
                         int64_t shift)
{
    return ct_reference_has_block(layout, io, head, query / layout->block_q, key / layout->block_k) &&
           (!layout->rules || rule_sees(layout, head, query + shift, key));
}
