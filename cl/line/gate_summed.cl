/* The sums over the parts of gate_sums.cl: of the weight's gradient, and of the bias's. A line is a head. */
#include "line/args.cl"

LINE_KERNEL void gate_summed(ARGUMENTS(GATE_SUMMED) const gate_summed_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.depth == 0) { return; }
    const long head = LINE_X(), step = a.depth + 1;
    const __global float *from = AT(parts) + head * a.parts * step;
    if (weight_base) {
        EACH_COL(c, a.depth) {
            VF sum = (VF)(0.0f);
            for (int i = 0; i < a.parts; i++) sum += get(from + i * step, c, a.depth);
            put(AT(weight) + head * a.depth, c, a.depth, sum);
        }
    }
    if (ONCE(&t) && bias_base) {
        float sum = 0.0f;
        for (int i = 0; i < a.parts; i++) sum += from[i * step + a.depth];
        AT(bias)[head] = sum;
    }
}
