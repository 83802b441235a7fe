/* Block rows that each have a state of their own: the sum over the key blocks that their list does not hold. */
#include "accumulate/parts.h"
#include "tile/tiles.h"
#include "line/line.h"

#define SLAB 1024

/* cl/accumulate/rows.cl */
typedef struct rows_args {
    int32_t size, slab, rows, cols, heads, list_heads, width, unused;
} rows_args;

/* Where the lists are: constants, or the caller's slots. */
typedef struct list_refs {
    ct_ref row_ptr, col, mask;
    int kind;
} list_refs;

static clattn_status lists_of(ct_builder *b, const clattn_layout *layout, list_refs *refs)
{
    clattn_status st = CLATTN_OK;
    const int64_t lines = (int64_t)layout->heads * layout->rows, ends = lines + 1;
    *refs = (list_refs){ct_nothing(), ct_nothing(), ct_nothing(), 0};
    switch (layout->source) {
    case CT_LAYOUT_HOST:
        CT_TRY(ct_builder_constant(b, "row_ptr", layout->row_ptr, ends, sizeof *layout->row_ptr, &refs->row_ptr));
        CT_TRY(ct_builder_constant(b, "col", layout->col, layout->row_ptr[lines], sizeof *layout->col, &refs->col));
        break;
    case CT_LAYOUT_CSR:
        refs->row_ptr = ct_builder_slot(b, CLATTN_ROW_PTR, 2);
        refs->col = ct_builder_slot(b, CLATTN_COL_IDX, 2);
        break;
    case CT_LAYOUT_MASK:
        refs->mask = ct_builder_slot(b, CLATTN_BLOCK_MASK, 2);
        refs->kind = 1;
        break;
    case CT_LAYOUT_TABLE:
        refs->col = ct_builder_slot(b, CLATTN_BLOCK_TABLE, 2);
        refs->kind = 2;
        break;
    }
out:
    return st;
}

clattn_status ct_accumulate_rows(ct_builder *b, const ct_accumulate_run *run, ct_ref states, ct_ref sums)
{
    clattn_status st = CLATTN_OK;
    const clattn_layout *layout = run->a.left_out;
    ct_launch *l = NULL;
    list_refs refs;
    const int64_t size = run->a.dk * run->width;
    const rows_args args = {.size = (int32_t)size,
                            .slab = SLAB,
                            .rows = layout->rows,
                            .cols = layout->cols,
                            .heads = (int32_t)run->a.heads,
                            .list_heads = layout->heads,
                            .width = layout->width};
    CT_TRY(lists_of(b, layout, &refs));
    CT_TRY(ct_line_launch(b, "accumulate/rows.cl", "accumulate_rows", 1, &l));
    ct_launch_define(l, "LISTS", refs.kind);
    ct_launch_buffer(l, states);
    ct_launch_buffer(l, sums);
    ct_launch_buffer(l, refs.row_ptr);
    ct_launch_buffer(l, refs.col);
    ct_launch_buffer(l, refs.mask);
    ct_launch_value(l, &args, sizeof args);
    ct_launch_warm(l, 0);
    ct_launch_groups(l, ct_ceil_div(size, SLAB), layout->rows, run->items, ct_builder_tile(b)->line_items);
out:
    return st;
}
