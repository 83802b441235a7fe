/* Where sampled keys stand. */
#include "layout/layout.h"

#include <math.h>

void ct_sample_positions(clattn_spacing spacing, int64_t samples, int64_t nk, int32_t *positions)
{
    int64_t next = 0;
    for (int64_t i = 0; i < samples; i++) {
        int64_t at = i * nk / samples;
        if (spacing == CLATTN_SPACING_LOG) {
            /* nk^(i / (samples - 1)) - 1: from 0 to nk - 1, dense at the start; moved up past the one before, and down
             * where those that follow would not fit any more */
            at = samples == 1 ? 0 : (int64_t)(pow((double)nk, (double)i / (double)(samples - 1)) + 1e-6) - 1;
            at = ct_min(ct_max(at, next), nk - samples + i);
        }
        positions[i] = (int32_t)at;
        next = at + 1;
    }
}
