/* What the kernels of this folder get: buffers in order, and a record by value. One text for the host and for kernels;
 * see src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define GATE_ROWS(T, B, S) B(const elem, q) B(const float, weight) B(const float, bias) B(float, gate)
typedef struct gate_rows_args {
    strides q;
    i64 rows;         /* of a head */
    i32 heads, depth; /* depth: width of q; 0: every group returns at once */
} gate_rows_args;

/* dlogit: float [b][h][rows]; parts: [heads][parts][depth + 1] */
#define GATE_SUMS(T, B, S) B(const elem, q) B(const float, dlogit) B(float, parts)
typedef struct gate_sums_args {
    strides q;
    i64 rows; /* of a head; 0: every group returns at once */
    i32 heads, depth;
    i32 batches, part, parts, spare; /* rows of all batches in a part; parts */
} gate_sums_args;

#define GATE_SUMMED(T, B, S) B(const float, parts) B(float, weight) B(float, bias)
typedef struct gate_summed_args {
    i32 depth, parts; /* depth = 0: every group returns at once */
} gate_summed_args;

#define SUM_ROWS(T, B, S)                                                                                              \
    S(const float, x) B(const float, y) B(const float, factor) B(const float, weight) S(out_elem, to)
typedef struct sum_args {
    strides to;
    i64 rows; /* of a head; 0: every group returns at once */
    i32 heads, width;
} sum_args;

#define SCATTER_ROWS(T, B, S) B(const float, from) B(const int, positions) B(const uchar, shown) B(float, to)
typedef struct scatter_args {
    i64 rows;         /* of a head of `to` */
    i32 heads, width; /* width = 0: every group returns at once */
    i32 samples, spare;
} scatter_args;

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
