/* Sum of two branches:  o = g a + (1 - g) b,  or  o = a + b.
 * The shares: shares.cl. A line is the output row of one (row, head, batch). a and b are dense float
 * [b][h][rows][width], their LSE [b][h][rows]. */
#include "merge/args.cl"
#include "merge/shares.cl"

LINE_KERNEL void merge_gate(ARGUMENTS(MERGE_GATE) const gate_args args) {
    line t;
    LINE_BEGIN(&t);
    if (args.width == 0) { return; }
    const line_place place = LINE_PLACE(args.rows, args.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    const shares s = shares_of(at, PASS(lse_a), PASS(lse_b), PASS(gate));
    __global out_elem *to = AT(o) + batch * args.o.batch + head * args.o.head + n * args.o.row;
    EACH_COL(c, args.width) {
        VF sum = (VF)(0.0f); /* what has no share is not read */
        if (s.a != 0.0f) sum += get(AT(a) + at * args.width, c, args.width) * s.a;
        if (s.b != 0.0f) sum += get(AT(b) + at * args.width, c, args.width) * s.b;
        put_elem(to, c, args.width, sum);
    }
}
