/* Zeros, where a gradient is summed over several tiles of pairs, or no tile comes. A line is `width` floats. */
#include "attend/args.cl"

LINE_KERNEL void fill_zeros(ARGUMENTS(FILL_ZEROS) const fill_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.count == 0 || !to_base) { return; }
    const long from = LINE_X() * a.width;
    const int width = (int)min((long)a.width, a.count - from);
    EACH_COL(c, width) { put(AT(to) + from, c, width, (VF)(0.0f)); }
}
