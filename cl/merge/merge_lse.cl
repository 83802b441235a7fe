/* Merge of partial softmaxes of one query row over disjoint key sets:
 *   L = ln(sum_p exp(L_p)),   O = sum_p exp(L_p - L) O_p;   identity (O = 0, L = -infinity).
 * A line is the output row of one (row, head, batch). Partials are float, part-major: o_parts [parts][b][h][rows][DV]
 * and lse_parts [parts][b][h][rows]. A part without a key (L_p = -infinity) is never read, so its O_p may hold
 * anything. */
#include "merge/args.cl"

OP int has_keys(float lse) { return lse != -INFINITY; } /* true for NaN and for +infinity, out of which NaN comes */

LINE_KERNEL void merge_lse(ARGUMENTS(MERGE_LSE) const merge_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.parts == 0) { return; }
    const long at = LINE_X(), n = at % a.rows, head = at / a.rows % a.heads, batch = at / a.rows / a.heads;
    const __global float *lse_at = AT(lse_parts) + at;
    float top = -INFINITY, sum = 0.0f;
    for (int p = 0; p < a.parts; ++p) {
        const float part = lse_at[p * a.part_rows];
        top = part > top ? part : top;
    }
    for (int p = 0; p < a.parts; ++p) {
        const float part = lse_at[p * a.part_rows];
        sum += has_keys(part) ? exp(part - top) : 0.0f;
    }
    const float share = sum == 0.0f ? 0.0f : 1.0f / sum;
    VF total[VISITS(DV)];
    EACH_COL(c, DV) { total[VISIT(c)] = (VF)(0.0f); }
    for (int p = 0; p < a.parts; ++p) {
        const float part = lse_at[p * a.part_rows];
        if (has_keys(part)) {
            const float weight = exp(part - top) * share;
            EACH_COL(c, DV) { total[VISIT(c)] += get(AT(o_parts) + (p * a.part_rows + at) * DV, c, DV) * weight; }
        }
    }
    __global out_elem *to = AT(o) + batch * a.o.batch + head * a.o.head + n * a.o.row;
    EACH_COL(c, DV) { put_elem(to, c, DV, total[VISIT(c)]); }
    if (ONCE(&t) && lse_base) { AT(lse)[at] = sum == 0.0f ? -INFINITY : top + log(sum); }
}
