/* Sum of two branches:  o = g a + (1 - g) b,  or  o = a + b.
 * GATE 0: plain sum; 1: g is read, float [b][h][rows]; 2: g = 1/2.
 * With FORCED = 1 the branches' LSE, where given, say whether they saw a key: without b's g = 1, without a's g = 0
 * (without both o = 0). A line is the output row of one (row, head, batch). a and b are dense float
 * [b][h][rows][width], their LSE [b][h][rows]. */
#include "merge/args.cl"
#ifndef GATE
#define GATE 0
#endif
#ifndef FORCED
#define FORCED 0
#endif

LINE_KERNEL void merge_gate(ARGUMENTS(MERGE_GATE) const gate_args args) {
    line t;
    LINE_BEGIN(&t);
    if (args.width == 0) { return; }
    const long at = LINE_X(), n = at % args.rows, head = at / args.rows % args.heads,
               batch = at / args.rows / args.heads;
    float share_a = 1.0f, share_b = 1.0f;
#if GATE == 1
    share_a = AT(gate)[at];
#elif GATE == 2
    share_a = 0.5f;
#endif
#if FORCED
    const int none_a = lse_a_base && AT(lse_a)[at] == -INFINITY, none_b = lse_b_base && AT(lse_b)[at] == -INFINITY;
    share_a = none_b ? 1.0f : none_a ? 0.0f : share_a;
#endif
#if GATE
    share_b = 1.0f - share_a;
#endif
    __global out_elem *to = AT(o) + batch * args.o.batch + head * args.o.head + n * args.o.row;
    EACH_COL(c, args.width) {
        VF sum = (VF)(0.0f); /* what has no share is not read */
        if (share_a != 0.0f) sum += get(AT(a) + at * args.width, c, args.width) * share_a;
        if (share_b != 0.0f) sum += get(AT(b) + at * args.width, c, args.width) * share_b;
        put_elem(to, c, args.width, sum);
    }
}
