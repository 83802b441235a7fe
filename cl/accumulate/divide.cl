/* divide:  o = x[0 ... width-1] / (x[width] + 1e-10) for each row of x, float, dense [batch, heads, n, width + 1]. A
 * group does `rows` rows of a head. */
#include "accumulate/args.cl"

LINE_KERNEL void accumulate_divide(ARGUMENTS(ACCUMULATE_DIVIDE) const divide_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const __global float *from = AT(x) + (LINE_Z() * a.heads + LINE_Y()) * a.n * (a.width + 1);
    __global out_elem *to = AT(o) + LINE_Z() * a.o.batch + LINE_Y() * a.o.head;
    for (long i = first; i < last; i++) {
        const __global float *p = from + i * (a.width + 1);
        const float under = p[a.width] + 1e-10f;
        EACH_COL(c, a.width) put_elem(to + i * a.o.row, c, a.width, get(p, c, a.width) / under);
    }
}
