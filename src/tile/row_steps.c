#include "tile/row_steps.h"

#include <stdio.h>

bool ct_row_steps_fit(const ct_shape_wish *wish, int rows, int64_t most, char *why, size_t bytes)
{
    for (size_t i = 0; i < CT_COUNT(wish->tensors); i++) {
        const ct_rows *t = &wish->tensors[i];
        const int64_t steps = ct_max(ct_min(rows, t->count) - 1, 1);
        if (t->count > 1 && t->stride > most / steps) {
            snprintf(why, bytes, "%s: a row stride of %lld elements; this tile's offsets of 32 bits take at most %lld",
                     t->name, (long long)t->stride, (long long)(most / steps));
            return false;
        }
    }
    return true;
}
