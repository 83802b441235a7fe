/* Gradient of the merge of partial softmaxes, w_p = exp(L_p - L):
 *   dO_p = w_p dO,  dL_p = w_p (dO . O_p - dO . O + dL);  0 for a part without a key, which is not read.
 * A line is the row of one (row, head, batch); parts lie as in merge_lse.cl. */
#include "merge/args.cl"

LINE_KERNEL void merge_lse_backward(ARGUMENTS(MERGE_LSE_BACKWARD) const merge_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.parts == 0) { return; }
    const line_place place = LINE_PLACE(a.rows, a.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const long own = batch * a.o.batch + head * a.o.head + n * a.o.row;
    const float total = AT(lse)[at], arriving = dlse_base ? AT(dlse)[at] : 0.0f;
    VF products = (VF)(0.0f);
    EACH_COL(c, DV) { products += get_elem(AT(o) + own, c, DV) * get_elem(AT(g) + own, c, DV); }
    const float mean = line_sum(&t, products);
    for (int p = 0; p < a.parts; ++p) {
        const long of_part = p * a.part_rows + at;
        const float part = AT(lse_parts)[of_part];
        const int seen = part != -INFINITY;
        const float weight = seen ? exp(part - total) : 0.0f;
        VF dots = (VF)(0.0f);
        EACH_COL(c, DV) {
            const VF g = get_elem(AT(g) + own, c, DV);
            if (seen) dots += g * get(AT(o_parts) + of_part * DV, c, DV);
            if (do_parts_base) put(AT(do_parts) + of_part * DV, c, DV, g * weight);
        }
        const float dot = line_sum(&t, dots);
        if (ONCE(&t) && dlse_parts_base) AT(dlse_parts)[of_part] = seen ? weight * (dot - mean + arriving) : 0.0f;
    }
}
