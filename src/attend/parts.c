#include "attend/parts.h"

/* Products of a block of keys in one pass, and in two together; what it takes to write a part's zeros and to read its
 * sums, in products. */
static const double one_pass = 5.0, two_passes = 7.0, sums = 0.5;

static double time_of(int64_t heads, int64_t blocks, int64_t places, int64_t parts)
{
    const double turns = (double)ct_ceil_div(heads * parts, places), groups = (double)(heads * parts) / (double)places;
    return one_pass * turns * (double)ct_ceil_div(blocks, parts) + sums * groups;
}

int64_t ct_backward_parts(int64_t heads, int64_t blocks, int64_t places, int64_t most)
{
    const int64_t last = ct_max(1, ct_min(blocks, most));
    double best = two_passes * (double)ct_ceil_div(heads * blocks, places);
    bool found = false;
    for (int64_t parts = 1; parts <= last; parts++) {
        const double time = time_of(heads, blocks, places, parts);
        found = found || time <= best;
        best = time < best ? time : best;
    }
    int64_t parts = 1; /* memory is worth some time */
    while (found && time_of(heads, blocks, places, parts) > 1.05 * best) {
        parts++;
    }
    return found ? parts : 0;
}
