/* Launches of line kernels: one group a line. */
#ifndef CT_LINE_H
#define CT_LINE_H

#include "plan/builder.h"

/* A launch of `kernel` from `part` ("merge/merge_lse.cl"), `lines` groups of the tile's line items. */
clattn_status ct_line_launch(ct_builder *b, const char *part, const char *kernel, int64_t lines, ct_launch **out);
/* The same where a line is a row of `width` columns: its visits are vectors, and a group of more items than a row fills
 * does several lines, if they come out even. */
clattn_status ct_line_launch_rows(ct_builder *b, const char *part, const char *kernel, int64_t lines, int64_t width,
                                  ct_launch **out);

#endif
