/* Sum of gradients:  to = x + y + factor_row weight_head, of those that are there. x and y are float, dense
 * [b][h][rows][width] (`to` may be x), factor [b][h][rows], weight [h][width]. A line is the row of one (row,
 * head, batch). */
#include "line/args.cl"

LINE_KERNEL void sum_rows(ARGUMENTS(SUM_ROWS) const sum_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) { return; }
    const line_place place = LINE_PLACE(a.rows, a.heads);
    if (place.past) { return; } /* no line may be added twice */
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    __global out_elem *to = AT(to) + batch * a.to.batch + head * a.to.head + n * a.to.row;
    EACH_COL(c, a.width) {
        VF sum = (VF)(0.0f);
        if (x_base) sum += get(AT(x) + at * a.width, c, a.width);
        if (y_base) sum += get(AT(y) + at * a.width, c, a.width);
        if (factor_base) sum += get(AT(weight) + head * a.width, c, a.width) * AT(factor)[at];
        put_elem(to, c, a.width, sum);
    }
}
