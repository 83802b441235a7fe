/* What the layout kernels get: buffers in order, and a record by value. One text for the host and for kernels; see
 * src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define LISTS(T, B, S)                                                                                                 \
    B(const int, ends)                                                                                                 \
    B(const int, entries)                                                                                              \
    B(const uchar, mask) B(const int, cu_q) B(const int, cu_k) B(int, lines) B(int, list)
typedef struct lists_args {
    i64 left, right;
    i32 nq, nk;                                         /* nq = 0: every group returns at once */
    i32 rows, cols, lines;                              /* block rows and columns of the layout; lines of a head */
    i32 block_q, block_k, step, tile_cols, width, room; /* room: entries a line may have */
    i32 all_masked, tile_width; /* tile_width: columns of a tile, tile_cols of them belong to a block */
    i32 sequences;              /* 0: not packed */
} lists_args;

#define TRANSPOSE(T, B, S) B(const int, ends) B(const int, entries) B(const uchar, mask) B(int, runs) B(int, turned)
typedef struct transpose_args {
    i64 room;         /* entries that all lines of a head may have */
    i32 rows, cols;   /* blocks; rows = 0: every group returns at once */
    i32 width, spare; /* of a table's line */
} transpose_args;
