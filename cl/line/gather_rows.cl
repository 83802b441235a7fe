/* Chosen rows of a tensor, densely:  to[b][h][s] = from[b][h][positions[s]].
 * A line is one row (s, head, batch). A position outside 0 ... rows - 1 gives a row of zeros. OUT = STORE: elements are
 * copied. */
#include "line/args.cl"

LINE_KERNEL void gather_rows(ARGUMENTS(GATHER_ROWS) const gather_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const line_place place = LINE_PLACE(a.samples, a.heads);
    const long at = place.at, s = place.n, head = place.head, batch = place.batch;
    const int position = AT(positions)[s];
    const int exists = position >= 0 && position < a.rows;
    const __global elem *row =
        AT(from) + batch * a.from.batch + head * a.from.head + (exists ? position : 0) * a.from.row;
    EACH_COL(c, a.width) {
        put_elem(AT(to) + at * a.width, c, a.width, exists ? get_elem(row, c, a.width) : (VF)(0.0f));
    }
}
