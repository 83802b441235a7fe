/* Gradients of the norm's weight and bias, some tokens at a time:  parts = sum g o u,  sum g. A line is one part of one
 * head: `part` tokens of all batches, one after another. */
#include "norm/token.cl"

LINE_KERNEL void norm_sums(ARGUMENTS(NORM_SUMS) const norm_sums_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) { return; }
    const long head = LINE_X() / a.parts, first = LINE_X() % a.parts * a.part;
    const long last = min(first + a.part, a.rows * a.batches);
    __global float *to = AT(parts) + LINE_X() * 2 * a.width;
    EACH_COL(c, a.width) {
        VF weight = (VF)(0.0f), bias = (VF)(0.0f);
        for (long at = first; at < last; at++) {
            const long batch = at / a.rows, n = at % a.rows, from = batch * a.y.batch + n * a.y.row + head * a.y.head;
            const token s = {AT(o) + batch * a.o.batch + n * a.o.row + head * a.o.head,
                residual_base ? AT(residual) + from : 0, 0, 0, 1, a.width};
            const VF g = get_elem(AT(g) + from, c, a.width);
            weight += g * ((sum_of(&s, 0, c) - AT(stats)[2 * at]) * AT(stats)[2 * at + 1]);
            bias += g;
        }
        put(to, c, a.width, weight);
        put(to + a.width, c, a.width, bias);
    }
}
