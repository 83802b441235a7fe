/* How many segments a state's tokens are cut into, where a compute unit holds a known number of groups. */
#include "accumulate/parts.h"

#define BEGINNING 2.0 /* of a group, in chunks: its state comes in, its rings fill */
#define AGAIN     1.5 /* measured on an H200 at D 128: the states of segments cost half of what their outputs do */
#define LAUNCHES  4.0 /* in chunks */

int64_t ct_accumulate_segments(int64_t places, int64_t items, int64_t chunks, bool twice)
{
    const int64_t most = ct_min(chunks, 4 * ct_ceil_div(places, items));
    int64_t best = 1;
    double least = 0.0;
    for (int64_t i = 1; i <= most; i++) {
        const int64_t each = ct_ceil_div(chunks, i), segments = ct_ceil_div(chunks, each);
        double time = (double)ct_ceil_div(items * segments, places) * ((double)each + BEGINNING);
        if (twice && segments > 1) {
            time = time * AGAIN + LAUNCHES;
        }
        if (i == 1 || time < least) {
            least = time;
            best = segments;
        }
    }
    return best;
}
