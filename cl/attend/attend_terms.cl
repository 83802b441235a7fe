/* What attend's passes backwards need of each query row. Its weights are  P = 2^(scale2 (s - from) + minus):
 *   from = 0, minus = -LSE in base 2 (-infinity where the query sees no key: its weights are 0),
 *   delta = rowsum(dO o O) - dLSE,   sunk = exp(sink - LSE), the sink's weight.
 * far becomes 1 where a row's LSE says little about its weights, see attend_statistics. Where dQ is summed in memory,
 * the sums begin with 0, and so do the counts of what was added. A line is the row of one (row, head, batch). A row
 * that sees no key takes no part: its delta is 0. */
#ifndef FLOAT_O
#define FLOAT_O 0 /* 1: o is float, whatever g is */
#endif
#if FLOAT_O
typedef float o_elem;
#define get_o get
#else
typedef elem o_elem;
#define get_o get_elem
#endif
#include "attend/args.cl"

LINE_KERNEL void attend_terms(ARGUMENTS(ATTEND_TERMS) const terms_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0) { return; }
    const line_place place = LINE_PLACE(a.rows, a.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const long from = batch * a.o.batch + head * a.o.head + n * a.o.row;
    /* asked for before the join, which no access passes */
    const float lse = AT(lse)[at], dlse = dlse_base ? AT(dlse)[at] : 0.0f;
    VF products = (VF)(0.0f);
    EACH_COL(c, a.width) { products += get_o(AT(o) + from, c, a.width) * get_elem(AT(g) + from, c, a.width); }
    if (sums_base) {
        __global float *sums = AT(sums) + (place.plane * a.sums_head + n) * a.sums_row;
        const long rows = n + 1 < a.rows ? 1 : a.sums_head - n; /* the last one's: those behind, too */
        for (int part = 0; part < a.parts; part++, sums += a.sums_part) {
            for (long r = 0; r < rows; r++) {
                EACH_COL(c, a.sums_row) { put(sums + r * a.sums_row, c, a.sums_row, (VF)(0.0f)); }
            }
        }
    }
    const float sum = line_sum(&t, products);
    if (ONCE(&t)) {
        for (int i = 0; counts_base && i < COUNTS; i++) AT(counts)[at * COUNTS + i] = 0;
        const int unseen = lse == -INFINITY;
        AT(from)[at] = 0.0f;
        if (IS_FAR(lse)) AT(far)[0] = 1;
        if (sunk_base) { AT(sunk)[at] = unseen ? 0.0f : exp2((AT(sinks)[head] - lse) * LOG2E); }
        AT(minus)[at] = unseen ? -INFINITY : lse * -LOG2E;
        AT(delta)[at] = unseen ? 0.0f : sum - dlse;
    }
}
