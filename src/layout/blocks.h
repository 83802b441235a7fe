/* From a layout to the record that stages read. */
#ifndef CT_LAYOUT_BLOCKS_H
#define CT_LAYOUT_BLOCKS_H

#include "layout/layout.h"
#include "plan/blocks.h"

/* Declares the slots of a layout whose contents come at run time; scores are for a selection to turn into entries. Of
 * one that the host knows only sizes are filled in: ct_blocks_on_device() puts its lists where kernels find them. */
void ct_blocks_of(ct_builder *b, const clattn_layout *layout, ct_blocks *out);
/* Constants for a known layout; nothing to do for others, or again. */
clattn_status ct_blocks_on_device(ct_builder *b, const clattn_layout *layout, ct_blocks *blocks);
/* Those by blocks of keys: which blocks of queries list one. What the host has is transposed there, and *host, then
 * yours to release, is its layout; else launches do it, and *host is NULL. */
clattn_status ct_blocks_transpose(ct_builder *b, const clattn_layout *layout, const ct_blocks *blocks,
                                  clattn_layout **host, ct_blocks *out);

#endif
