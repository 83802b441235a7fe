/* Merge of partial softmaxes of one query row over disjoint key sets:
 *   L = ln(sum_p exp(L_p)),   O = sum_p exp(L_p - L) O_p;   identity (O = 0, L = -infinity).
 * A line is the output row of one (row, head, batch). Partials are float, part-major: o_parts [parts][b][h][rows][DV]
 * and lse_parts [parts][b][h][rows]; SUMMED: [parts][b][h][rows][2], m_p and l_p of L_p = m_p + ln l_p. A part without
 * a key (L_p = -infinity) is never read, so its O_p may hold anything. */
#ifndef SUMMED
#define SUMMED 0
#endif
#include "merge/args.cl"

OP int has_keys(float lse) { return lse != -INFINITY; } /* true for NaN and for +infinity, out of which NaN comes */

/* exp(L_p - top) of a row; lse: its L_p or m_p. */
OP float weight_of(const __global float *lse, float top) {
    return has_keys(*lse) ? exp(*lse - top) * (SUMMED ? lse[SUMMED] : 1.0f) : 0.0f;
}

LINE_KERNEL void merge_lse(ARGUMENTS(MERGE_LSE) const merge_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.parts == 0) { return; }
    const line_place place = LINE_PLACE(a.rows, a.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const __global float *lse_at = AT(lse_parts) + at * (1 + SUMMED);
    const long step = a.part_rows * (1 + SUMMED);
    float top = -INFINITY, sum = 0.0f;
    for (int p = 0; p < a.parts; ++p) {
        const float part = lse_at[p * step];
        top = part > top ? part : top;
    }
    for (int p = 0; p < a.parts; ++p) { sum += weight_of(lse_at + p * step, top); }
    const float share = sum == 0.0f ? 0.0f : 1.0f / sum;
    VF total[VISITS(DV)];
    EACH_COL(c, DV) { total[VISIT(c)] = (VF)(0.0f); }
    for (int p = 0; p < a.parts; ++p) {
        if (has_keys(lse_at[p * step])) {
            const float weight = weight_of(lse_at + p * step, top) * share;
            EACH_COL(c, DV) { total[VISIT(c)] += get(AT(o_parts) + (p * a.part_rows + at) * DV, c, DV) * weight; }
        }
    }
    __global out_elem *to = AT(o) + batch * a.o.batch + head * a.o.head + n * a.o.row;
    EACH_COL(c, DV) { put_elem(to, c, DV, total[VISIT(c)]); }
    if (ONCE(&t) && lse_base) { AT(lse)[at] = sum == 0.0f ? -INFINITY : top + log(sum); }
}
