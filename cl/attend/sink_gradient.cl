/* Gradient of a sink, a logit without a value in every row's softmax:  dsink_h = -sum sunk delta over the rows of
 * head h in every batch. A line is a head; rows one after another, so that the order of the sum is fixed. */
#include "attend/args.cl"

LINE_KERNEL void sink_gradient(ARGUMENTS(SINK_GRADIENT) const sink_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0 || !dsink_base) { return; }
    VF sum = (VF)(0.0f);
    for (int batch = 0; batch < a.batches; ++batch) {
        const long first = (batch * (long)a.heads + LINE_X()) * a.rows;
        EACH_COL(c, (int)a.rows) {
            sum -= get(AT(sunk) + first, c, (int)a.rows) * get(AT(delta) + first, c, (int)a.rows);
        }
    }
    const float all = line_sum(&t, sum);
    if (ONCE(&t)) { AT(dsink)[LINE_X()] = all; }
}
