/* Sums of dQ as tile_nv_wgmma's workers leave them: of a tile of BN queries, a share for each of the WORKERS, one after
 * another. A share is 64 rows of SHARE_COLUMNS, as accumulators lie in registers: four floats for each of 128 items,
 * then the next eight columns (nv_fragments.cl). */
#define SHARE_COLUMNS (SUMS_ROW * BN / 64 / WORKERS)
#define SHARE_FLOATS (64 * SHARE_COLUMNS)
/* Where row r of the tile has its column c, the first of a pair. */
OP int share_at(int r, int c) {
    const int worker = BN > 64 ? r / 64 : c / SHARE_COLUMNS, row = r % 64, col = c % SHARE_COLUMNS;
    return worker * SHARE_FLOATS + col / 8 * 512 + (row / 16 * 32 + row % 8 * 4 + col % 8 / 2) * 4 + row % 16 / 8 * 2;
}
#ifdef LINE_KERNEL
/* Sixteen rows beside each other: their eight columns fill whole lines of a cache. */
#undef LINE_BESIDE
#define LINE_BESIDE 2
/* Eight columns of row r, all of which the sums have, whatever the width. */
OP VF get_share(const __global float *sums, int r, int c) {
    const __global float2 *x = (const __global float2 *)(sums + share_at(r, c));
    return (VF)(x[0], x[2], x[4], x[6]);
}
#endif
