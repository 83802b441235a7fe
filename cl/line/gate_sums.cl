/* Gradient of the gate's linear map (gate_rows.cl), a part of a head's rows at a time:  parts = sum dlogit q, and
 * the sum of dlogit behind it. A line is one part of one head: `part` rows of its batches, one after another. */
#include "line/args.cl"

LINE_KERNEL void gate_sums(ARGUMENTS(GATE_SUMS) const gate_sums_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) { return; }
    const long head = LINE_X() / a.parts, first = LINE_X() % a.parts * a.part;
    __global float *to = AT(parts) + LINE_X() * (a.depth + 1);
    const long last = min(first + a.part, a.rows * a.batches);
    EACH_COL(c, a.depth) {
        VF sum = (VF)(0.0f);
        for (long i = first; i < last; i++) {
            const long batch = i / a.rows, n = i % a.rows;
            const __global elem *row = AT(q) + batch * a.q.batch + head * a.q.head + n * a.q.row;
            sum += get_elem(row, c, a.depth) * AT(dlogit)[(batch * a.heads + head) * a.rows + n];
        }
        put(to, c, a.depth, sum);
    }
    if (ONCE(&t)) {
        float sum = 0.0f;
        for (long i = first; i < last; i++) sum += AT(dlogit)[(i / a.rows * a.heads + head) * a.rows + i % a.rows];
        to[a.depth] = sum;
    }
}
