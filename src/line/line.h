/* Launches of line kernels: one group a line. */
#ifndef CT_LINE_H
#define CT_LINE_H

#include "plan/builder.h"

/* A launch of `kernel` from `part` ("merge/merge_lse.cl"), `lines` groups of the tile's line items. */
clattn_status ct_line_launch(ct_builder *b, const char *part, const char *kernel, int64_t lines, ct_launch **out);
/* Lines that are rows of heads: kernels that say LINE_PLACE. */
typedef struct ct_line_rows {
    int64_t rows, heads, batches;
    int64_t width; /* columns that a line visits */
    bool whole;    /* all rows begin at multiples of 16 bytes and are a multiple of eight columns wide */
} ct_line_rows;
/* Their launch: visits are vectors, and a group does as many rows as it has items for. */
clattn_status ct_line_launch_rows(ct_builder *b, const char *part, const char *kernel, const ct_line_rows *r,
                                  ct_launch **out);

#endif
