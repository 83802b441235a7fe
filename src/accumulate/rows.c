/* Block rows that each have a state of their own: the sum over the key blocks that their list does not hold. */
#include "accumulate/parts.h"
#include "line/line.h"

#define SLAB 1024

clattn_status ct_accumulate_rows(ct_builder *b, const ct_accumulate_run *run, ct_ref states, ct_ref sums)
{
    clattn_status st = CLATTN_OK;
    const ct_blocks *blocks = run->a.left_out;
    ct_launch *l = NULL;
    const int64_t size = run->a.dk * run->width;
    const rows_args args = {.size = (i32)size,
                            .slab = SLAB,
                            .rows = blocks->rows,
                            .cols = blocks->cols,
                            .width = blocks->width,
                            .list_batches = (i32)blocks->batches,
                            .list_heads = (i32)blocks->heads,
                            .heads = run->args.state_heads};
    const struct {
        CT_REFS(ACCUMULATE_ROWS)
    } buffers = {
        .states = states, .sums = sums, .ends = blocks->ends, .entries = blocks->entries, .mask = blocks->mask};
    CT_TRY(ct_line_launch(b, "accumulate/rows.cl", "accumulate_rows", 1, &l));
    ct_launch_define(l, "FORM", blocks->form);
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(size, SLAB), blocks->rows, run->states, ct_builder_tile(b)->line_items);
out:
    return st;
}
