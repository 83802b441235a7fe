/* Gradients of gathered rows go back:  to[b][h][positions[s]] += from[b][h][s], unless shown[b][s] is there and 0. The
 * positions that are shown differ. A line is one row (s, head, batch). */
#include "line/args.cl"

LINE_KERNEL void scatter_rows(ARGUMENTS(SCATTER_ROWS) const scatter_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const long at = LINE_X(), s = at % a.samples, head = at / a.samples, batch = head / a.heads;
    const int position = AT(positions)[s];
    if (shown_base && AT(shown)[batch * a.samples + s] == 0) { return; }
    __global float *to = AT(to) + (head * a.rows + position) * a.width;
    const __global float *from = AT(from) + at * a.width;
    EACH_COL(c, a.width) { put(to, c, a.width, get(to, c, a.width) + get(from, c, a.width)); }
}
