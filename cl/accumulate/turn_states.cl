/* turn states:  to = from^T for each state [rows, cols] of `to`, zeros where there is no `from`; or (FADED) to =
 * decay_0 from, the decay of a sequence's first token. A line is a row of `to` of one item. */
#include "accumulate/args.cl"
#ifndef FADED
#define FADED 0
#endif
#ifndef PACKED
#define PACKED 0
#endif

LINE_KERNEL void turn_states(ARGUMENTS(TURN_STATES) const turn_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) return;
    const long item = LINE_X() / a.rows, row = LINE_X() % a.rows, batch = item / a.heads, head = item % a.heads;
    const __global float *state = AT(from) + item * a.rows * a.cols;
    __global float *to = AT(to) + LINE_X() * a.cols;
#if FADED
    const int first = PACKED ? AT(cu)[batch] : 0, some = PACKED ? AT(cu)[batch + 1] > first : 1;
    float factor = 1.0f;
    if (some) {
        const float g = AT(decay)[(PACKED ? 0 : batch) * a.decay_batch + head * a.decay_head + first];
        factor = exp2(max(g * LOG2E, -150.0f));
    }
    EACH_COL(c, a.cols) put(to, c, a.cols, get(state + row * a.cols, c, a.cols) * factor);
#else
    if (!from_base) {
        EACH_COL(c, a.cols) put(to, c, a.cols, (VF)(0.0f));
        return;
    }
    for (int c = 0; c < a.cols; c++)
        if (ONCE(&t)) to[c] = state[(long)c * a.rows + row];
#endif
}
