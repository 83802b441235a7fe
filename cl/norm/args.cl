/* What the kernels of this folder get: buffers in order, and a record by value. One text for the host and for kernels;
 * see src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define NORM_FORWARD(T, B, S)                                                                                          \
    B(const elem, o)                                                                                                   \
    B(const elem, residual)                                                                                            \
    B(const float, weight) B(const float, bias) B(out_elem, y) B(out_elem, sum) B(float, stats)

/* g: the gradient of y; dsum: what arrives at the sum; dresidual, dout: the sum's gradient, which both terms get */
#define NORM_BACKWARD(T, B, S)                                                                                         \
    B(const elem, o)                                                                                                   \
    B(const elem, residual)                                                                                            \
    B(const float, weight)                                                                                             \
    B(const elem, g) B(const elem, dsum) B(out_elem, dresidual) B(out_elem, dout) B(float, stats)
typedef struct norm_args {
    strides o, y; /* y: of the residual, of g and of what leaves, too, but for dout, which lies as o */
    i64 rows;
    i32 heads, width; /* width = 0: every group returns at once */
    f32 eps;
    i32 spare;
} norm_args;

/* parts: [heads][parts][2][width], of the weight and of the bias */
#define NORM_SUMS(T, B, S)                                                                                             \
    B(const elem, o)                                                                                                   \
    B(const elem, residual) B(const elem, g) B(const float, stats) B(float, parts)
typedef struct norm_sums_args {
    strides o, y;
    i64 rows; /* 0: every group returns at once */
    i32 width, batches;
    i32 part, parts; /* tokens of all batches in a part; parts */
} norm_sums_args;

#define NORM_SUMMED(T, B, S) B(const float, parts) B(float, weight) B(float, bias)
typedef struct norm_summed_args {
    i32 width, parts; /* width = 0: every group returns at once */
} norm_summed_args;
