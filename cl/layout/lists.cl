/* lists: block lists on the device, for lengths or contents that only it knows (packed sequences; the caller's CSR, mask or table there).
 * A group makes one line: the tiles that block row `row` of one head of one sequence may see: entries that ask the mask first, then the others.
 *   lines[3 line] = start, lines[3 line + 1] = entries, lines[3 line + 2] = entries that ask the mask;   list[start...] = first keys of tiles.
 * SOURCE 0: every block; 1: CSR; 2: mask; 3: table of `width` entries, -1 for none. Entries out of range are passed over. */
#include "layout/classify.cl"
#ifndef SOURCE
#define SOURCE 0
#endif
#ifndef PACKED
#define PACKED 0
#endif
typedef struct {
    long left, right;
    int nq, nk;                               /* nq = 0: every group returns at once */
    int heads, rows, cols, tile_rows;         /* heads and block rows and columns of the layout; lines of a head */
    int block_q, block_k, step, tile_cols, width, room;       /* room: entries a line may have */
    int all_masked, tile_width;               /* tile_width: columns of a tile, tile_cols of them belong to a block */
} lists_args;

OP int lists_entry(const lists_args *a, const __global int *row_ptr, const __global int *col, const __global uchar *mask, long row, int i, int *count) {
#if SOURCE == 0
    *count = a->cols;
    return i;
#elif SOURCE == 1
    const int from = row_ptr[row];
    *count = min(row_ptr[row + 1] - from, a->cols);
    return i < *count ? col[from + i] : -1;
#elif SOURCE == 2
    *count = a->cols;
    return mask[row * a->cols + i] ? i : -1;
#else
    *count = a->width;
    return col[row * a->width + i];
#endif
}

LINE_KERNEL void lists(BUFFER(const int, row_ptr), BUFFER(const int, col), BUFFER(const uchar, mask), BUFFER(const int, cu_q),
    BUFFER(const int, cu_k), BUFFER(int, lines), BUFFER(int, list), const lists_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.nq == 0) return;
    if (!ONCE(&t)) return;
    const int row = (int)LINE_X(), head = (int)LINE_Y(), sequence = (int)LINE_Z();
    const int nq = PACKED ? AT(cu_q)[sequence + 1] - AT(cu_q)[sequence] : a.nq;
    const int nk = PACKED ? AT(cu_k)[sequence + 1] - AT(cu_k)[sequence] : a.nk;
    const long line_index = ((long)sequence * a.heads + head) * a.tile_rows + row, start = line_index * a.room;
    const long q0 = (long)row * a.step, q1 = min(q0 + a.step, (long)nq) - 1, shift = (long)nk - nq;
    const long block_row = (long)head * a.rows + q0 / a.block_q;
    int n = 0, masked = 0;
    for (int pass = CT_PARTIAL; pass <= CT_FULL; pass++) {
        int count = 0;
        if (q0 < nq) lists_entry(&a, AT(row_ptr), AT(col), AT(mask), block_row, 0, &count);
        for (int i = 0, before = -1; i < count; i++) {
            const int block = lists_entry(&a, AT(row_ptr), AT(col), AT(mask), block_row, i, &count);
            if (block <= before || block >= a.cols) continue;
            before = block;
            const long end = min(((long)block + 1) * a.block_k, (long)nk);
            for (long k0 = (long)block * a.block_k; k0 < end; k0 += a.tile_cols) {
                const long k1 = min(k0 + a.tile_cols, end) - 1;
                int kind = classify(q0 + shift, q1 + shift, k0, k1, a.left, a.right);
                if (kind == CT_FULL && (a.all_masked || k0 + a.tile_width - 1 > k1)) kind = CT_PARTIAL;
                if (kind == pass && n < a.room) AT(list)[start + n++] = (int)k0;
            }
        }
        if (pass == CT_PARTIAL) masked = n;
    }
    AT(lines)[3 * line_index] = (int)start;
    AT(lines)[3 * line_index + 1] = n;
    AT(lines)[3 * line_index + 2] = masked;
}
