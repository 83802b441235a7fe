/* rows:  R_r = sum_j S_j over the key blocks j that row r's list does not hold: the state of the keys that a block row
 * has not chosen. A direct sum, in the order of the blocks; nothing is subtracted. Empty rows give 0.
 * A group does `slab` elements of the state of one block row of one item; each worker adds up its own columns. */
#include "accumulate/args.cl"
#include "layout/blocks.cl"
LINE_KERNEL void accumulate_rows(ARGUMENTS(ACCUMULATE_ROWS) const rows_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.size == 0) { return; }
    const long item = LINE_Z(), row = LINE_Y(), from = LINE_X() * a.slab;
    const int part = min(a.slab, (int)(a.size - from));
    const long of_batch = a.list_batches > 1 ? item / a.heads : 0, of_head = a.list_heads > 1 ? item % a.heads : 0;
    const long list = (of_batch * a.list_heads + of_head) * a.rows + row;
    const blocks lists = {AT(ends), AT(entries), AT(mask), a.cols, a.width};
    const int count = blocks_count(&lists, list);
    const __global float *state = AT(states) + item * a.cols * a.size + from;
    __global float *sum = AT(sums) + (item * a.rows + row) * a.size + from;
    EACH_COL(c, part) { put(sum, c, part, (VF)(0.0f)); }
    for (int j = 0, at = 0; j < a.cols; ++j) {
        if (FORM == 2) at = j;
        const int listed = at < count && blocks_at(&lists, list, at) == j;
        at += listed;
        if (!listed) {
            EACH_COL(c, part) { put(sum, c, part, get(sum, c, part) + get(state + (long)j * a.size, c, part)); }
        }
    }
}
