/* Residual and normalisation:  y = u weight + bias  (token.cl; no weight: 1, no bias: 0). A line is a token. */
#include "norm/token.cl"

LINE_KERNEL void norm_forward(ARGUMENTS(NORM_FORWARD) const norm_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const long at = LINE_X(), n = at % a.rows, batch = at / a.rows, to = batch * a.y.batch + n * a.y.row;
    const token s = {AT(o) + batch * a.o.batch + n * a.o.row, residual_base ? AT(residual) + to : 0, a.o.head, a.y.head,
        a.heads, a.width};
    const statistics m = statistics_of(&t, &s, a.eps);
    EACH_HEAD(h, &s) {
        EACH_COL(c, a.width) {
            const VF sum = sum_of(&s, h, c);
            VF y = (sum - m.mean) * m.rstd;
            if (weight_base) y *= get(AT(weight) + h * a.width, c, a.width);
            if (bias_base) y += get(AT(bias) + h * a.width, c, a.width);
            put_elem(AT(y) + to + h * a.y.head, c, a.width, y);
            if (sum_base) put_elem(AT(sum) + to + h * a.y.head, c, a.width, sum);
        }
    }
    if (stats_base) statistics_put(&t, AT(stats), at, m);
}
