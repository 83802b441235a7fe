/* Selection of blocks on the device. Each call adds one launch. */
#ifndef CT_SELECT_H
#define CT_SELECT_H

#include "plan/blocks.h"

/* Fills the table of `blocks` (form, sizes and `width`, the blocks a row, are there) with the highest of slot SCORES;
 * slot LISTS gets a copy if it is passed. causal: see CLATTN_PATTERN_SCORES. */
clattn_status ct_select_scores(ct_builder *b, bool causal, ct_blocks *blocks);

#endif
