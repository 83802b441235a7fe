/* Block lists as kernels read them, whoever made them: line r = (batch * heads + head) * rows + row.
 * FORM 1: CSR: ends[r] ... ends[r + 1] - 1 of entries; 2: mask [lines][cols], nonzero is listed; 3: table of `width`
 * entries a line, -1 behind them; 4: runs: ends[2 r] is where they start, ends[2 r + 1] how many. Columns ascend. */
#ifndef FORM
#define FORM 0 /* every block */
#endif
typedef struct {
    const __global int *ends, *entries;
    const __global uchar *mask;
    int cols, width;
} blocks;
/* Places of line r that may hold an entry. */
OP int blocks_count(const blocks *b, long r) {
#if FORM == 1
    return min(b->ends[r + 1] - b->ends[r], b->cols);
#elif FORM == 3
    return b->width;
#elif FORM == 4
    return b->ends[2 * r + 1];
#else
    return b->cols;
#endif
}
/* The block column in place i of it, or -1. */
OP int blocks_at(const blocks *b, long r, int i) {
#if FORM == 1
    return b->entries[b->ends[r] + i];
#elif FORM == 2
    return b->mask[r * b->cols + i] ? i : -1;
#elif FORM == 3
    return b->entries[r * b->width + i];
#elif FORM == 4
    return b->entries[b->ends[2 * r] + i];
#else
    return i;
#endif
}
/* Does line r list this column? */
OP int blocks_has(const blocks *b, long r, int col) {
#if FORM == 2
    return b->mask[r * b->cols + col] != 0;
#else
    int low = 0, high = blocks_count(b, r); /* -1, which is nowhere, is more than every column */
    while (low < high) {
        const int middle = (low + high) / 2;
        if ((uint)blocks_at(b, r, middle) < (uint)col) low = middle + 1;
        else high = middle;
    }
    return low < blocks_count(b, r) && blocks_at(b, r, low) == col;
#endif
}
