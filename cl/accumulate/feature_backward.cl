/* feature backward:  dx = (d phi / dx)^T g for each row of x, whose g is float, dense [batch, heads, n, wide]
 * (columns from `width` on are a normaliser's and no part of x). A hidden key's row (PADDING) is 0, whatever x
 * holds. A group does `rows` rows of a head. Softmax: dx = y (g - sum y g). */
#include "accumulate/args.cl"
#ifndef FEATURE
/* as in feature.cl */
#define FEATURE 0
#endif
#ifndef PADDING
#define PADDING 0
#endif

OP VF slope(VF x) {
#if FEATURE == 1
    return pick(x > (VF)(0.0f), (VF)(1.0f), vexp(x));
#elif FEATURE == 2
    return pick(x > (VF)(0.0f), (VF)(1.0f), (VF)(0.0f));
#elif FEATURE == 3
    const VF s = (VF)(1.0f) / ((VF)(1.0f) + vexp(-x));
    return s * ((VF)(1.0f) + x * ((VF)(1.0f) - s));
#else
    return (VF)(1.0f);
#endif
}

LINE_KERNEL void feature_backward(ARGUMENTS(FEATURE_BACKWARD) const feature_backward_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const int width = a.width;
    const __global elem *from = AT(x) + LINE_Z() * a.x.batch + LINE_Y() * a.x.head;
    const __global float *arriving = AT(g) + (LINE_Z() * a.heads + LINE_Y()) * a.n * a.wide;
    __global out_elem *to = AT(dx) + LINE_Z() * a.dx.batch + LINE_Y() * a.dx.head;
    for (long i = first; i < last; i++) {
        const __global elem *p = from + i * a.x.row;
        const __global float *g = arriving + i * a.wide;
        const int counts = PADDING ? AT(padding)[LINE_Z() * a.padding_batch + i] : 1;
        float top = 0.0f, under = 1.0f, mean = 0.0f;
#if FEATURE == 4
        VF most = (VF)(-INFINITY), sum = (VF)(0.0f), products = (VF)(0.0f);
        EACH_COL(c, width) most = vmax(most, pick(COL(c) < (VI)(width), get_elem(p, c, width), (VF)(-INFINITY)));
        top = line_max(&t, most);
        EACH_COL(c, width) {
            const VF y = pick(COL(c) < (VI)(width), vexp(get_elem(p, c, width) - top), (VF)(0.0f));
            sum += y;
            products += pick(COL(c) < (VI)(width), y * get(g, c, width), (VF)(0.0f));
        }
        under = line_sum(&t, sum);
        mean = line_sum(&t, products) / under;
#endif
        EACH_COL(c, width) {
            const VF x = get_elem(p, c, width), y = get(g, c, width);
            const VF z = FEATURE == 4 ? vexp(x - top) / under * (y - mean) : y * slope(x);
            put_elem(to + i * a.dx.row, c, width, counts ? z : (VF)(0.0f));
        }
    }
}
