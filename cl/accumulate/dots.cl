/* dots:  to_i = w_i . x_i for the rows of the heads of x, float. A group does `rows` rows of a head. */
#include "accumulate/args.cl"

LINE_KERNEL void accumulate_dots(ARGUMENTS(ACCUMULATE_DOTS) const dots_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const __global elem *w = AT(w) + LINE_Z() * a.w.batch + LINE_Y() * a.w.head;
    const __global float *x = AT(x) + LINE_Z() * a.x.batch + LINE_Y() * a.x.head;
    __global float *to = AT(to) + LINE_Z() * a.to_batch + LINE_Y() * a.to_head;
    for (long i = first; i < last; i++) {
        VF sum = (VF)(0.0f);
        EACH_COL(c, a.width) sum += get_elem(w + i * a.w.row, c, a.width) * get(x + i * a.x.row, c, a.width);
        const float dot = line_sum(&t, sum);
        if (ONCE(&t)) to[i] = dot;
    }
}
