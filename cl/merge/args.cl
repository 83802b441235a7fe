/* What the merge kernels get: buffers in order, and a record by value. One text for the host and for kernels; see
 * src/plan/arguments.h and cl/tile/tile.cl. Records: longs first, so no holes. */
#define MERGE_LSE(T, B, S) B(const float, o_parts) B(const float, lse_parts) B(out_elem, o) B(float, lse)
typedef struct merge_args {
    strides o;
    i64 rows, part_rows; /* rows of a head; rows of a part: b * h * rows */
    i32 heads, parts;    /* parts = 0: every group returns at once */
} merge_args;

#define MERGE_LSE_BACKWARD(T, B, S)                                                                                    \
    B(const elem, o)                                                                                                   \
    B(const elem, g)                                                                                                   \
    B(const float, lse)                                                                                                \
    B(const float, dlse)                                                                                               \
    B(const float, o_parts) B(const float, lse_parts) B(float, do_parts) B(float, dlse_parts)

#define MERGE_GATE_BACKWARD(T, B, S)                                                                                   \
    B(const elem, g)                                                                                                   \
    B(const float, a)                                                                                                  \
    B(const float, b)                                                                                                  \
    B(const float, lse_a)                                                                                              \
    B(const float, lse_b)                                                                                              \
    B(const float, gate)                                                                                               \
    B(float, share_a) B(float, share_b) B(float, dgate) B(float, da) B(float, db)
typedef struct gate_backward_args {
    strides g, a, b;
    i64 rows;         /* of a head */
    i32 heads, width; /* width = 0: every group returns at once */
} gate_backward_args;

#define MERGE_GATE(T, B, S)                                                                                            \
    B(const float, a)                                                                                                  \
    B(const float, b) B(const float, lse_a) B(const float, lse_b) B(const float, gate) B(out_elem, o)
typedef struct gate_args {
    strides o;
    i64 rows;         /* of a head */
    i32 heads, width; /* width = 0: every group returns at once */
} gate_args;
