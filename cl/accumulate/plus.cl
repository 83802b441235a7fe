/* plus:  o = x + y for each row of x and y, float, dense [batch, heads, n, width]; o may be x. A group does `rows` rows
 * of a head. */
#include "accumulate/args.cl"

LINE_KERNEL void accumulate_plus(ARGUMENTS(ACCUMULATE_PLUS) const plus_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const long at = (LINE_Z() * a.heads + LINE_Y()) * a.n * a.width;
    __global out_elem *to = AT(o) + LINE_Z() * a.o.batch + LINE_Y() * a.o.head;
    for (long i = first; i < last; i++) {
        const __global float *x = AT(x) + at + i * a.width, *y = AT(y) + at + i * a.width;
        EACH_COL(c, a.width) put_elem(to + i * a.o.row, c, a.width, get(x, c, a.width) + get(y, c, a.width));
    }
}
