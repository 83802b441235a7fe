/* The gradient of a token's sum:  ds = rstd (w - mean(w) - u mean(w o u)) + dsum,  w = g o weight;  NORM 2: without
 * mean(w), NORM 0: g + dsum. mean(): over the token. A line is a token. */
#include "norm/token.cl"

/* w, of a head; no weight: 1. */
OP VF arriving(const __global elem *g, const __global float *weight, int c, int width) {
    const VF x = get_elem(g, c, width);
    return weight ? x * get(weight, c, width) : x;
}

LINE_KERNEL void norm_backward(ARGUMENTS(NORM_BACKWARD) const norm_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const long at = LINE_X(), n = at % a.rows, batch = at / a.rows, to = batch * a.y.batch + n * a.y.row;
    const long from = batch * a.o.batch + n * a.o.row;
    const token s = {AT(o) + from, residual_base ? AT(residual) + to : 0, a.o.head, a.y.head, a.heads, a.width};
    const statistics m = statistics_of(&t, &s, a.eps);
    const __global elem *g = AT(g) + to;
    float along = 0.0f, mean = 0.0f;
#if NORM
    const float share = 1.0f / ((float)a.heads * (float)a.width);
    VF sums = (VF)(0.0f), products = (VF)(0.0f);
    EACH_HEAD(h, &s) {
        EACH_COL(c, a.width) {
            const VF w = arriving(g + h * a.y.head, weight_base ? AT(weight) + h * a.width : 0, c, a.width);
            sums += w;
            products += w * (sum_of(&s, h, c) - m.mean);
        }
    }
    along = line_sum(&t, products) * m.rstd * share;
    if (NORM == 1) mean = line_sum(&t, sums) * share;
#endif
    EACH_HEAD(h, &s) {
        EACH_COL(c, a.width) {
            VF w = arriving(g + h * a.y.head, weight_base ? AT(weight) + h * a.width : 0, c, a.width);
            if (NORM) w = (w - mean - (sum_of(&s, h, c) - m.mean) * (m.rstd * along)) * m.rstd;
            if (dsum_base) w += get_elem(AT(dsum) + to + h * a.y.head, c, a.width);
            if (dresidual_base) put_elem(AT(dresidual) + to + h * a.y.head, c, a.width, w);
            put_elem(AT(dout) + from + h * a.o.head, c, a.width, w);
        }
    }
    statistics_put(&t, AT(stats), at, m);
}
