#include "layout/blocks.h"

#include "line/line.h"
#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/layout/args.cl"

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

/* The record with rows and columns changed. */
static ct_blocks turned(const ct_blocks *blocks, ct_form form)
{
    ct_blocks t = *blocks;
    t.form = form;
    t.rows = blocks->cols;
    t.cols = blocks->rows;
    t.block_q = blocks->block_k;
    t.block_k = blocks->block_q;
    t.ends = t.entries = t.mask = ct_nothing();
    return t;
}

static clattn_status add_transpose(ct_builder *b, const ct_blocks *from, int64_t room, const ct_blocks *to, bool fill)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    CT_TRY(ct_line_launch(b, "layout/transpose.cl", "transpose", 1, &l));
    ct_launch_define(l, "FORM", from->form);
    ct_launch_define(l, "FILL", fill);
    const struct {
        CT_REFS(TRANSPOSE)
    } buffers = {
        .ends = from->ends, .entries = from->entries, .mask = from->mask, .runs = to->ends, .turned = to->entries};
    const transpose_args args = {.room = room, .rows = from->rows, .cols = from->cols, .width = from->width};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, from->cols, from->heads, from->batches, ct_builder_tile(b)->line_items);
out:
    return st;
}

clattn_status ct_blocks_transpose(ct_builder *b, const clattn_layout *layout, const ct_blocks *blocks,
                                  clattn_layout **host, ct_blocks *out)
{
    clattn_status st = CLATTN_OK;
    *host = NULL;
    if (blocks->known) {
        CT_TRY(clattn_layout_transpose(host, layout));
        *out = turned(blocks, CT_FORM_CSR);
        goto out;
    }
    const int64_t room = blocks->rows * ct_blocks_longest(blocks), heads = blocks->batches * blocks->heads;
    if ((double)room * (double)heads > INT32_MAX) {
        CT_FAIL(CLATTN_UNSUPPORTED,
                "transposed lists on the device: %lld heads of up to %lld blocks; together at most %d: take larger "
                "blocks than %dx%d",
                (long long)heads, (long long)room, INT32_MAX, blocks->block_q, blocks->block_k);
    }
    *out = turned(blocks, CT_FORM_RUNS);
    out->ends = ct_builder_zone(b, "transposed runs", 2 * heads * blocks->cols, 4);
    out->entries = ct_builder_zone(b, "transposed lists", heads * room, 4);
    CT_TRY(add_transpose(b, blocks, room, out, false));
    CT_TRY(add_transpose(b, blocks, room, out, true));
out:
    return st;
}
