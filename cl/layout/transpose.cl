/* transpose: of block lists on the device those by columns: for each block of keys the blocks of queries that see it.
 * Two launches: FILL 0 counts the lists that hold a column, FILL 1 writes them, from where the counts of the columns
 * before it end. A group makes one line, the rows of one column of one head of one batch, ascending:
 *   line = (batch * heads + head) * cols + col, runs[2 line] = where it starts in `turned`, runs[2 line + 1] = how
 * many.
 */
#include "layout/args.cl"
#include "layout/blocks.cl"
#ifndef FILL
#define FILL 0
#endif

LINE_KERNEL void transpose(ARGUMENTS(TRANSPOSE) const transpose_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) return;
    if (!ONCE(&t)) return;
    const blocks from = {AT(ends), AT(entries), AT(mask), a.cols, a.width};
    const long head = LINE_Z() * GROUPS(1) + LINE_Y(), at = head * a.cols + LINE_X();
    const int col = (int)LINE_X();
    int n = 0;
#if FILL
    long start = head * a.room;
    for (int before = 0; before < col; before++) start += AT(runs)[2 * (head * a.cols + before) + 1];
    AT(runs)[2 * at] = (int)start;
#endif
    for (int row = 0; row < a.rows; row++) {
        if (!blocks_has(&from, head * a.rows + row, col)) continue;
#if FILL
        AT(turned)[start + n] = row;
#endif
        n++;
    }
#if !FILL
    AT(runs)[2 * at + 1] = n;
#endif
}
