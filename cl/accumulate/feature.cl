/* feature:  y = phi(x) for each row, as float, dense [batch, heads, n, width + ONES]; a column of ones if ONES.
 * A hidden key's row (PADDING) becomes 0: it then adds nothing to a state. A group does `rows` rows of a head. */
#include "accumulate/args.cl"
#ifndef FEATURE
/* 0: x; 1: elu(x) + 1; 2: max(x, 0); 3: x / (1 + exp(-x)); 4: softmax over the row */
#define FEATURE 0
#endif
#ifndef ONES
#define ONES 0
#endif
#ifndef PADDING
#define PADDING 0
#endif

OP VF phi(VF x) {
#if FEATURE == 1
    return pick(x > (VF)(0.0f), x + 1.0f, vexp(x));
#elif FEATURE == 2
    return pick(x > (VF)(0.0f), x, (VF)(0.0f));
#elif FEATURE == 3
    return x / ((VF)(1.0f) + vexp(-x));
#else
    return x;
#endif
}

LINE_KERNEL void accumulate_feature(ARGUMENTS(ACCUMULATE_FEATURE) const feature_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long first = LINE_X() * a.rows, last = min(first + a.rows, a.n);
    const int width = a.width, full = width + ONES;
    const __global elem *from = AT(x) + LINE_Z() * a.x.batch + LINE_Y() * a.x.head;
    __global float *to = AT(y) + (LINE_Z() * a.heads + LINE_Y()) * a.n * full;
    for (long i = first; i < last; i++) {
        const __global elem *p = from + i * a.x.row;
        const int counts = PADDING ? AT(padding)[LINE_Z() * a.padding_batch + i] : 1;
        float top = 0.0f, under = 1.0f;
#if FEATURE == 4
        VF most = (VF)(-INFINITY), sum = (VF)(0.0f);
        EACH_COL(c, width) most = vmax(most, pick(COL(c) < (VI)(width), get_elem(p, c, width), (VF)(-INFINITY)));
        top = line_max(&t, most);
        EACH_COL(c, width) sum += pick(COL(c) < (VI)(width), vexp(get_elem(p, c, width) - top), (VF)(0.0f));
        under = line_sum(&t, sum);
#endif
        EACH_COL(c, full) {
            VF z = get_elem(p, c, width);
            z = FEATURE == 4 ? vexp(z - top) / under : phi(z);
            if (ONES) z = pick(COL(c) < (VI)(width), z, (VF)(1.0f));
            put(to + i * full, c, full, counts ? z : (VF)(0.0f));
        }
    }
}
