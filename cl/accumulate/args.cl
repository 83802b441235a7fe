/* What the accumulate kernels get: buffers in order, and a record by value. One text for the host and for kernels; see
 * src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define ACCUMULATE_FORWARD(T, B, S)                                                                                    \
    T(q) T(k) T(v) B(out_elem, o) S(const float, state_in) S(float, state_out) B(const float, decay) B(const int, cu)
#define ACCUMULATE_STATE(T, B, S) T(k) T(v) B(float, state_out) B(float, fade) B(const float, decay) B(const int, cu)
#define ACCUMULATE_APPLY(T, B, S) T(q) B(out_elem, o) B(const float, state) B(const int, cu)
#define ACCUMULATE_STEP(T, B, S)                                                                                       \
    B(const uchar, q)                                                                                                  \
    B(const uchar, k)                                                                                                  \
    B(const elem, v)                                                                                                   \
    B(out_elem, o) S(const float, state_in) S(float, state_out) B(const float, decay) B(const int, cu)
typedef struct accumulate_args {
    strides q, k, v, o; /* in elements */
    i64 decay_batch, decay_head;
    i32 nq, nk;                  /* nk = 0: every group returns at once */
    i32 heads, group;            /* query heads of a batch; those that share a KV head */
    i32 state_heads, state_step; /* of a batch's states; from one head's to the next head's */
    i32 step;                    /* tokens of a chunk, BN at most */
    i32 segment, segments;       /* tokens of a segment, a multiple of step; their number */
    f32 scale, weight;           /* of what is read of a state; of what a key adds to it */
    i32 spare;
} accumulate_args;

#define ACCUMULATE_FEATURE(T, B, S) B(const elem, x) B(float, y) B(const uchar, padding)
typedef struct feature_args {
    strides x;
    i64 n, padding_batch; /* n = 0: every group returns at once */
    i32 heads, width, rows, spare;
} feature_args;

#define FEATURE_BACKWARD(T, B, S) B(const elem, x) B(const float, g) B(out_elem, dx) B(const uchar, padding)
typedef struct feature_backward_args {
    strides x, dx;
    i64 n, padding_batch;         /* n = 0: every group returns at once */
    i32 heads, width, wide, rows; /* wide: floats of a row of g, width at least */
} feature_backward_args;

#define DIVIDE_BACKWARD(T, B, S) B(const elem, g) B(const float, x) B(const float, weight) B(float, dx)
typedef struct divide_backward_args {
    strides g;
    i64 n; /* 0: every group returns at once */
    i32 heads, width, rows, spare;
} divide_backward_args;

#define TURN_STATES(T, B, S) B(const float, from) B(float, to)
typedef struct turn_args {
    i32 rows, cols; /* of `to`; rows = 0: every group returns at once */
} turn_args;

#define ACCUMULATE_DOTS(T, B, S) B(const elem, w) B(const float, x) B(float, to)
typedef struct dots_args {
    strides w, x;
    i64 n, to_batch, to_head; /* n = 0: every group returns at once */
    i32 width, rows;
} dots_args;

#define DECAY_BACKWARD(T, B, S)                                                                                        \
    B(const float, of_q)                                                                                               \
    B(const float, of_k)                                                                                               \
    B(const float, state) B(const float, dstate) B(float, ddecay) B(const int, cu)
typedef struct decay_backward_args {
    i64 n; /* tokens of a head; 0: every group returns at once */
    i32 heads, batches, size, spare;
} decay_backward_args;

#define ACCUMULATE_DIVIDE(T, B, S) B(const float, x) B(out_elem, o)
typedef struct divide_args {
    strides o;
    i64 n; /* 0: every group returns at once */
    i32 heads, width, rows, spare;
} divide_args;

#define ACCUMULATE_SCAN(T, B, S) B(float, states) B(const float, fade) S(const float, state_in) S(float, state_out)
typedef struct scan_args {
    i32 size, slab, segments, spare; /* size: elements of a state; 0: every group returns at once */
} scan_args;

#define ACCUMULATE_ROWS(T, B, S)                                                                                       \
    B(const float, states) B(float, sums) B(const int, ends) B(const int, entries) B(const uchar, mask)
typedef struct rows_args {
    i32 size, slab;        /* elements of a state; 0: every group returns at once */
    i32 rows, cols, width; /* of the lists, as the next two: 1 serves every batch, every head */
    i32 list_batches, list_heads;
    i32 heads; /* of the items */
} rows_args;
