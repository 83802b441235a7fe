/* What the kernels of this folder get: buffers in order, and a record by value. One text for the host and for kernels;
 * see src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define GATE_ROWS(T, B, S) B(const elem, q) B(const float, weight) B(const float, bias) B(float, gate)
typedef struct gate_rows_args {
    strides q;
    i64 rows;         /* of a head */
    i32 heads, depth; /* depth: width of q; 0: every group returns at once */
} gate_rows_args;

#define GATHER_ROWS(T, B, S) B(const elem, from) B(const int, positions) B(out_elem, to)
typedef struct gather_args {
    strides from;
    i64 rows;         /* that exist */
    i32 heads, width; /* width = 0: every group returns at once */
    i32 samples, spare;
} gather_args;

#define GATHER_KEYS(T, B, S) B(const int, positions) B(const uchar, padding) B(int, places) B(uchar, shown)
typedef struct keys_args {
    i64 rows, padding_batch;
    i32 samples, spare; /* samples = 0: every group returns at once */
} keys_args;
