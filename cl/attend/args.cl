/* What attend_forward gets: its buffers in order, and the record by value. One text for the host and for kernels; see
 * src/plan/arguments.h and cl/tile/tile.cl. */
#define ATTEND_FORWARD(T, B, S)                                                                                        \
    T(q)                                                                                                               \
    T(k)                                                                                                               \
    T(v)                                                                                                               \
    B(out_elem, o)                                                                                                     \
    B(float, lse)                                                                                                      \
    B(const int, lines)                                                                                                \
    B(const int, list)                                                                                                 \
    B(const int, cu_q)                                                                                                 \
    B(const int, cu_k)                                                                                                 \
    B(const float, bias)                                                                                               \
    B(const uchar, padding)                                                                                            \
    B(const float, slopes)                                                                                             \
    B(const float, sinks)                                                                                              \
    B(const int, positions)                                                                                            \
    B(const pattern_rule, rules)                                                                                       \
    B(const uchar, flags)                                                                                              \
    B(const float, text_buffer)                                                                                        \
    B(const out_elem, before)                                                                                          \
    B(const float, before_lse)                                                                                         \
    B(const float, gate)

/* All that a problem is; longs first, so no holes. */
typedef struct attend_args {
    strides q, k, v, o;   /* in elements */
    i64 o_part, lse_part; /* between the partial results of two parts */
    i64 lse_batch, lse_head;
    i64 bias_batch, bias_head, bias_row, padding_batch;
    i64 list_batch, list_head; /* in lines */
    i32 nq, nk;                /* nq = 0: every group returns at once */
    i32 group;                 /* query heads that share a KV head */
    i32 step, parts;           /* tokens of a block of rows */
    i32 left, right;
    i32 places;         /* KEYED: keys before the choice */
    i32 rows, items;    /* block rows of a head, items of a row */
    i32 inner, abreast; /* so many lie beside each other: heads of a batch; abreast: batches of a head */
    i32 crowd, spare;   /* HEAVY_LAST: heads that take turns; spare: so no hole at the end */
    f32 scale, cap, p[8];
} attend_args;
