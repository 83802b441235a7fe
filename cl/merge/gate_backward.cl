/* Gradient of a sum of two branches,  o = s_a a + s_b b  (shares.cl): the shares of each row; what
 * arrives at a branch, da = s_a g, db = s_b g, where it is asked for; and
 *   dgate = sum g (a - b), 0 where the gate is forced;  LINEAR: of the logit, dgate gate (1 - gate).
 * A line is the row of one (row, head, batch). da and db are dense. */
#include "merge/args.cl"
#include "merge/shares.cl"
#ifndef LINEAR
#define LINEAR 0
#endif

LINE_KERNEL void gate_backward(ARGUMENTS(MERGE_GATE_BACKWARD) const gate_backward_args x) {
    line t;
    LINE_BEGIN(&t);
    if (x.width == 0) { return; }
    const line_place place = LINE_PLACE(x.rows, x.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const __global elem *g = AT(g) + batch * x.g.batch + head * x.g.head + n * x.g.row;
    const __global float *a = AT(a) + batch * x.a.batch + head * x.a.head + n * x.a.row;
    const __global float *b = AT(b) + batch * x.b.batch + head * x.b.head + n * x.b.row;
    const shares s = shares_of(at, PASS(lse_a), PASS(lse_b), PASS(gate));
    VF products = (VF)(0.0f);
    EACH_COL(c, x.width) {
        const VF y = get_elem(g, c, x.width);
        VF apart = (VF)(0.0f);
        if (GATE == 1 && !s.forced) apart = get(a, c, x.width) - get(b, c, x.width);
        products += y * apart;
        if (da_base) put(AT(da) + at * x.width, c, x.width, y * s.a);
        if (db_base) put(AT(db) + at * x.width, c, x.width, y * s.b);
    }
    const float sum = line_sum(&t, products);
    if (ONCE(&t)) {
        if (share_a_base) AT(share_a)[at] = s.a;
        if (share_b_base) AT(share_b)[at] = s.b;
        if (dgate_base) AT(dgate)[at] = LINEAR ? sum * s.given * (1.0f - s.given) : sum;
    }
}
