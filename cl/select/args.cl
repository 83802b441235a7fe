/* What the select kernels get: buffers in order, and a record by value. One text for the host and for kernels; see
 * src/plan/arguments.h and cl/tile/tile.cl. */
#define TOP_BLOCKS(T, B, S) B(const float, scores) B(int, entries) B(int, lists)
typedef struct top_args {
    i32 rows, cols, width; /* blocks; width: those that are chosen. rows = 0: every group returns at once */
    i32 nq, nk, block_q, block_k;
    i32 causal;
} top_args;
