/* The sums over the parts of norm_sums.cl. A line is a head. */
#include "norm/args.cl"

LINE_KERNEL void norm_summed(ARGUMENTS(NORM_SUMMED) const norm_summed_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const long head = LINE_X();
    const __global float *from = AT(parts) + head * a.parts * 2 * a.width;
    EACH_COL(c, a.width) {
        VF weight = (VF)(0.0f), bias = (VF)(0.0f);
        for (int i = 0; i < a.parts; i++) {
            weight += get(from + (2 * i + 0) * a.width, c, a.width);
            bias += get(from + (2 * i + 1) * a.width, c, a.width);
        }
        if (weight_base) put(AT(weight) + head * a.width, c, a.width, weight);
        if (bias_base) put(AT(bias) + head * a.width, c, a.width, bias);
    }
}
