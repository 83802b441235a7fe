#include "select/select.h"

#include "line/line.h"
#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/select/args.cl"

clattn_status ct_select_scores(ct_builder *b, bool causal, ct_blocks *blocks)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const clattn_problem *p = ct_builder_problem(b);
    const int64_t lines = p->b * p->hq * blocks->rows;
    const ct_ref scores = ct_builder_slot(b, CLATTN_SCORES, 2),
                 lists = p->pass == CLATTN_BWD ? ct_nothing() : ct_builder_slot(b, CLATTN_LISTS, 1);
    blocks->batches = p->b;
    blocks->heads = p->hq;
    blocks->entries = ct_builder_zone(b, "chosen blocks", lines * blocks->width, 4);
    const struct {
        CT_REFS(TOP_BLOCKS)
    } buffers = {.scores = scores, .entries = blocks->entries, .lists = lists};
    const top_args args = {.rows = blocks->rows,
                           .cols = blocks->cols,
                           .width = blocks->width,
                           .nq = (i32)p->nq,
                           .nk = (i32)p->nk,
                           .block_q = blocks->block_q,
                           .block_k = blocks->block_k,
                           .causal = causal};
    CT_TRY(ct_line_launch(b, "select/top_blocks.cl", "top_blocks", 1, &l));
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, blocks->rows, p->hq, p->b, ct_builder_tile(b)->line_items);
out:
    return st;
}
