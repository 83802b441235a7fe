/* rows:  R_r = sum_j S_j over the key blocks j that row r's list does not hold: the state of the keys that a block row
 * has not chosen. A direct sum, in the order of the blocks; nothing is subtracted. Empty rows give 0.
 * A group does `slab` elements of the state of one block row of one item; each worker adds up its own columns.
 * LISTS says what the lists are: 0 row_ptr and col, 1 a mask of bytes (nonzero: listed), 2 a table `width` wide, -1
 * behind its end. */
#ifndef LISTS
#define LISTS 0
#endif
typedef struct {    /* by value */
    int size, slab; /* elements of a state; 0: every group returns at once */
    int rows, cols;
    int heads, list_heads; /* of the items, of the lists: 1 serves every head */
    int width, unused;
} rows_args;

LINE_KERNEL void accumulate_rows(BUFFER(const float, states), BUFFER(float, sums), BUFFER(const int, row_ptr),
    BUFFER(const int, col), BUFFER(const uchar, mask), const rows_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.size == 0) { return; }
    const long item = LINE_Z(), row = LINE_Y(), from = LINE_X() * a.slab;
    const int part = min(a.slab, (int)(a.size - from));
    const long list = (a.list_heads > 1 ? item % a.heads : 0) * a.rows + row;
    const __global float *state = AT(states) + item * a.cols * a.size + from;
    __global float *sum = AT(sums) + (item * a.rows + row) * a.size + from;
    long at = LISTS == 0 ? AT(row_ptr)[list] : list * a.width;
    const long end = LISTS == 0 ? AT(row_ptr)[list + 1] : at + a.width;
    EACH_COL(c, part) { put(sum, c, part, (VF)(0.0f)); }
    for (int j = 0; j < a.cols; ++j) {
        int listed = 0;
        if (LISTS == 1) {
            listed = AT(mask)[list * a.cols + j] != 0;
        } else if (at < end && AT(col)[at] == j) {
            listed = 1;
            ++at;
        }
        if (!listed) {
            EACH_COL(c, part) { put(sum, c, part, get(sum, c, part) + get(state + (long)j * a.size, c, part)); }
        }
    }
}
