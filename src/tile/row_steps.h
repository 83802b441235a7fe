/* Where a tile counts rows in 32 bits: which row strides it takes. */
#ifndef CT_ROW_STEPS_H
#define CT_ROW_STEPS_H

#include "tile/tiles.h"

/* True if, of every tensor of the wish, `rows` rows from any one on span at most `most` elements; else false, with the
 * tensor, its stride and the bound. */
bool ct_row_steps_fit(const ct_shape_wish *wish, int rows, int64_t most, char *why, size_t bytes);

#endif
