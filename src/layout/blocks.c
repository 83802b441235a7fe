#include "layout/blocks.h"

void ct_blocks_of(ct_builder *b, const clattn_layout *l, ct_blocks *out)
{
    static const ct_form forms[] = {[CT_LAYOUT_HOST] = CT_FORM_CSR,
                                    [CT_LAYOUT_CSR] = CT_FORM_CSR,
                                    [CT_LAYOUT_MASK] = CT_FORM_MASK,
                                    [CT_LAYOUT_TABLE] = CT_FORM_TABLE,
                                    [CT_LAYOUT_SCORES] = CT_FORM_TABLE};
    *out = (ct_blocks){.form = forms[l->source],
                       .ends = ct_nothing(),
                       .entries = ct_nothing(),
                       .mask = ct_nothing(),
                       .batches = 1,
                       .heads = l->heads,
                       .rows = l->rows,
                       .cols = l->cols,
                       .width = l->width,
                       .block_q = l->block_q,
                       .block_k = l->block_k,
                       .known = l->source == CT_LAYOUT_HOST,
                       .ruled = l->rules != NULL};
    if (l->source == CT_LAYOUT_CSR) {
        out->ends = ct_builder_slot(b, CLATTN_ROW_PTR, 2);
        out->entries = ct_builder_slot(b, CLATTN_COL_IDX, 2); /* as long as row_ptr's last entry */
    } else if (l->source == CT_LAYOUT_MASK) {
        out->mask = ct_builder_slot(b, CLATTN_BLOCK_MASK, 2);
    } else if (l->source == CT_LAYOUT_TABLE) {
        out->entries = ct_builder_slot(b, CLATTN_BLOCK_TABLE, 2);
    }
}

clattn_status ct_blocks_on_device(ct_builder *b, const clattn_layout *l, ct_blocks *blocks)
{
    clattn_status st = CLATTN_OK;
    if (blocks->known && blocks->ends.where == CT_NOWHERE) {
        const int64_t lines = (int64_t)l->heads * l->rows;
        CT_TRY(ct_builder_constant(b, "row_ptr", l->row_ptr, lines + 1, (int)sizeof *l->row_ptr, &blocks->ends));
        CT_TRY(ct_builder_constant(b, "col", l->col, l->row_ptr[lines], (int)sizeof *l->col, &blocks->entries));
    }
out:
    return st;
}
