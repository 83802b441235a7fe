/* Sums of a head's rows:  sums_h = factor sum x y  over the rows of head h in every batch (y not given: 1). The
 * gradient of a sink: -(its weight) delta; that of ALiBi's slope: what the rows' pairs give. A line is a head; rows one
 * after another, so that the order of the sum is fixed. */
#include "attend/args.cl"

LINE_KERNEL void head_sums(ARGUMENTS(HEAD_SUMS) const head_sums_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0 || !sums_base) { return; }
    VF sum = (VF)(0.0f);
    for (int batch = 0; batch < a.batches; ++batch) {
        const long first = (batch * (long)a.heads + LINE_X()) * a.rows;
        EACH_COL(c, (int)a.rows) {
            const VF x = get(AT(x) + first, c, (int)a.rows);
            sum += y_base ? x * get(AT(y) + first, c, (int)a.rows) : x;
        }
    }
    const float all = line_sum(&t, sum);
    if (ONCE(&t)) { AT(sums)[LINE_X()] = all * a.factor; }
}
