/* turn states:  to = from^T for each state [rows, cols] of `to`, zeros where there is no `from`. A line is a row
 * of `to` of one item. */
#include "accumulate/args.cl"

LINE_KERNEL void turn_states(ARGUMENTS(TURN_STATES) const turn_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) return;
    const long item = LINE_X() / a.rows, row = LINE_X() % a.rows;
    const __global float *state = AT(from) + item * a.rows * a.cols + row;
    EACH_COL(c, a.cols) {
        VF x = (VF)(0.0f);
        if (from_base) x = get_apart(state, c, a.cols, a.rows);
        put(AT(to) + LINE_X() * a.cols, c, a.cols, x);
    }
}
