/* dQ from the sums that attend_backward_kv has left:  dQ = scale sums.  A line is the row of one (row, head, batch). */
#include "attend/args.cl"

LINE_KERNEL void attend_collect(ARGUMENTS(ATTEND_COLLECT) const collect_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0 || !dq_base) { return; }
    const long at = LINE_X(), n = at % a.rows, head = at / a.rows % a.heads, batch = at / a.rows / a.heads;
    const __global float *sums = AT(sums) + at * a.sums_row;
    __global out_elem *to = AT(dq) + batch * a.dq.batch + head * a.dq.head + n * a.dq.row;
    EACH_COL(c, a.width) { put_elem(to, c, a.width, get(sums, c, a.width) * a.scale); }
}
