/* The gate of each row:  g = sigmoid(q . w_h + bias_h), a linear map of the query row, float [b][h][rows].
 * A line is the query row of one (row, head, batch). */
#include "line/args.cl"

LINE_KERNEL void gate_rows(ARGUMENTS(GATE_ROWS) const gate_rows_args args) {
    line t;
    LINE_BEGIN(&t);
    if (args.depth == 0) { return; }
    const line_place place = LINE_PLACE(args.rows, args.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const __global elem *row = AT(q) + batch * args.q.batch + head * args.q.head + n * args.q.row;
    VF products = (VF)(0.0f);
    EACH_COL(c, args.depth) {
        products += get_elem(row, c, args.depth) * get(AT(weight) + head * args.depth, c, args.depth);
    }
    const float logit = line_sum(&t, products) + (bias_base ? AT(bias)[head] : 0.0f);
    if (ONCE(&t)) { AT(gate)[at] = 1.0f / (1.0f + exp(-logit)); }
}
