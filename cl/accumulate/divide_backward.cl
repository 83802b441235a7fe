/* divide backward, of  o = x[0 ... width-1] / d, d = x[width] + 1e-10:  dx = g / d, and -sum(g x) / d^2 in the last
 * column. x and dx are float, dense [batch, heads, n, width + 1]. g is multiplied by a weight of
 * each row, if there is one, float [batch, heads, n]. A group does `rows` rows of a head. */
#include "accumulate/args.cl"

LINE_KERNEL void divide_backward(ARGUMENTS(DIVIDE_BACKWARD) const divide_backward_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const __global elem *arriving = AT(g) + LINE_Z() * a.g.batch + LINE_Y() * a.g.head;
    const long at = (LINE_Z() * a.heads + LINE_Y()) * a.n * (a.width + 1);
    for (long i = first; i < last; i++) {
        const __global elem *g = arriving + i * a.g.row;
        const __global float *x = AT(x) + at + i * (a.width + 1);
        __global float *dx = AT(dx) + at + i * (a.width + 1);
        const float under = x[a.width] + 1e-10f;
        const float factor = weight_base ? AT(weight)[(LINE_Z() * a.heads + LINE_Y()) * a.n + i] : 1.0f;
        VF sum = (VF)(0.0f);
        EACH_COL(c, a.width) {
            const VF y = get_elem(g, c, a.width) * factor / under;
            sum += y * (get(x, c, a.width) / under);
            put(dx, c, a.width, y);
        }
        const float of_under = -line_sum(&t, sum);
        if (ONCE(&t)) dx[a.width] = of_under;
    }
}
