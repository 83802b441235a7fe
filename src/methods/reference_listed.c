#include "methods/reference_softmax.h"

#include <math.h>

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

/* Is `a` chosen before `b`? NaN comes last, -infinity is no candidate. */
static bool comes_first(const double *scores, int64_t a, int64_t b)
{
    const bool nan_a = isnan(scores[a]), nan_b = isnan(scores[b]);
    if (nan_a || nan_b) {
        return nan_a == nan_b ? a < b : nan_b;
    }
    return scores[a] == scores[b] ? a < b : scores[a] > scores[b];
}

/* CLATTN_PATTERN_SCORES, block by block: a block is chosen if fewer than topk come before it. */
static bool in_scores(const clattn_layout *layout, const ct_reference_io *io, int64_t row, int64_t col)
{
    const double *scores = io->in[CLATTN_SCORES] + row * layout->cols;
    const int64_t shift = layout->nk - layout->nq, q0 = row % layout->rows * layout->block_q;
    const int64_t q1 = ct_min(q0 + layout->block_q, layout->nq) - 1;
    int64_t edge = layout->cols, end = layout->cols, before = 0; /* crossed by the causal edge: edge ... end - 1 */
    if (io->causal) {
        edge = q1 + shift < 0 ? 0 : ct_max(q0 + shift, 0) / layout->block_k;
        end = q1 + shift < 0 ? 0 : (q1 + shift) / layout->block_k + 1;
    }
    if (col >= edge || scores[col] == -INFINITY) {
        return col >= edge && col < end;
    }
    for (int64_t j = 0; j < edge; j++) {
        before += j != col && scores[j] != -INFINITY && comes_first(scores, j, col);
    }
    return before + end - edge < layout->width;
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

bool ct_reference_has_block(const clattn_layout *layout, const ct_reference_io *io, int64_t batch, int head,
                            int64_t row, int64_t col)
{
    static bool (*const listed[])(const clattn_layout *, const ct_reference_io *, int64_t,
                                  int64_t) = {[CT_LAYOUT_HOST] = in_host,
                                              [CT_LAYOUT_CSR] = in_csr,
                                              [CT_LAYOUT_MASK] = in_mask,
                                              [CT_LAYOUT_TABLE] = in_table,
                                              [CT_LAYOUT_SCORES] = in_scores};
    /* scores are of every batch and head */
    const int64_t of = layout->source == CT_LAYOUT_SCORES ? batch * layout->heads + head : layout->heads > 1 ? head : 0;
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

bool ct_reference_listed(const clattn_layout *layout, const ct_reference_io *io, int64_t batch, int head, int64_t query,
                         int64_t key, int64_t shift)
{
    return ct_reference_has_block(layout, io, batch, head, query / layout->block_q, key / layout->block_k) &&
           (!layout->rules || rule_sees(layout, head, query + shift, key));
}

void ct_reference_choices(const clattn_problem *problem, const clattn_layout *layout, const ct_reference_io *io)
{
    double *out = io->out[CLATTN_LISTS];
    if (!out || !layout || layout->source != CT_LAYOUT_SCORES) {
        return;
    }
    for (int64_t line = 0; line < problem->b * problem->hq * layout->rows; line++, out += layout->width) {
        int n = 0;
        for (int64_t col = 0; col < layout->cols && n < layout->width; col++) {
            if (in_scores(layout, io, line, col)) {
                out[n++] = (double)col;
            }
        }
        while (n < layout->width) {
            out[n++] = -1;
        }
    }
}
